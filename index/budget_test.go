package index

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"shiplog/format"
)

// budgets are small enough to be used up again and again.
var budgets = []Budget{{Bytes: 1}, {Time: 1}, {Bytes: 100 << 10}, {Bytes: 1, Time: time.Hour}}

// comparePieces holds what a search gives piece by piece against the whole, of which count match.
func comparePieces(t *testing.T, x *Index, q Query, want []uint64, more bool, count int) {
	t.Helper()
	if q.Budget == (Budget{}) {
		q.Budget = budgets[(len(want)+count)%len(budgets)]
	}
	pages := searchPieces(t, x, q)
	var seqs []uint64
	for _, p := range pages {
		for i := range p.Hits {
			seqs = append(seqs, p.Hits[i].Seq)
		}
	}
	if got := pages[len(pages)-1].More; !slices.Equal(seqs, want) || got != more {
		t.Fatalf("Search(%s) by %+v in %d pieces = %v more=%v, want %v more=%v", q, q.Budget, len(pages), seqs, got, want, more)
	}
}

// maxPieces is more than any answer of a test has.
const maxPieces = 5000

// searchPieces asks for a page and for the rest of it until nothing is left.
func searchPieces(t *testing.T, x *Index, q Query) (pages []Page) {
	t.Helper()
	for rest := &q; rest != nil; {
		page, err := x.Search(context.Background(), *rest)
		if err != nil || len(pages) > maxPieces {
			t.Fatalf("Search(%s), piece %d: %v", rest, len(pages), err)
		}
		pages = append(pages, page)
		rest = page.Rest
	}
	return pages
}

// The times of a log's records, in seconds.
func rising(_ *rand.Rand, i int) int { return i }
func anyhow(r *rand.Rand, _ int) int { return r.IntN(10_000) }
func waves(_ *rand.Rand, i int) int  { return i + 2500*(i/1700%3) }

// newManyBlocks makes a log of several segments of several blocks, for what is searched in pieces.
func newManyBlocks(t *testing.T, second func(r *rand.Rand, i int) int) (dir string, x *Index) {
	t.Helper()
	r := rand.New(rand.NewPCG(71, 72))
	dir = t.TempDir()
	w, err := format.Open(dir, format.Options{SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	recs := make([]*format.Record, 0, 10_000)
	for i := range cap(recs) {
		rec := randomRecord(r, i)
		rec.Time = time.Unix(1_790_000_000+int64(second(r, i)), 0)
		recs = append(recs, rec)
	}
	for batch := range slices.Chunk(recs, 1000) {
		if err := w.Write(batch...); err != nil {
			t.Fatal(err)
		}
	}
	return dir, openIndex(t, dir, Options{})
}

// A budget is kept: each piece reads about as much as it may, whatever the order; and all of them together do not
// read much more than one search without a budget.
func TestBudgetIsKept(t *testing.T) {
	for _, c := range []struct {
		name                string
		byTime, ascending   bool
		second              func(*rand.Rand, int) int
		leastPieces, factor int
	}{
		{"newest first", false, false, rising, 15, 1},
		{"oldest first", false, true, rising, 15, 1},
		{"newest first by time", true, false, rising, 15, 2},
		{"oldest first by time", true, true, rising, 15, 2},
		{"by time, where the times are in no order", true, false, anyhow, 1, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, x := newManyBlocks(t, c.second)
			asked := 0
			q := Query{Where: func(*format.Fields) bool { asked++; return false }, Limit: 10, ByTime: c.byTime, Ascending: c.ascending}
			if _, err := x.Search(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			whole := asked
			asked = 0
			q.Budget = Budget{Bytes: 100 << 10} // one block
			pages := searchPieces(t, x, q)
			t.Logf("%d lines in %d pieces, %d at once", asked, len(pages), whole)
			if len(pages) < c.leastPieces || asked > c.factor*whole+whole/4 {
				t.Errorf("Search by %+v = %d pieces that read %d lines, want at least %d and at most %d times the %d of one search",
					q.Budget, len(pages), asked, c.leastPieces, c.factor, whole)
			}
		})
	}
}

// Pause is called between blocks, and its error, as a context's end, stops a search within one of them.
func TestSearchStopsBetweenBlocks(t *testing.T) {
	_, x := newManyBlocks(t, rising)
	enough := errors.New("enough")
	for _, byTime := range []bool{false, true} {
		asked, pauses := 0, 0
		q := Query{Where: func(*format.Fields) bool { asked++; return false }, Limit: 10, ByTime: byTime}
		q.Pause = func(context.Context) error {
			if pauses++; pauses == 3 {
				return enough
			}
			return nil
		}
		if _, err := x.Search(t.Context(), q); !errors.Is(err, enough) || asked > 4*blockRecords {
			t.Errorf("Search = %v after %d lines, want %v after 3 blocks", err, asked, enough)
		}
		asked, pauses = 0, 0
		ctx, cancel := context.WithCancel(t.Context())
		q.Pause = func(context.Context) error {
			if pauses++; pauses == 3 {
				cancel()
			}
			return nil
		}
		if _, err := x.Search(ctx, q); !errors.Is(err, context.Canceled) || asked > 5*blockRecords {
			t.Errorf("Search = %v after %d lines, want %v after 3 blocks", err, asked, context.Canceled)
		}
	}
}

// In the order of time a piece may only give what comes before all that was not looked at yet, also where the times
// of segments overlap.
func TestPiecesByTimeAgreeWithScan(t *testing.T) {
	dir, x := newManyBlocks(t, waves)
	lines := readAll(t, dir)
	r := rand.New(rand.NewPCG(73, 74))
	for i := range 16 {
		part := uint64(2 + r.IntN(60))
		q := Query{ByTime: true, Ascending: i%2 == 0, Limit: 1 + r.IntN(100)}
		q.Where = func(f *format.Fields) bool { return f.Seq*2654435761%part == 0 }
		if r.IntN(2) == 0 {
			q.Text = words[r.IntN(len(words))]
		}
		all := scan(q, lines)
		if i%4 > 1 {
			q.Offset = r.IntN(len(all) + 1)
		}
		want, more := page(all, q)
		q.Budget = budgets[i/2%len(budgets)]
		comparePieces(t, x, q, want, more, len(all))
	}
}
