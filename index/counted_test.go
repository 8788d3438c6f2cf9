package index

import (
	"math/rand/v2"
	"testing"
)

// What is appended between the count and the page is in neither.
func TestSearchCountedIsOfOneMoment(t *testing.T) {
	r := rand.New(rand.NewPCG(97, 98))
	dir, w := newLog(t, r, 0, 0)
	fillAlike(t, w, r, 40)
	x := openIndex(t, dir, Options{})
	asked := 0
	q := Query{ByTime: true, Limit: 1000, Facets: func(*Facets) bool {
		if asked++; asked == 1 {
			fillAlike(t, w, r, 3)
		}
		return true
	}}
	for _, want := range []int{40, 43} {
		page, total, err := x.SearchCounted(t.Context(), q)
		if err != nil || total != want || len(page.Hits) != want {
			t.Errorf("SearchCounted(%s) = %d of %d, %v, want %d of %d", q, len(page.Hits), total, err, want, want)
		}
	}
}

// One of the two runs asks of each combination of facets, the other knows.
func TestSearchCountedAsksOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(99, 100))
	dir, w := newLog(t, r, 0, 0)
	fillAlike(t, w, r, 2000)
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	asked := make(map[Facets]int)
	q := Query{ByTime: true, Limit: 10, Facets: func(f *Facets) bool { asked[*f]++; return f.NS == "team" }}
	if _, _, err := x.SearchCounted(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	for f, n := range asked {
		if n > 2 { // by the columns, and by the lines that are read for the page
			t.Errorf("SearchCounted asked %d times of %+v, want twice at most", n, f)
		}
	}
}
