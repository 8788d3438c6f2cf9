package index

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"shiplog/format"
)

// When columns turn out wrong half way through a segment, the search goes on where it was: no place is taken twice,
// and none is left out.
func TestPlacesAreTakenOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(81, 82))
	dir, w := newLog(t, r, 4000, 0)
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	fill(t, w, r, 4000, 10)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	for _, q := range []Query{{Ascending: true}, {}, {Ascending: true, Where: func(*format.Fields) bool { return true }}} {
		buildAll(t, x)
		q.ByTime = true
		snap, err := x.look()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Search(t.Context(), Query{ByTime: true, Limit: 1}); err != nil { // the index is open
			t.Fatal(err)
		}
		seen := make(map[uint64]int)
		s := &sight{turn: !q.Ascending, lo: math.MinInt64, hi: math.MaxInt64}
		s.take = func(p Place) {
			if p = s.real(p); len(seen) == 600 && p.Seq <= 4000 {
				if err := os.Truncate(filepath.Join(x.indexDir(x.segs[0]), columnsFile), 0); err != nil {
					t.Error(err)
				}
			}
			seen[p.Seq]++
		}
		parts, err := x.parts(t.Context(), snap, &q)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.newRun(t.Context(), q).seeParts(parts, s); err != nil {
			t.Fatal(err)
		}
		for seq := uint64(1); seq <= 4010; seq++ {
			if seen[seq] != 1 {
				t.Fatalf("ascending=%v where=%v: record %d was taken %d times, want once", q.Ascending, q.Where != nil, seq, seen[seq])
			}
		}
	}
	if s := x.Stats(); s.SetAside != 3 {
		t.Errorf("%d indexes set aside, want 3", s.SetAside)
	}
}
