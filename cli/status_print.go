package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// print writes r for people, a line for each thing.
func (r *report) print(w io.Writer, now time.Time) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", name, appendVisible(nil, fmt.Appendf(nil, format, args...)))
	}
	for _, reason := range r.Reasons {
		line("not well", "%s", reason)
	}
	if r.Running {
		what := "running"
		if s := r.Agent; s != nil {
			what = fmt.Sprintf("%s, process %d, running since %s", s.Version, s.PID, stampOf(s.Started))
		}
		line("shiplog", "%s", what)
	}
	if r.Server != "" {
		line("server", "%s", r.Server)
	}
	r.printAgent(line, now)
	last := ""
	if r.Log.LastSeq > 0 {
		last = fmt.Sprintf(", last record %d of %s", r.Log.LastSeq, stampOf(r.Log.LastTime))
	}
	packed := ""
	if r.Log.Packed > 0 {
		packed = fmt.Sprintf(", %d of them compressed", r.Log.Packed)
	}
	line("log", "%s: %d segments%s, %s%s", r.Log.Dir, r.Log.Segments, packed, sizeText(uint64(r.Log.Bytes)), last)
	for _, g := range r.Log.Gaps {
		line("gap", "record %d of %s: %s", g.Seq, stampOf(g.Time), g.Message)
	}
	if r.Index != nil {
		line("index", "%s: %d segments, %d to come", r.Index.Dir, r.Index.Indexed, r.Index.Pending)
	}
	if s := r.Sealed; s != nil {
		line("sealed", "checkpoint %s of %s", s.At, stampOf(s.Time))
		line("key", "%s", s.Key)
	}
	if r.Free != nil {
		line("disk", "%s free", sizeText(*r.Free))
	}
	if r.Accounts != nil {
		line("accounts", "%d", *r.Accounts)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printAgent writes what only a running process knows.
func (r *report) printAgent(line func(name, format string, args ...any), now time.Time) {
	s := r.Agent
	if s == nil {
		return
	}
	if s.URL != "" {
		line("server", "%s", s.URL)
	}
	for _, e := range s.Engines {
		name := strings.TrimSpace(string(e.Engine) + " " + e.Version)
		switch {
		case e.Connected:
			last := "no event yet"
			if !e.LastEvent.IsZero() {
				last = "last event " + stampOf(e.LastEvent)
			}
			line("engine", "%s: connected for %s, %s, %d gaps, %d waiting, %d dropped, %.1fs behind", name,
				max(0, now.Sub(e.Since)).Round(time.Second), last, e.Gaps, e.Queue, e.Dropped, e.Lag)
		case e.Since.IsZero():
			line("engine", "%s: not seen", name)
		default:
			line("engine", "%s: lost at %s", name, stampOf(e.Since))
		}
	}
	line("writer", "%s, last record %d, safe on disk up to %d", s.Writer.State, s.Writer.LastSeq, s.Writer.DurableSeq)
}

func stampOf(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// sizeText is a size for people.
func sizeText(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, i := float64(n)/1024, 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[i])
}
