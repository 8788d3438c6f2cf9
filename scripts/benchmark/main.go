// Command benchmark is scripts/bench: it measures the built program from outside, as an owner would see it, and
// beside it what others do with the same records, on the same machine, in the same run.
//
//	records ── truth: what each question's answer is, by a scan
//	   ├─ shiplog: import, serve, ask, compress, append, follow, mixed load, prune
//	   └─ peers: an empty server, write+fdatasync, SQLite, grep and jq, journald, VictoriaLogs
//
// The figures go into a report: a table for people, JSON for compare. A peer that cannot be had here is named in it.
//
// A series is several such runs of shiplog alone, beside each other in one table: growth has more and more records, and
// kinds has records that are hard on an index.
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

// scope is how much of shiplog's life is measured.
type scope int

const (
	wholeLife   scope = iota
	growing           // what may depend on how many records there are; nobody else is measured
	hardRecords       // what depends on what they are like: all of them are sealed
)

// bench is one run.
type bench struct {
	n        int    // records
	runs     int    // requests for each figure, unless they take too long
	dir      string // everything is made in here
	bin      string // where the program is made; "": in dir
	kind     string // of records: see scripts/workload
	peers    string // names, with commas between them; "all", "none"
	records  string // the file of the records
	patient  time.Duration
	scope    scope
	compress bool // what compressed segments cost is measured too

	report    report
	truth     *truth
	floor     *peer
	startCost time.Duration // CPU that shiplog takes to start on no records, with a login
}

func main() {
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	var err error
	switch command {
	case "floor":
		err = serveFloor()
	case "compare":
		err = compare(os.Args[2:], os.Stdout)
	case "show":
		err = show(os.Args[2:], os.Stdout)
	case growth:
		err = measureGrowth(os.Args[2:])
	case hardKinds:
		err = measureKinds(os.Args[2:])
	default:
		err = measure(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// output is where the figures go, and the flags that all commands have.
type output struct {
	json     string // file; "": DIR/bench.json when there is a -dir
	markdown bool
}

// flags are those of all commands; b has their defaults.
func (b *bench) flags(command string) (*flag.FlagSet, *output) {
	out := new(output)
	flags := flag.NewFlagSet(strings.TrimSpace("scripts/bench "+command), flag.ExitOnError)
	flags.IntVar(&b.runs, "runs", 200, "how many requests for each figure")
	flags.DurationVar(&b.patient, "patience", 10*time.Second, "no figure takes much longer; it has fewer requests then")
	flags.StringVar(&b.dir, "dir", "", "work in this directory and keep it (default: a temporary one)")
	flags.StringVar(&out.json, "json", "", "write the figures to this file (default: DIR/bench.json when there is a -dir)")
	flags.BoolVar(&out.markdown, "markdown", false, "print the table as Markdown, for README.md")
	return flags, out
}

// file is where the figures are written to; "": nowhere.
func (o *output) file(dir string) string {
	if o.json == "" && dir != "" {
		return filepath.Join(dir, "bench.json")
	}
	return o.json
}

func measure(args []string) error {
	var b bench
	flags, out := b.flags("")
	flags.IntVar(&b.n, "n", 1_000_000, "how many records")
	flags.StringVar(&b.kind, "kind", plainKind, "what the records are like, one of those of scripts/workload -h")
	flags.StringVar(&b.peers, "peers", "all", "whom to measure too: all, none, or names of sqlite, grep, journald, victorialogs")
	flags.BoolVar(&b.compress, "compress", true, "measure compressed segments too")
	if err := noMore(flags, args); err != nil {
		return err
	}
	file := out.file(b.dir)
	if err := b.run(); err != nil {
		return err
	}
	if file != "" {
		if err := save(file, &b.report); err != nil {
			return err
		}
	}
	return b.report.print(os.Stdout, out.markdown)
}

// noMore reads the flags, and says what of args is none.
func noMore(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not understood; scripts/bench -h shows the flags, and the head of scripts/bench the commands", flags.Arg(0))
	}
	return nil
}

// step is one part of a run.
type step struct {
	name string // of the peer whom it measures; "": shiplog itself
	run  func() error
}

// run does all steps in turn, so that each has the machine for itself.
func (b *bench) run() error {
	done, err := b.inDir()
	if err != nil {
		return err
	}
	defer done()
	b.records = filepath.Join(b.dir, "records.jsonl")
	b.report = newReport(b)
	defer func() { b.floor.stop() }()
	for _, s := range b.steps() {
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

// inDir makes the directory to work in, a temporary one unless it was named. That is removed by done.
func (b *bench) inDir() (done func(), err error) {
	done = func() {}
	if b.dir != "" {
		return done, os.MkdirAll(b.dir, 0o755)
	}
	dir, err := os.MkdirTemp("", "shiplog-bench.")
	if err == nil {
		b.dir = dir
		done = func() { _ = os.RemoveAll(dir) } // what cannot be removed is the owner's to find, below TMPDIR
	}
	return done, err
}

func (b *bench) steps() []step {
	own := []step{{"", b.makeRecords}, {"", b.readTruth}, {"", b.startFloor}}
	if b.scope != wholeLife {
		return append(own, step{"", b.measureShiplog})
	}
	return append(own, step{"", b.measureDisk}, step{"", b.measureShiplog}, step{"sqlite", b.measureSQLite}, step{"grep", b.measureGrep},
		step{"victorialogs", b.measureVictoria}, step{"journald", b.measureJournald})
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
