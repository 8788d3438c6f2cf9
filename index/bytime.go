package index

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math"
	"slices"

	"shiplog/format"
)

var errNoLimit = errors.New("a search in the order of time wants a limit")

// ErrMoving says that a page could not be read for what happened to the segments meanwhile. The same query may
// be asked again.
var ErrMoving = errors.New("segments changed again and again while records were looked for in them; ask again")

// pageTries is how often a page is looked for anew when its records are not where the columns said.
const pageTries = 3

// searchByTime answers a page in the order of time. Records mostly come in that order, but an engine may report
// late and an import brings old ones. So first the places of the page are found, from columns wherever these
// decide, and only then are its lines read.
func (x *Index) searchByTime(ctx context.Context, q Query) (Page, error) {
	var page Page
	if q.Limit <= 0 && !q.full {
		return page, errNoLimit
	}
	x.count.searches.Add(1)
	defer x.count.ended.Add(1)
	for range pageTries {
		found, err := x.places(ctx, q, newPurse(q.Budget))
		if err != nil {
			return page, err
		}
		places := found.places
		page.Damaged, page.More, page.Rest = found.damaged, len(places) > q.Limit, found.rest
		places = places[:min(len(places), q.Limit)]
		page.Hits, err = x.fetch(ctx, q, places)
		if err != nil || len(page.Hits) == len(places) {
			return page, err
		}
	}
	return page, ErrMoving
}

const (
	eachPage  = 1000 // how many places are looked for at a time while going through all in the order of time
	eachFetch = 100  // how many of their lines are held at a time
)

// eachByTime goes through all matches in the order of time, page by page.
func (x *Index) eachByTime(ctx context.Context, q Query) iter.Seq2[*format.Fields, error] {
	return func(yield func(*format.Fields, error) bool) {
		x.count.searches.Add(1)
		defer x.count.ended.Add(1)
		left, all, tries := q.Limit, q.Limit <= 0, 0
		for all || left > 0 {
			q.Limit = min(eachPage, x.held)
			if !all {
				q.Limit = min(left, q.Limit)
			}
			found, err := x.places(ctx, q, nil)
			if err != nil {
				yield(nil, err)
				return
			}
			places := found.places
			more := len(places) > q.Limit
			given, whole, ok := x.eachPlace(ctx, q, places[:min(len(places), q.Limit)], yield)
			if !ok {
				return
			}
			if given > 0 {
				last := places[given-1]
				q.Offset, q.Past, left = 0, last, left-given
			}
			switch tries++; {
			case whole && !more:
				return
			case whole:
				tries = 0
			case tries == pageTries:
				yield(nil, ErrMoving)
				return
			}
		}
	}
}

// eachPlace gives out the records of places. given is how many of places are done with; whole is false when a
// record was not found, and then the places behind it are still to be done. ok is false when it is over.
func (x *Index) eachPlace(ctx context.Context, q Query, places []Place, yield func(*format.Fields, error) bool) (given int, whole, ok bool) {
	for chunk := range slices.Chunk(places, eachFetch) {
		hits, err := x.fetch(ctx, q, chunk)
		if err != nil {
			yield(nil, err)
			return given, false, false
		}
		for i := range hits {
			if placeOf(&hits[i].Fields) != chunk[i] { // one before it is gone
				return given, false, true
			}
			if !yield(&hits[i].Fields, nil) {
				return given, false, false
			}
			given++
		}
		if len(hits) < len(chunk) {
			return given, false, true
		}
	}
	return given, true, true
}

// places finds the places of a page and of one record more, if there is one. A log whose records lie in files that
// they do not belong to is read to its end whatever the budget is.
func (x *Index) places(ctx context.Context, q Query, purse *purse) (f found, err error) {
	snap, err := x.look()
	if err != nil {
		return f, err
	}
	offset := min(max(q.Offset, 0), math.MaxInt/4)
	q.Limit = min(q.Limit, math.MaxInt/4)
	whole := q
	whole.Offset, whole.Limit, whole.full = 0, 0, false
	if !x.strays.Load() {
		f, err = x.placesOf(ctx, snap, whole, offset, q.Limit, purse)
	}
	if x.strays.Load() && (err == nil || errors.Is(err, errStray)) {
		f = found{}
		f.places, f.damaged, err = x.placesOfLog(ctx, whole, offset+q.Limit+1)
		f.places = f.places[min(offset, len(f.places)):]
	}
	return f, err
}

// placesOfLog does so by reading the log, whose records lie in files that they do not belong to. All places up
// to the end of the page are held, 16 bytes each.
func (x *Index) placesOfLog(ctx context.Context, q Query, want int) ([]Place, int, error) {
	r := x.newRun(ctx, q)
	best := newBest(q.Ascending, want)
	r.sight = &best.sight
	err := r.readLog(func(f *format.Fields) bool {
		best.see(placeOf(f))
		return true
	})
	return best.sorted(), r.damaged, err
}

// fetch returns the records of places, in their order. One that is gone, or is no longer what its columns said,
// is left out.
func (x *Index) fetch(ctx context.Context, q Query, places []Place) ([]Hit, error) {
	if len(places) == 0 {
		return nil, nil
	}
	snap, err := x.look()
	if err != nil {
		return nil, err
	}
	only := slices.SortedFunc(slices.Values(places), func(a, b Place) int { return cmp.Compare(a.Seq, b.Seq) })
	q.Offset, q.Limit, q.Ascending, q.ByTime = 0, 0, true, false // Past is in the places
	q.After, q.Before = max(q.After, only[0].Seq-1), min(q.Before-1, only[len(only)-1].Seq)+1
	r := x.newRun(ctx, q)
	r.m.only, r.left, r.keep, r.buf = only, len(only), new(arena), x.takeBuffer()
	found := make(map[uint64]Hit, len(only))
	var full error
	err = r.answer(snap, func(f *format.Fields) bool {
		if full = q.keep(f); full == nil {
			found[f.Seq] = Hit{*f}
		}
		return full == nil
	}, func() { clear(found) })
	x.giveBuffer(r.buf)
	if err = cmp.Or(err, full); err != nil {
		return nil, err
	}
	hits := make([]Hit, 0, len(places))
	for _, p := range places {
		if h, ok := found[p.Seq]; ok {
			hits = append(hits, h)
		}
	}
	return hits, err
}
