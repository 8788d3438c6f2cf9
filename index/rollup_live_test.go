package index

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// While a segment grows its rollup counts on from where it was.
func TestLiveRollupAgreesWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(85, 86))
	dir, w := newLog(t, r, 0, 0)
	fillAlike(t, w, r, 600)
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	answered := 0
	for round := range 30 {
		fillAlike(t, w, r, 1+r.IntN(60))
		lines := readAll(t, dir)
		for range 12 / fewer {
			compare(t, x, alikeQuery(r, len(lines)), lines)
		}
		if live := x.snap.views[1].cols.live; live.counter.upto > 0 {
			answered++
		}
		if round == 15 {
			x.rest(x.snap)
		}
	}
	if answered == 0 {
		t.Error("the rollup of the segment that grows was asked by no query")
	}
}

// Beyond its bounds the segment that grows is answered by its columns.
func TestLiveRollupIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(87, 88))
	dir, w := newLog(t, r, 0, 0)
	fillAlike(t, w, r, 300)
	x := openIndex(t, dir, Options{})
	x.lively = 5
	q := Query{User: "bob", Facets: func(f *Facets) bool { return f.NS == "team" }}
	for range 2 {
		if n, err := x.Count(t.Context(), q); err != nil || n != len(scan(q, readAll(t, dir))) {
			t.Errorf("Count = %d, %v, want %d", n, err, len(scan(q, readAll(t, dir))))
		}
		if live := x.snap.views[0].cols.live; !live.off || live.counter.rows != nil {
			t.Errorf("a rollup of %d rows is kept where 5 are allowed, want none", len(live.counter.rows))
		}
	}
}

// Queries of different moments share one rollup.
func TestLiveRollupOfManyAtOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(89, 90))
	dir, w := newLog(t, r, 0, 0)
	fillAlike(t, w, r, 400)
	x := openIndex(t, dir, Options{})
	const clients, rounds = 4, 40
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			last := 0
			for range rounds {
				n, err := x.Count(t.Context(), Query{Facets: func(*Facets) bool { return true }})
				if err != nil || n < last {
					t.Errorf("Count = %d, %v after %d, want no fewer", n, err, last)
				}
				last = n
			}
		})
	}
	for range 20 {
		fillAlike(t, w, r, 5)
	}
	all.Wait()
}
