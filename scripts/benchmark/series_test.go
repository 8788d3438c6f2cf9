package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSmallSeries measures a few records of more and more, and of two kinds: every row is there, every answer right. It
// wants the program in SHIPLOG_BINARY, as scripts/test gives it.
func TestSmallSeries(t *testing.T) {
	if os.Getenv("SHIPLOG_BINARY") == "" {
		t.Skip("SHIPLOG_BINARY names no shiplog")
	}
	t.Parallel()
	small := bench{runs: 2, patient: 400 * time.Millisecond, kind: plainKind, n: 800}
	t.Run(growth, func(t *testing.T) {
		t.Parallel()
		b := small
		b.dir, b.scope = t.TempDir(), growing
		runs, err := b.ofSizes("1000, 3000")
		if err != nil {
			t.Fatal(err)
		}
		runs[1].compress = true
		checkSeries(t, &b, growth, runs)
	})
	t.Run(hardKinds, func(t *testing.T) {
		t.Parallel()
		b := small
		b.dir, b.scope = t.TempDir(), hardRecords
		checkSeries(t, &b, hardKinds, b.kinds("unicode, large"))
	})
}

func checkSeries(t *testing.T, b *bench, name string, runs []*bench) {
	t.Helper()
	file := filepath.Join(b.dir, "bench.json")
	s, err := b.runAll(name, runs, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range s.rows() {
		if f := s.figure(row); f == nil && !strings.HasPrefix(row, "Q4 12 hex that") { // so few records may have no such needle
			t.Errorf("the table of %s has no row %q", name, row)
		}
	}
	for _, r := range s.Runs {
		for _, line := range r.wrong() {
			if strings.HasPrefix(line, "WARNING") {
				t.Errorf("%d records (%s): %s", r.Records, r.Kind, line)
			}
		}
		if f := r.find("Q4 rare 12-hex substring"); f.Cells[shiplog].Hits == 0 {
			t.Errorf("%d records (%s): the rare needle is in no record", r.Records, r.Kind)
		}
	}
	var printed, shown, compared bytes.Buffer
	if err := s.print(&printed, true); err != nil {
		t.Fatal(err)
	}
	if err := show([]string{"-markdown", file}, &shown); err != nil {
		t.Fatal(err)
	}
	if want := "| Q1 latest 20 | "; shown.String() != printed.String() || !strings.Contains(shown.String(), want) {
		t.Errorf("show prints\n%s\nthe run has printed\n%s\nand both should have a row %q", &shown, &printed, want)
	}
	if err := compare([]string{file, file}, &compared); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(compared.String(), "old: "); got != len(runs) {
		t.Errorf("compare has %d runs, want %d:\n%s", got, len(runs), &compared)
	}
}

// made is a report with one figure of that value.
func made(records int, name string, c cell, give func(*figure)) *report {
	r := &report{Records: records, Kind: plainKind}
	give(r.set("answers", name, "ms", shiplog, &c))
	r.judge()
	return r
}

func TestSeriesIsJudged(t *testing.T) {
	three := func(f *figure) { f.timesFloor(3) }
	ms := func(v float64) func(*figure) { return func(f *figure) { f.overFloor(v) } }
	for _, tt := range []struct {
		name, row string
		runs      []*report
		want      []string // the cells behind the name
	}{
		{"a page that stays as it is", "Q1 latest 20",
			[]*report{made(1000, "Q1 latest 20", cell{Value: 0.2, Floor: 0.1}, three), made(10_000, "Q1 latest 20", cell{Value: 0.5, Floor: 0.2}, three)},
			[]string{"0.20 ms (2.00x)", "0.50 ms (2.50x)", "1.25x", "<= 3 x floor; does not grow", "yes"}},
		{"one that grows within its limit", "Q1 latest 20",
			[]*report{made(1000, "Q1 latest 20", cell{Value: 0.1, Floor: 0.1}, three), made(10_000, "Q1 latest 20", cell{Value: 0.2, Floor: 0.1}, three)},
			[]string{"0.10 ms (1.00x)", "0.20 ms (2.00x)", "2.00x", "<= 3 x floor; does not grow", "no: it grows"}},
		{"one that is too slow with many records, and has another limit then", "Q4 rare 12-hex substring",
			[]*report{made(1000, "Q4 rare 12-hex substring", cell{Value: 2, Floor: 1, Hits: 9}, ms(5)), made(2_000_000, "Q4 rare 12-hex substring", cell{Value: 12, Floor: 1, Hits: 12}, ms(10))},
			[]string{"2.00 ms (2.00x) of 9", "12.0 ms (12.0x) of 12", "6.00x", "<= 5 ms + floor; <= 10 ms + floor", "no: 2,000,000"}},
		{"one that was not measured at first", "Q5 common substring",
			[]*report{{Records: 1000}, made(10_000, "Q5 common substring", cell{Value: 1}, func(*figure) {})},
			[]string{"-", "1.00 ms", "", "", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &series{Series: growth, Runs: tt.runs}
			if got := s.row(tt.row)[1:]; !slices.Equal(got, tt.want) {
				t.Errorf("row(%q) = %q, want %q", tt.row, got, tt.want)
			}
		})
	}
}

func TestOfSizes(t *testing.T) {
	for _, tt := range []struct {
		name, sizes string
		want        []int
		err         string
	}{
		{"sizes in order", "100, 2000", []int{100, 2000}, ""},
		{"no number", "100,1e6", nil, `"1e6" is no number of records`},
		{"none", "", nil, `"" is no number of records`},
		{"the most first", "1000,100", nil, "begin with the fewest records"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runs, err := new(bench).ofSizes(tt.sizes)
			var got []int
			for _, r := range runs {
				got = append(got, r.n)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) || tt.err == "" && (err != nil || !slices.Equal(got, tt.want)) {
				t.Errorf("ofSizes(%q) = %v, %v, want %v, %q", tt.sizes, got, err, tt.want, tt.err)
			}
		})
	}
}
