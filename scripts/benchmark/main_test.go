package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets this program be the empty server as well, as the real one is. The tests run from the root of the
// project, as scripts/bench does, and side by side, since they mostly wait.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "floor" {
		if err := serveFloor(); err != nil {
			os.Exit(1)
		}
		return
	}
	if err := errors.Join(os.Chdir("../.."), os.Unsetenv("VICTORIA_LOGS")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestSmallRun measures a few records a few times: not how fast that is, but that every row is there and every answer
// right. It wants the program in SHIPLOG_BINARY, as scripts/test gives it.
func TestSmallRun(t *testing.T) {
	if os.Getenv("SHIPLOG_BINARY") == "" {
		t.Skip("SHIPLOG_BINARY names no shiplog")
	}
	t.Parallel()
	b := &bench{n: 5000, runs: 3, dir: t.TempDir(), kind: plainKind, peers: "grep, victorialogs", patient: 600 * time.Millisecond}
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	for _, name := range wantedRows(b) {
		f := b.report.find(name)
		if f == nil || f.Cells[shiplog] == nil {
			t.Errorf("the row %q of shiplog is missing", name)
		}
	}
	for _, f := range b.report.Figures {
		for who, c := range f.Cells {
			if c.Wrong != "" {
				t.Errorf("%s answers %s with %s", who, f.Name, c.Wrong)
			}
		}
		if f.Group == "answers" && f.Cells[bare] != nil && f.Cells[grep] == nil && !strings.HasPrefix(f.Name, csvName) && noNote(b, grep) {
			t.Errorf("%s was not asked for %s", grep, f.Name)
		}
	}
	if want := victoria + " was left out: VICTORIA_LOGS names no binary"; noNote(b, want) {
		t.Errorf("notes = %q, want %q among them", b.report.Notes, want)
	}
	checkOutput(t, b)
}

// wantedRows are all that the task of the benchmark is about.
func wantedRows(b *bench) []string {
	all := []string{exportName, csvName, pruneName, "import", "import, CPU per million", "import and columns, CPU per million",
		"whole cost, CPU per million", followName, waitName, "start to first answer", "cold start to first answer",
		"peak while importing", "peak while indexing", "peak while answering", "idle", "all on disk", "index and columns", "binary",
		"append over HTTP, 1 client", "append over HTTP, 8 clients", "append over HTTP, 64 clients", "append over a socket, 64 clients, latency"}
	for _, q := range b.questions() {
		all = append(all, q.name, q.name+", mixed")
	}
	return all
}

func noNote(b *bench, start string) bool {
	for _, n := range b.report.Notes {
		if strings.HasPrefix(n, start) {
			return false
		}
	}
	return true
}

// checkOutput looks at what a person, and compare, get to see.
func checkOutput(t *testing.T, b *bench) {
	var table, compared bytes.Buffer
	if err := b.report.print(&table, true); err != nil {
		t.Fatal(err)
	}
	if want := "| Q1 latest 20 | "; !strings.Contains(table.String(), want) {
		t.Errorf("the table has no row %q:\n%s", want, &table)
	}
	name := filepath.Join(b.dir, "bench.json")
	if err := save(name, &b.report); err != nil {
		t.Fatal(err)
	}
	if err := compare([]string{name, name}, &compared); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(compared.String(), " 1.00 "); got < 40 {
		t.Errorf("compare of a run with itself has %d rows of 1.00, want 40 or more:\n%s", got, &compared)
	}
}

func TestDifference(t *testing.T) {
	for _, tt := range []struct {
		name      string
		got, want []string
		text      string
	}{
		{"the same rows", []string{"a", "b"}, []string{"a", "b"}, ""},
		{"none of none", nil, []string{}, ""},
		{"a row too few", []string{"a"}, []string{"a", "b"}, "1 rows, the records have 2"},
		{"rows in another order", []string{"b", "a"}, []string{"a", "b"}, `row 1 is "b", the records have "a"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := difference(tt.got, tt.want); got != tt.text {
				t.Errorf("difference(%q, %q) = %q, want %q", tt.got, tt.want, got, tt.text)
			}
		})
	}
}

func TestTargets(t *testing.T) {
	for _, tt := range []struct {
		name string
		give func(*figure)
		own  cell
		peer *cell
		want string
	}{
		{"three times the floor is met", func(f *figure) { f.timesFloor(3) }, cell{Value: 0.6, Floor: 0.2}, nil, "yes"},
		{"more than three times is not", func(f *figure) { f.timesFloor(3) }, cell{Value: 0.7, Floor: 0.2}, nil, "no"},
		{"five milliseconds over the floor are met", func(f *figure) { f.overFloor(5) }, cell{Value: 5.1, Floor: 0.2}, nil, "yes"},
		{"a fifth of a peer is met", func(f *figure) { f.atMostOf(victoria, 0.2) }, cell{Value: 2}, &cell{Value: 10}, "yes"},
		{"a quarter of a peer is not", func(f *figure) { f.atMostOf(victoria, 0.2) }, cell{Value: 2.5}, &cell{Value: 10}, "no"},
		{"without the peer nobody knows", func(f *figure) { f.atMostOf(victoria, 0.2) }, cell{Value: 2.5}, nil, ""},
		{"a throughput is met from below", func(f *figure) { f.atLeast(100) }, cell{Value: 99}, nil, "no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r report
			f := r.set("answers", tt.name, "ms", shiplog, &tt.own)
			if tt.peer != nil {
				r.set("answers", tt.name, "ms", victoria, tt.peer)
			}
			tt.give(f)
			if r.judge(); f.Met != tt.want {
				t.Errorf("met = %q, want %q", f.Met, tt.want)
			}
		})
	}
}
