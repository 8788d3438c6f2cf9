package index

import (
	"container/heap"
	"context"
	"errors"
	"iter"
	"slices"

	"shiplog/format"
)

var errNoLimit = errors.New("a search in the order of time wants a limit")

// searchByTime answers a page in the order of time. Records mostly come in that order, but an engine may
// report late and an import brings old ones, so the whole log is looked at; as soon as the page is full,
// columns pass over what is too far away in time to come into it.
func (x *Index) searchByTime(ctx context.Context, q Query) (Page, error) {
	var page Page
	if q.Limit <= 0 {
		return page, errNoLimit
	}
	x.count.searches.Add(1)
	snap, err := x.look()
	if err != nil {
		return page, err
	}
	whole := q
	whole.Offset, whole.Limit = 0, 0
	r := x.newRun(ctx, whole)
	best := &pageHeap{ascending: q.Ascending}
	want := max(q.Offset, 0) + q.Limit + 1
	r.buf = x.takeBuffer()
	err = r.answer(snap, func(f *format.Fields) bool {
		best.offer(f, want, r.m)
		return true
	}, nil)
	x.giveBuffer(r.buf)
	page.Damaged = r.damaged
	if err != nil {
		return page, err
	}
	page.Hits = best.sorted()
	page.Hits = page.Hits[min(max(q.Offset, 0), len(page.Hits)):]
	if len(page.Hits) > q.Limit {
		page.Hits, page.More = page.Hits[:q.Limit], true
	}
	return page, nil
}

// eachPage is how many records are held at a time while going through them in the order of time.
const eachPage = 1000

// eachByTime goes through all matches in the order of time, page by page.
func (x *Index) eachByTime(ctx context.Context, q Query) iter.Seq2[*format.Fields, error] {
	return func(yield func(*format.Fields, error) bool) {
		left := q.Limit
		for {
			q.Limit = eachPage
			if left > 0 {
				q.Limit = min(left, eachPage)
			}
			page, err := x.searchByTime(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Hits {
				if !yield(&page.Hits[i].Fields, nil) {
					return
				}
			}
			n := len(page.Hits)
			if left > 0 {
				left -= n
			}
			if !page.More || left == 0 && q.Limit != eachPage {
				return
			}
			q.Offset, q.Past = 0, Place{page.Hits[n-1].Time, page.Hits[n-1].Seq}
		}
	}
}

// pageHeap is the best records so far, the worst of them on top.
type pageHeap struct {
	hits      []Hit
	ascending bool
}

func (h *pageHeap) Len() int      { return len(h.hits) }
func (h *pageHeap) Swap(i, j int) { h.hits[i], h.hits[j] = h.hits[j], h.hits[i] }
func (h *pageHeap) Push(v any)    { h.hits = append(h.hits, v.(Hit)) }
func (h *pageHeap) Less(i, j int) bool {
	a, b := placeOf(&h.hits[i].Fields), placeOf(&h.hits[j].Fields)
	if h.ascending {
		a, b = b, a
	}
	return a.before(b)
}

func (h *pageHeap) Pop() any {
	last := h.hits[len(h.hits)-1]
	h.hits = h.hits[:len(h.hits)-1]
	return last
}

// offer keeps f if it is among the best want records, and tells m from which time on none can be.
func (h *pageHeap) offer(f *format.Fields, want int, m *matcher) {
	if len(h.hits) == want {
		top, p := placeOf(&h.hits[0].Fields), placeOf(f)
		if h.ascending == top.before(p) {
			return
		}
		heap.Pop(h)
	}
	heap.Push(h, Hit{ownFields(f)})
	if len(h.hits) == want {
		if t := h.hits[0].Time; h.ascending {
			m.pageTo = t
		} else {
			m.pageFrom = t
		}
	}
}

func placeOf(f *format.Fields) Place { return Place{f.Time, f.Seq} }

// ownFields is f on a line of its own.
func ownFields(f *format.Fields) (own format.Fields) {
	_ = format.ScanLine(slices.Clone(f.Line), &own) // was scanned before
	return own
}

// sorted takes the records out, best first.
func (h *pageHeap) sorted() []Hit {
	out := make([]Hit, len(h.hits))
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = heap.Pop(h).(Hit)
	}
	return out
}
