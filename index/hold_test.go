package index

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// However often indexes are closed meanwhile, as when one is set aside or pruned, a search looks only at what
// it holds: nothing is unmapped under it, and no index is taken for a bad one.
func TestSearchHoldsWhatItReads(t *testing.T) {
	r := rand.New(rand.NewPCG(45, 46))
	dir, _ := newLog(t, r, 3000, 250<<10)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			x.mu.Lock()
			segs := x.segs
			x.mu.Unlock()
			for _, s := range segs {
				s.mu.Lock()
				x.closeDisk(s, diskUnknown)
				s.mu.Unlock()
			}
		}
	})
	queries := []Query{{Limit: 600}, {Text: "68a6eb33c3d5"}, {Categories: []string{"container"}, Limit: 3, Offset: 900}}
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		for _, by := range []Field{ByUser, ByAction} {
			if _, err := x.Group(t.Context(), Query{}, by); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := x.Search(t.Context(), queries[r.IntN(len(queries))]); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	if s := x.Stats(); s.SetAside != 0 {
		t.Errorf("%d indexes were taken for bad ones, want none", s.SetAside)
	}
}

// What a search counted by codes has its names before the index that knows them may be closed.
func TestGroupKeepsNamesBeforeItLetsGo(t *testing.T) {
	r := rand.New(rand.NewPCG(47, 48))
	dir, _ := newLog(t, r, 600, 60<<10)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	snap, err := x.look()
	if err != nil {
		t.Fatal(err)
	}
	run := x.newRun(t.Context(), Query{Ascending: true})
	run.group = &grouping{by: ByUser}
	if _, err := run.segment(&snap.views[0], nil); err != nil {
		t.Fatal(err)
	}
	if n := len(run.group.codes) + len(run.group.dense); n != 0 || len(run.group.days) == 0 {
		t.Errorf("after the segment was let go: %d codes without a name, groups of %d days, want none and some", n, len(run.group.days))
	}
}

// Who finds an index bad after another has done so, and a new one is there, leaves the new one alone.
func TestOnlyTheIndexThatWasUsedIsDistrusted(t *testing.T) {
	r := rand.New(rand.NewPCG(49, 50))
	dir, _ := newLog(t, r, 600, 60<<10)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	s := x.segs[0]
	bad := s.disk
	for range 2 { // two searches that used the same
		x.distrust(s, bad, errStale)
		buildAll(t, x)
	}
	if st := x.Stats(); st.SetAside != 1 {
		t.Errorf("%d indexes set aside, want 1", st.SetAside)
	}
}
