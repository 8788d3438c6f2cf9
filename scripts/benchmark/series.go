package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The series.
const (
	growth    = "growth"
	hardKinds = "kinds"
)

// series is some runs beside each other.
type series struct {
	Series string    `json:"series,omitempty"` // growth or kinds; "": one run by itself
	Runs   []*report `json:"reports"`
}

// measureGrowth measures the same with more and more records.
func measureGrowth(args []string) error {
	b := bench{scope: growing, kind: plainKind}
	flags, out := b.flags(growth)
	sizes := flags.String("sizes", "100000,1000000,10000000", "how many records, with commas between them")
	flags.BoolVar(&b.compress, "compress", true, "measure compressed segments too")
	if err := noMore(flags, args); err != nil {
		return err
	}
	runs, err := b.ofSizes(*sizes)
	if err != nil {
		return err
	}
	return b.measureSeries(growth, runs, out)
}

// ofSizes are the runs of the sizes, the smallest first.
func (b *bench) ofSizes(sizes string) (runs []*bench, err error) {
	for text := range strings.SplitSeq(sizes, ",") {
		one := *b
		if one.n, err = strconv.Atoi(strings.TrimSpace(text)); err != nil || one.n < 1 {
			return nil, fmt.Errorf("-sizes %q: %q is no number of records; write them like 100000,1000000", sizes, text)
		}
		if n := len(runs); n > 0 && runs[n-1].n >= one.n {
			return nil, fmt.Errorf("-sizes %q: begin with the fewest records", sizes)
		}
		runs = append(runs, &one)
	}
	return runs, nil
}

// largeKind has messages of 64 KiB, so a fortieth of the records is more than the others have.
const largeKind, largeShare = "large", 40

// measureKinds measures the same with records that are hard on an index.
func measureKinds(args []string) error {
	b := bench{scope: hardRecords}
	flags, out := b.flags(hardKinds)
	flags.IntVar(&b.n, "n", 200_000, "how many records of each kind; of large ones a fortieth")
	kinds := flags.String("kinds", "normal,ids,prose,unicode,large,single,crowd", "which, of those of scripts/workload -h")
	if err := noMore(flags, args); err != nil {
		return err
	}
	return b.measureSeries(hardKinds, b.kinds(*kinds), out)
}

func (b *bench) kinds(names string) (runs []*bench) {
	for name := range strings.SplitSeq(names, ",") {
		one := *b
		if one.kind = strings.TrimSpace(name); one.kind == largeKind {
			one.n = max(b.n/largeShare, 1)
		}
		runs = append(runs, &one)
	}
	return runs
}

// measureSeries does the runs in turn. What is known so far is written after each of them.
func (b *bench) measureSeries(name string, runs []*bench, out *output) error {
	file := out.file(b.dir)
	done, err := b.inDir()
	if err != nil {
		return err
	}
	defer done()
	s, err := b.runAll(name, runs, file)
	if err != nil {
		return err
	}
	return s.print(os.Stdout, out.markdown)
}

// runAll measures the runs, each in a folder of its own below b.dir, and writes the figures to the file unless it is "".
func (b *bench) runAll(name string, runs []*bench, file string) (*series, error) {
	s := &series{Series: name}
	for _, one := range runs {
		one.bin = b.dir
		one.dir = filepath.Join(b.dir, fmt.Sprintf("%s-%d", one.kind, one.n))
		say("%d records (%s)", one.n, one.kind)
		if err := one.run(); err != nil {
			return nil, fmt.Errorf("%d records (%s): %w", one.n, one.kind, err)
		}
		s.Runs = append(s.Runs, &one.report)
		if file != "" {
			if err := save(file, s); err != nil {
				return nil, err
			}
		}
		if err := one.tidy(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// tidy removes what a run made but for its records, which another run can use again: the largest take the whole disk of
// a small machine.
func (b *bench) tidy() error { return os.RemoveAll(b.data()) }

// save writes a report or a series.
func save(name string, figures any) error {
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644)
}

// load reads what save wrote; a report is a series of one.
func load(name string) (*series, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	s := new(series)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s is no report of scripts/bench: %w", name, err)
	}
	if len(s.Runs) > 0 {
		return s, nil
	}
	r := new(report)
	if err := json.Unmarshal(text, r); err != nil || len(r.Figures) == 0 {
		return nil, fmt.Errorf("%s is no report of scripts/bench (%v)", name, err)
	}
	return &series{Runs: []*report{r}}, nil
}

// run returns the run that has as many records of the same kind; nil: there is none.
func (s *series) run(like *report) *report {
	for _, r := range s.Runs {
		if r.Records == like.Records && r.Kind == like.Kind {
			return r
		}
	}
	return nil
}

// show prints the table of runs that are over: those of several files are one series.
func show(args []string, w io.Writer) error {
	flags := flag.NewFlagSet("show", flag.ContinueOnError)
	markdown := flags.Bool("markdown", false, "print the table as Markdown, for README.md")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("show wants files: scripts/bench show [-markdown] FILE.json [FILE.json...]")
	}
	all := new(series)
	for _, name := range flags.Args() {
		s, err := load(name)
		if err != nil {
			return err
		}
		if all.Series = s.Series; flags.NArg() > 1 && s.Series == "" {
			all.Series = growth
		}
		all.Runs = append(all.Runs, s.Runs...)
	}
	return all.print(w, *markdown)
}
