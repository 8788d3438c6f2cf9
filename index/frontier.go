package index

import (
	"context"
	"math"
	"slices"
)

// A search in the order of time looks at segments and blocks in the order of seq. When its budget is used up it has
// found places here and there; those before the frontier, the first place at which a record that was not looked at
// may stand, are sure. The next call begins there: what lies behind the frontier is looked at twice.

// noPlace comes after all others.
var noPlace = Place{math.MaxInt64, math.MaxUint64}

// task is a piece of work of a run with a sight.
type task struct {
	hi   int64 // the latest time of its block, turned when the newest come first
	cost int   // bytes
}

// blockCost is what looking at the columns of a block counts for, in bytes read.
const blockCost = 4 << 10

// task is what was done last: the rows up to row, of one block.
func (r *run) task(p *plan, row int) task {
	base := row / blockRecords * blockRecords
	times := p.c.times[base:min(base+blockRecords, p.c.rows)]
	hi := slices.Max(times)
	if r.sight.turn {
		hi = ^slices.Min(times)
	}
	return task{hi, r.fetched + blockCost}
}

// lowestBehind is the first place, in the order of the page, of the rows that the run comes to after row; noPlace
// when there is none.
func (r *run) lowestBehind(p *plan, row int) Place {
	from, to := p.from, row
	if r.q.Ascending {
		from, to = row+1, p.to
	}
	low := noPlace
	for i := from; i < to; i++ {
		t := p.c.times[i]
		if at := r.sight.real(Place{t, 0}); at.Time > low.Time || !r.m.inTime(t) {
			continue
		}
		at := Place{t, p.c.seq(i)}
		if turned := r.sight.real(at); turned.before(low) && r.q.isPast(at) {
			low = turned
		}
	}
	return low
}

// worth tells whether to stop at a frontier, on the scale of the sight: there is something before it, and at most
// half of what was done will be done again.
func (r *run) worth(frontier Place) bool {
	begin, ok := frontier.previous()
	if !ok || r.q.Past.Seq != 0 && !r.sight.real(r.q.Past).before(begin) {
		return false
	}
	all, again := 0, 0
	for _, t := range r.tasks {
		all += t.cost
		if t.hi >= frontier.Time {
			again += t.cost
		}
	}
	return 2*again <= all
}

// previous is a place before p with none between them at which a record can stand; its Seq can be used in
// [Query.Past], turned or not.
func (p Place) previous() (Place, bool) {
	if p.Seq > 1 {
		return Place{p.Time, p.Seq - 1}, true
	}
	return Place{p.Time - 1, math.MaxUint64 - 1}, p.Time > math.MinInt64
}

// upTo takes out the places before the frontier, as they are in the log, in the order of the page.
func (b *best) upTo(frontier Place) []Place {
	b.heap = slices.DeleteFunc(b.heap, func(p Place) bool { return !p.before(frontier) })
	return b.sorted()
}

// readsLines tells whether the columns, whole as they mostly are, do not decide q.
func (q *Query) readsLines() bool { return q.Text != "" || q.Where != nil }

// found is what places found of a page.
type found struct {
	places  []Place // of the page and of one record more
	rest    *Query  // what is left of it; nil: nothing
	damaged int
}

// placesOf finds the places of a page segment by segment. q has no Offset and no Limit.
func (x *Index) placesOf(ctx context.Context, snap *snapshot, q Query, offset, limit int, purse *purse) (f found, err error) {
	parts, err := x.parts(ctx, snap, &q)
	if err != nil {
		return f, err
	}
	for deep := true; deep; {
		deep = offset > 0 && offset+limit > x.held
		switch {
		case deep && purse != nil && q.readsLines():
			var done bool
			if f, done, err = x.skipSome(ctx, &q, parts, &offset, limit, purse); done || err != nil {
				return f, err
			}
		case deep:
			past, ok, err := x.placeAt(ctx, q, parts, offset-1)
			if err != nil || !ok {
				return f, err
			}
			q.Past, offset = past, 0
		}
	}
	return x.see(ctx, q, parts, offset, limit, purse)
}

// skipSome passes over as many matches as may be held. It is done when there are no more or when the purse is empty.
func (x *Index) skipSome(ctx context.Context, q *Query, parts []part, offset *int, limit int, purse *purse) (f found, done bool, err error) {
	n := min(*offset, x.held)
	if f, err = x.see(ctx, *q, parts, 0, n-1, purse); err != nil { // n places
		return f, true, err
	}
	places := f.places
	if f.places = nil; f.rest == nil && len(places) < n {
		return f, true, nil
	}
	*offset -= len(places)
	if f.rest != nil {
		q.Past = f.rest.Past
	} else {
		q.Past = places[n-1]
	}
	if f.rest == nil && !purse.empty() {
		return f, false, nil
	}
	rest := *q
	rest.Offset, rest.Limit, rest.full = *offset, limit, limit == 0
	f.rest = &rest
	return f, true, nil
}

// see finds the places of a page whose offset is not deep.
func (x *Index) see(ctx context.Context, q Query, parts []part, offset, limit int, purse *purse) (f found, err error) {
	r := x.newRun(ctx, q)
	r.purse = purse
	best := newBest(q.Ascending, offset+limit+1)
	frontier, err := r.seeParts(parts, &best.sight)
	if err != nil {
		return found{damaged: r.damaged}, err
	}
	places := best.upTo(frontier)
	skipped := min(offset, len(places))
	f = found{places: places[skipped:], damaged: r.damaged}
	if frontier == noPlace || len(places) == best.want {
		return f, nil
	}
	begin, _ := frontier.previous()
	q.Past = best.real(begin)
	q.Offset, q.Limit = offset-skipped, limit-len(f.places)
	q.full = q.Limit == 0
	f.rest = &q
	return f, nil
}
