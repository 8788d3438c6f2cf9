package index

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"shiplog/format"
)

// What is left after segments were removed is answered as a scan of it is, by an index that was open and by a new one,
// and nothing is held of what is gone.
func TestAnswersAfterSegmentsWereRemoved(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	dir, w := newLog(t, r, 2400, 100<<10)
	own := filepath.Join(dir, "index")
	x, bare := openIndex(t, dir, Options{Dir: own}), openIndex(t, dir, Options{})
	buildAll(t, x)
	for files := segmentFiles(t, dir); len(files) > 2; files = segmentFiles(t, dir) {
		before := readAll(t, dir)
		for range 5 {
			compare(t, x, randomQuery(r, before), before)
			compare(t, bare, randomQuery(r, before), before)
		}
		gone := make([]*segment, 0, 2)
		for i := range min(2, len(files)-2) {
			gone = append(gone, x.segs[i])
			if err := os.Remove(files[i]); err != nil {
				t.Fatal(err)
			}
		}
		after := readAll(t, dir)
		for _, x := range []*Index{x, bare, openIndex(t, dir, Options{Dir: own, ReadOnly: true})} {
			for range 24 / min(fewer, 2) {
				compare(t, x, randomQuery(r, after), after)
			}
			q := Query{After: before[10].Seq, Ascending: true, Limit: 5} // a place that is gone
			compare(t, x, q, after)
			q = Query{Before: before[10].Seq, Limit: 5}
			if p, err := x.Search(t.Context(), q); err != nil || len(p.Hits) != 0 || p.More {
				t.Errorf("Search() before a record that is gone = %d records, more %v, %v, want none", len(p.Hits), p.More, err)
			}
			if seq, _, err := x.First(t.Context()); err != nil || seq != after[0].Seq {
				t.Errorf("First() = %d, %v, want %d", seq, err, after[0].Seq)
			}
		}
		for _, s := range gone {
			s.mu.Lock()
			if s.disk != nil || s.cols != nil {
				t.Errorf("of segment %s, which is gone, columns are held", s.Name)
			}
			s.mu.Unlock()
		}
		if err := Forget(dir, own); err != nil {
			t.Fatal(err)
		}
		if ents, err := os.ReadDir(own); err != nil || len(ents) > len(segmentFiles(t, dir)) {
			t.Errorf("%d indexes are left for %d segments, %v", len(ents), len(segmentFiles(t, dir)), err)
		}
	}
	fill(t, w, r, 2400, 50)
	last := readAll(t, dir)
	compare(t, x, Query{}, last)
}

// Whoever goes through all records, oldest first, while the oldest are removed is told so, and gets no hole.
func TestEachOverRemovedSegments(t *testing.T) {
	for _, tt := range []struct {
		name    string
		indexed bool
		q       Query
	}{
		{"with an index on disk", true, Query{}},
		{"without one", false, Query{}},
		{"by bytes of files without one", false, Query{Actions: []string{"container.start", "image.pull"}}},
	} {
		t.Run(tt.name, func(t *testing.T) { testEachOverRemoved(t, tt.indexed, tt.q) })
	}
}

func testEachOverRemoved(t *testing.T, indexed bool, q Query) {
	r := rand.New(rand.NewPCG(23, 24))
	dir, _ := newLog(t, r, 1500, 60<<10)
	o := Options{}
	if indexed {
		o.Dir = filepath.Join(dir, "index")
	}
	x := openIndex(t, dir, o)
	if indexed {
		buildAll(t, x)
	}
	last, given, err := uint64(0), 0, error(nil)
	q.Ascending = true
	for f, e := range x.Each(t.Context(), q) {
		if e != nil {
			err = e
			break
		}
		if q.Actions == nil && f.Seq != last+1 || f.Seq <= last {
			t.Fatalf("Each() gives record %d after %d", f.Seq, last)
		}
		last = f.Seq
		if given++; given == 3 {
			for _, file := range segmentFiles(t, dir)[:3] {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if !errors.Is(err, format.ErrPruned) || given < 3 {
		t.Errorf("Each() ended after record %d with %v, want ErrPruned", last, err)
	}
	for _, e := range x.Each(t.Context(), Query{Ascending: true}) {
		if e != nil {
			t.Fatalf("Each() of what is left: %v", e)
		}
	}
}

// Queries of all kinds run while segments come and go and their indexes are built and dropped. Each answer is in
// order and without a hole, but at the end where the oldest records go.
func TestQueriesWhileSegmentsGo(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	dir, w := newLog(t, r, 600, 40<<10)
	x := openIndex(t, dir, Options{Dir: filepath.Join(dir, "index")})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = x.Run(ctx) })
	ask := func(q Query) {
		for ctx.Err() == nil {
			p, err := x.Search(ctx, q)
			if err != nil {
				if ctx.Err() == nil && !errors.Is(err, ErrMoving) && !errors.Is(err, format.ErrPruned) {
					t.Errorf("Search(%+v) = %v", q, err)
				}
				continue
			}
			for i := range p.Hits[:max(len(p.Hits)-1, 0)] {
				a, b := p.Hits[i].Seq, p.Hits[i+1].Seq
				if q.Ascending {
					a, b = b, a
				}
				if !q.ByTime && (q.Text == "" && a != b+1 || a <= b) {
					t.Errorf("Search(%+v) gives record %d next to %d", q, a, b)
					return
				}
			}
		}
	}
	for _, q := range []Query{{}, {Limit: 700}, {Ascending: true}, {Limit: 50, Offset: 300, ByTime: true}, {Text: "container", Limit: 30}} {
		wg.Go(func() { ask(q) })
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			if _, err := x.Count(ctx, Query{Text: "e"}); err != nil && ctx.Err() == nil {
				t.Errorf("Count() = %v", err)
			}
		}
	})
	removed := 0
	for begun, i := time.Now(), 600; time.Since(begun) < 3*time.Second; i += 60 {
		fill(t, w, r, i, 60)
		for files := segmentFiles(t, dir); len(files) > 8; files = files[1:] {
			if err := os.Remove(files[0]); err != nil {
				t.Fatal(err)
			}
			removed++
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	wg.Wait()
	if removed == 0 {
		t.Error("no segment was removed")
	}
}
