package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"shiplog/agent"
	"shiplog/format"
	"shiplog/httpd"
	"shiplog/index"
)

const (
	statusLimit = 5 * time.Second // for the agent's answer
	statusScan  = 200_000         // newest records looked at for gaps
	statusGaps  = 5
)

// report is what shiplog status tells.
type report struct {
	Running  bool          `json:"running"`
	Well     bool          `json:"well"`
	Reasons  []string      `json:"reasons"` // why it is not well
	Agent    *agent.Status `json:"agent,omitempty"`
	Server   string        `json:"server,omitempty"` // where a server beside the agent answers, or should
	Log      logReport     `json:"log"`
	Index    *indexReport  `json:"index,omitempty"`
	Sealed   *sealedReport `json:"checkpoint,omitempty"` // missing when the log is not sealed
	Free     *uint64       `json:"disk_free_bytes,omitempty"`
	Accounts *int          `json:"accounts,omitempty"` // missing when they cannot be read
}

// logReport is what the files say.
type logReport struct {
	Dir      string      `json:"dir"`
	Segments int         `json:"segments"`
	Packed   int         `json:"compressed"` // of them
	Bytes    int64       `json:"bytes"`      // on the disk
	LastSeq  uint64      `json:"last_seq"`
	LastTime time.Time   `json:"last_time,omitzero"`
	Gaps     []gapReport `json:"gaps"` // the last ones, newest first
}

type gapReport struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
}

// indexReport counts sealed segments.
type indexReport struct {
	Dir     string `json:"dir"`
	Indexed int    `json:"segments"`
	Pending int    `json:"pending"`
}

func (p *Program) statusCommand() *cobra.Command {
	var dir, state, indexDir, out string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how shiplog is: engines, writer, files",
		Long: `Tell how the shiplog of a data directory is: whether it runs, which engines it sees, what is in its log, and
where it could not look. A running one is asked over DATA/agent.sock, and a server beside an agent at the address
that it left in STATE; without one the files tell what they can.

It ends with 0 when shiplog runs and is well, with 1 when not; then the reasons are shown first.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state == "" {
				state = dir
			}
			if indexDir == "" {
				indexDir = filepath.Join(state, "index")
			}
			r, err := newReport(cmd.Context(), dir, state, indexDir)
			if err != nil {
				return err
			}
			if out == "json" {
				err = json.NewEncoder(&visible{w: p.Stdout}).Encode(r)
			} else {
				err = r.print(p.Stdout, time.Now())
			}
			if err == nil && !r.Well {
				err = errors.New("not well; the reasons are above")
			}
			return err
		},
	}
	p.dataFlag(cmd, &dir)
	flags := cmd.Flags()
	flags.StringVar(&state, "state", "", "`directory` of what a server itself keeps, where it has one of its own; default DATA")
	flags.StringVar(&indexDir, "index", "", "`directory` of the index, or none; default STATE/index")
	choiceFlag(flags, &out, "output", "o", "output format", "short", "json")
	alsoOfFile(flags, "state", "index")
	flags.SortFlags = false
	return cmd
}

// newReport looks at everything. The error is of a directory that is none.
func newReport(ctx context.Context, dir, state, indexDir string) (*report, error) {
	log, err := openLog(dir)
	if err != nil {
		return nil, err
	}
	r := &report{Reasons: []string{}, Log: logReport{Dir: log.Dir(), Gaps: []gapReport{}}}
	r.askAgent(ctx, filepath.Join(dir, agent.SocketName))
	r.askServer(ctx, state)
	r.readLog(log, indexDir)
	r.Sealed = newSealedReport(log.Dir())
	if free, err := format.FreeSpace(dir); err == nil {
		r.Free = &free
	}
	r.countAccounts(filepath.Join(state, "accounts.json"))
	r.Well = len(r.Reasons) == 0
	return r, nil
}

func (r *report) unwell(format string, args ...any) {
	r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...))
}

// askAgent asks the process that writes how it is.
func (r *report) askAgent(ctx context.Context, socket string) {
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	s, err := agent.Remote{Path: socket}.Status(ctx)
	switch {
	case errors.Is(err, agent.ErrNoAgent):
		r.unwell("not running")
		return
	case errors.Is(err, agent.ErrOldAgent):
		r.Running = true
		reasons, err := agent.Remote{Path: socket}.Ready(ctx)
		if r.Reasons = append(r.Reasons, reasons...); err != nil {
			r.unwell("not known: %v", err)
		}
		return
	case err != nil:
		r.unwell("whether it runs is not known: %v", err)
		return
	}
	r.Running, r.Agent = true, &s
	if s.Writer.State != format.StateOK {
		r.unwell("nothing can be written (%s): %s", s.Writer.State, s.Writer.Reason)
	}
	r.Reasons = append(r.Reasons, s.Failing...)
	for _, e := range s.Engines {
		if !e.Connected && !e.Since.IsZero() {
			r.unwell("%s is not reached since %s; what happens there is not seen", e.Engine, stampOf(e.Since))
		}
	}
}

// readLog looks at the files, newest record first.
func (r *report) readLog(log *format.Log, indexDir string) {
	segs, err := log.Segments()
	if err != nil {
		r.unwell("the log cannot be read: %v", err)
		return
	}
	r.Log.Segments = len(segs)
	for _, s := range segs {
		r.Log.Bytes += s.Stored
		if s.Compressed {
			r.Log.Packed++
		}
	}
	if indexDir != "none" {
		r.Index = &indexReport{Dir: indexDir, Indexed: index.Indexed(indexDir, segs)}
		r.Index.Pending = max(0, len(segs)-1) - r.Index.Indexed
	}
	seen := 0
	for line, err := range log.Backward(0) {
		if _, damaged := errors.AsType[*format.Damage](err); err != nil && !damaged {
			r.unwell("the log cannot be read: %v", err)
			return
		}
		if seen++; err != nil {
			continue
		}
		f := line.Fields
		if r.Log.LastSeq == 0 {
			r.Log.LastSeq, r.Log.LastTime = f.Seq, time.Unix(0, f.Time).UTC()
		}
		if f.Action.Is("engine.gap") {
			r.Log.Gaps = append(r.Log.Gaps, gapReport{f.Seq, time.Unix(0, f.Time).UTC(), f.Msg.String()})
		}
		if seen >= statusScan || len(r.Log.Gaps) >= statusGaps {
			return
		}
	}
}

// countAccounts leaves the number out when the file is not for whoever asks.
func (r *report) countAccounts(path string) {
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			r.Accounts = new(int)
		}
		return
	}
	a, err := httpd.LoadAccounts(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
	case err != nil:
		r.unwell("%v", err)
	default:
		n := len(a.Users())
		r.Accounts = &n
	}
}
