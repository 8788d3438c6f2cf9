package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"shiplog/format"
)

// opened counts the sealed segments whose index is open, and those whose columns are.
func opened(x *Index) (heads, cols int) {
	for _, s := range x.segs {
		if s.disk == nil {
			continue
		}
		if heads++; s.disk.checked() != nil {
			cols++
		}
	}
	return heads, cols
}

// TestHeadsAnswerWithoutColumns asks what needs no rows of a log that nobody has asked yet.
func TestHeadsAnswerWithoutColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(81, 82))
	dir, w := newLog(t, r, 0, 0)
	plain := func(n int) {
		for i := range n {
			if err := w.Write(&format.Record{Stream: format.StreamLog, Level: format.LevelInfo, Category: []string{"container", "image"}[i%2],
				Action: "image.pull", Msg: fmt.Sprintf("record %d", i), Actor: format.Actor{Name: "admin"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 4 {
		plain(1500)
		if _, err := w.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	plain(10)
	buildAll(t, openIndex(t, dir, Options{Dir: dir + "/index"}))
	ctx := t.Context()
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	snap, err := x.look()
	if err != nil {
		t.Fatal(err)
	}
	x.openAhead(ctx, snap)
	for _, row := range []struct {
		name string
		ask  func() error
		cols int
	}{
		{"the numbers of the newest and the oldest record", func() error {
			_, _, err := x.Last(ctx)
			if err == nil {
				_, _, err = x.First(ctx)
			}
			return err
		}, 0},
		{"the newest records", func() error { _, err := x.Search(ctx, Query{Limit: 5}); return err }, 0},
		{"a count by category and user", func() error { return count(ctx, x, Query{Categories: []string{"container"}, User: "admin"}) }, 0},
		{"an action that no record has", func() error { return count(ctx, x, Query{Actions: []string{"log.clear"}}) }, 0},
		{"a text that no record holds", func() error { return count(ctx, x, Query{Text: "qqxxzzyy"}) }, 0},
		{"a page that begins in the oldest segment", func() error {
			_, err := x.Search(ctx, Query{Offset: 5000, Limit: 5})
			return err
		}, 1},
		{"a count of an action that all segments have", func() error { return count(ctx, x, Query{Actions: []string{"image.pull"}}) }, 4},
	} {
		if err := row.ask(); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if heads, cols := opened(x); heads != 4 || cols != row.cols {
			t.Errorf("after %s: %d indexes open, %d with columns, want 4 and %d", row.name, heads, cols, row.cols)
		}
	}
}

func count(ctx context.Context, x *Index, q Query) error {
	_, err := x.Count(ctx, q)
	return err
}

// TestColumnsDamagedBehindTheHead changes a byte of the rows of each segment: it shows when rows are needed, not before.
func TestColumnsDamagedBehindTheHead(t *testing.T) {
	r := rand.New(rand.NewPCG(83, 84))
	dir, _ := newLog(t, r, 3000, 150<<10)
	lines := readAll(t, dir)
	buildAll(t, openIndex(t, dir, Options{Dir: dir + "/index"}))
	files, err := filepath.Glob(dir + "/index/*/" + columnsFile)
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files of columns, %v, want several", len(files), err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)-9] ^= 1
		if err := os.WriteFile(name, b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	compare(t, x, Query{Levels: []format.Level{format.LevelError}, User: "nobody"}, lines)
	if s := x.Stats(); s.SetAside != 0 {
		t.Errorf("%d indexes set aside before rows were needed, want none", s.SetAside)
	}
	for range 40 {
		compare(t, x, randomQuery(r, lines), lines)
	}
	if s := x.Stats(); s.SetAside != int64(len(files)) {
		t.Errorf("%d indexes set aside, want all %d", s.SetAside, len(files))
	}
}
