// Command benchmark is scripts/bench: it measures the built program from outside, as an owner would see it, and
// beside it what others do with the same records, on the same machine, in the same run.
//
//	records ── truth: what each question's answer is, by a scan
//	   ├─ shiplog: import, serve, ask, append, follow, mixed load, prune
//	   └─ peers: an empty server, write+fdatasync, SQLite, grep and jq, journald, VictoriaLogs
//
// The figures go into a report: a table for people, JSON for compare. A peer that cannot be had here is named in it.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	plainKind = "normal"
	password  = "bench-password"
	token     = "bench-token" // may read and write in all dialects that take one
)

// bench is one run.
type bench struct {
	n       int    // records
	runs    int    // requests for each figure, unless they take too long
	dir     string // everything is made in here
	kind    string // of records: see scripts/workload
	peers   string // names, with commas between them; "all", "none"
	records string // the file of the records
	patient time.Duration

	report report
	truth  *truth
	floor  *peer
}

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "floor":
		err = serveFloor()
	case len(os.Args) > 1 && os.Args[1] == "compare":
		err = compare(os.Args[2:], os.Stdout)
	case len(os.Args) > 1 && os.Args[1] == "show":
		err = show(os.Args[2:], os.Stdout)
	default:
		err = measure()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure() error {
	var b bench
	var out string
	var markdown bool
	flag.IntVar(&b.n, "n", 1_000_000, "how many records")
	flag.IntVar(&b.runs, "runs", 200, "how many requests for each figure")
	flag.DurationVar(&b.patient, "patience", 10*time.Second, "no figure takes much longer; it has fewer requests then")
	flag.StringVar(&b.dir, "dir", "", "work in this directory and keep it (default: a temporary one)")
	flag.StringVar(&b.kind, "kind", plainKind, "what the records are like, one of those of scripts/workload -h")
	flag.StringVar(&b.peers, "peers", "all", "whom to measure too: all, none, or names of sqlite, grep, journald, victorialogs")
	flag.StringVar(&out, "json", "", "write the figures to this file (default: DIR/bench.json when there is a -dir)")
	flag.BoolVar(&markdown, "markdown", false, "print the table as Markdown, for README.md")
	flag.Parse()
	if b.dir != "" && out == "" {
		out = filepath.Join(b.dir, "bench.json")
	}
	if err := b.run(); err != nil {
		return err
	}
	if out != "" {
		if err := b.report.save(out); err != nil {
			return err
		}
	}
	return b.report.print(os.Stdout, markdown)
}

// step is one part of a run.
type step struct {
	name string // of the peer whom it measures; "": shiplog itself
	run  func() error
}

// run does all steps in turn, so that each has the machine for itself.
func (b *bench) run() error {
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "shiplog-bench.")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		b.dir = dir
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	b.records = filepath.Join(b.dir, "records.jsonl")
	b.report = newReport(b)
	steps := []step{
		{"", b.makeRecords},
		{"", b.readTruth},
		{"", b.startFloor},
		{"", b.measureDisk},
		{"", b.measureShiplog},
		{"sqlite", b.measureSQLite},
		{"grep", b.measureGrep},
		{"victorialogs", b.measureVictoria},
		{"journald", b.measureJournald},
	}
	defer func() { b.floor.stop() }()
	for _, s := range steps {
		if s.name != "" && !b.wants(s.name) {
			b.report.leftOut(s.name, "not asked for")
			continue
		}
		if err := s.run(); err != nil {
			return err
		}
	}
	b.report.judge()
	return nil
}

func (b *bench) wants(peer string) bool {
	if b.peers == "all" || b.peers == "none" {
		return b.peers == "all"
	}
	for name := range strings.SplitSeq(b.peers, ",") {
		if strings.TrimSpace(name) == peer {
			return true
		}
	}
	return false
}

// say tells who waits what is going on. The table is the only thing on standard output.
func say(format string, args ...any) { sayTo(os.Stderr, format, args...) }

func sayTo(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
