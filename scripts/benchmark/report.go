package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// What is measured, and the columns of the table in this order.
const (
	shiplog  = "shiplog"
	bare     = "floor" // an empty HTTP handler, or write+fdatasync alone
	sqlite   = "SQLite FTS5"
	grep     = "grep, jq"
	journald = "journald"
	victoria = "VictoriaLogs"
)

// report is all that a run found out.
type report struct {
	When     time.Time `json:"when"`
	Revision string    `json:"revision"`
	Machine  string    `json:"machine"`
	Records  int       `json:"records"`
	Bytes    int64     `json:"bytes"` // of the records as JSON lines
	Kind     string    `json:"kind"`
	Runs     int       `json:"runs"`
	Figures  []*figure `json:"figures"`
	Notes    []string  `json:"notes,omitempty"` // who was left out, and why; whose answers were others
}

// figure is one row of the table.
type figure struct {
	Group  string           `json:"group"`
	Name   string           `json:"name"`
	Unit   string           `json:"unit"`
	Target string           `json:"target,omitempty"` // in words
	Met    string           `json:"met,omitempty"`    // yes, no; "": there is no target, or nobody to compare with
	Cells  map[string]*cell `json:"cells"`            // by who was measured

	met func(*figure) (met, known bool)
}

// cell is what one of them reached.
type cell struct {
	Value float64 `json:"value"`           // in the figure's unit; of latencies the median
	P99   float64 `json:"p99,omitempty"`   // of latencies
	Floor float64 `json:"floor,omitempty"` // median of an empty handler's, asked in turn with the others
	Runs  int     `json:"runs,omitempty"`
	Rows  int     `json:"rows,omitempty"`  // in the answer
	Hits  int     `json:"hits,omitempty"`  // records that it is the newest of
	Wrong string  `json:"wrong,omitempty"` // how the answer differs from what is in the records
	Note  string  `json:"note,omitempty"`
}

func newReport(b *bench) report {
	r := report{When: time.Now().UTC().Truncate(time.Second), Machine: machine(), Revision: "unknown", Records: b.n, Runs: b.runs, Kind: b.kind}
	if out, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		r.Revision = strings.TrimSpace(string(out))
	}
	return r
}

// machine says what a reader needs to know to compare figures of two tables.
func machine() string {
	model := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.Join(strings.Fields(value), " ")
			break
		}
	}
	memory := "?"
	text, _ = os.ReadFile("/proc/meminfo")
	var kib int64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err == nil {
		memory = fmt.Sprintf("%.0f GB", float64(kib)/1e6)
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	goVersion := runtime.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
	}
	return fmt.Sprintf("%d x %s, %s, Linux %s, %s", runtime.NumCPU(), model, memory, strings.TrimSpace(string(kernel)), goVersion)
}

// set puts what who reached into the row, which is made when it is not there. Targets are given by who comes first.
func (r *report) set(group, name, unit, who string, c *cell) *figure {
	for _, f := range r.Figures {
		if f.Group == group && f.Name == name {
			f.Cells[who] = c
			return f
		}
	}
	f := &figure{Group: group, Name: name, Unit: unit, Cells: map[string]*cell{who: c}}
	r.Figures = append(r.Figures, f)
	return f
}

// find returns the row with that name; nil: it was not measured.
func (r *report) find(name string) *figure {
	for _, f := range r.Figures {
		if f.Name == name {
			return f
		}
	}
	return nil
}

func (r *report) leftOut(who, why string) {
	r.Notes = append(r.Notes, fmt.Sprintf("%s was left out: %s", who, why))
	say("%s", r.Notes[len(r.Notes)-1])
}

// judge looks which targets were met, when all is measured.
func (r *report) judge() {
	for _, f := range r.Figures {
		if f.met == nil {
			continue
		}
		if met, known := f.met(f); known {
			f.Met = map[bool]string{true: "yes", false: "no"}[met]
		}
	}
}
