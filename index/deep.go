package index

import (
	"cmp"
	"context"
	"errors"
	"math"
	"os"
	"slices"
)

// maxHeld is how many places, of 16 bytes, are held at a time: what lies deeper is counted, not held.
const maxHeld = 8 << 10

// part is one segment as a search in the order of time sees it.
type part struct {
	view   *view
	lo, hi int64 // its times; turned when the newest come first
	n      int   // matches in it, once counted
}

// span is the time that the records of a segment take up.
type span struct {
	known    bool
	min, max int64 // Unix ns; max < min: there is no record
}

func (c *columns) span() span {
	if c.rows == 0 {
		return span{true, 0, -1}
	}
	return span{true, c.minTime, c.maxTime}
}

// spanOf returns the span of v, looking at the segment only when that is not known yet; an empty one when
// nothing of it can match q.
func (x *Index) spanOf(ctx context.Context, v *view, q *Query) (span, error) {
	if v.cols != nil {
		return v.cols.span(), nil
	}
	v.seg.mu.Lock()
	s := v.seg.span
	if !s.known && v.seg.thin != nil {
		s = v.seg.thin.span()
	}
	v.seg.mu.Unlock()
	if s.known {
		return s, nil
	}
	if d := x.diskOf(v.seg, v.id); d != nil {
		defer d.release()
		return d.head.span(), nil
	}
	without, err := x.withoutActions(v, q.Actions)
	if without {
		return span{true, 0, -1}, err
	}
	var t *table
	if err == nil {
		t, err = x.open(ctx, v)
	}
	if errors.Is(err, os.ErrNotExist) {
		return span{true, 0, -1}, nil // pruned since
	}
	if err != nil {
		return s, err
	}
	defer t.release()
	s = t.cols.span()
	v.seg.mu.Lock()
	v.seg.span = s
	v.seg.mu.Unlock()
	return s, nil
}

// parts lists the segments that q can find something in, the nearest to the beginning of its order first.
func (x *Index) parts(ctx context.Context, snap *snapshot, q *Query) ([]part, error) {
	parts := make([]part, 0, len(snap.views))
	m := newMatcher(q)
	for i := range snap.views {
		v := &snap.views[i]
		if !q.Ascending {
			v = &snap.views[len(snap.views)-1-i]
		}
		if q.None || q.passes(v) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, err := x.spanOf(ctx, v, q)
		if err != nil {
			return nil, err
		}
		if s.max < s.min || s.max < m.from || s.min >= m.to && !(m.toIncl && s.min == m.to) || q.Past.Seq != 0 && q.isBehind(s) {
			continue
		}
		p := part{view: v, lo: s.min, hi: s.max}
		if !q.Ascending {
			p.lo, p.hi = ^s.max, ^s.min
		}
		parts = append(parts, p)
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.lo, b.lo) })
	return parts, nil
}

// isBehind tells whether all of a span lies before the place where the page begins.
func (q *Query) isBehind(s span) bool {
	if q.Ascending {
		return s.max < q.Past.Time
	}
	return s.min > q.Past.Time
}

// placeAt finds the place of the record that comes after rank others, by counting; ok is false when no record
// comes after it: then a page that begins behind it is empty.
func (x *Index) placeAt(ctx context.Context, q Query, parts []part, rank int) (place Place, ok bool, err error) {
	parts, err = x.countParts(ctx, q, parts)
	if err != nil {
		return place, false, err
	}
	total := 0
	for i := range parts {
		total += parts[i].n
	}
	if rank+1 >= total {
		return place, false, nil
	}
	d := &descent{x: x, ctx: ctx, q: q, parts: parts, rank: rank, from: math.MinInt64}
	d.bracket()
	for d.near = math.MaxInt; d.near > x.held; {
		if err := d.narrow(); err != nil || d.near == 0 {
			return place, false, err
		}
		if d.hi == d.lo {
			return d.pickBySeq()
		}
	}
	return d.pick()
}

// countParts counts the matches in each part and leaves out those without.
func (x *Index) countParts(ctx context.Context, q Query, parts []part) ([]part, error) {
	r := x.newRun(ctx, q)
	r.buf = x.takeBuffer()
	defer func() { x.giveBuffer(r.buf) }()
	counted := make([]part, 0, len(parts))
	for _, p := range parts {
		before := r.matches
		if _, err := r.visit(p.view, nil); err != nil {
			return nil, err
		}
		if p.n = r.matches - before; p.n > 0 {
			counted = append(counted, p)
		}
	}
	return counted, nil
}

// descent closes in on one place, between two times.
type descent struct {
	x      *Index
	ctx    context.Context
	q      Query
	parts  []part // sorted by lo
	lo, hi int64  // the place lies in these times
	from   int64  // matches from here on are counted in rank
	rank   int    // so many of them come before it
	near   int    // matches in these times; 0: it is no longer there, for segments went meanwhile
}

// bracket finds times between which the place must lie, from what is known of whole segments.
func (d *descent) bracket() {
	n := 0
	for i := range d.parts { // what comes before a part's beginning is in parts before it
		if d.lo = d.parts[i].lo; n+d.parts[i].n > d.rank {
			break
		}
		n += d.parts[i].n
	}
	ends := slices.SortedFunc(slices.Values(d.parts), func(a, b part) int { return cmp.Compare(a.hi, b.hi) })
	n = 0
	for i := range ends {
		if n += ends[i].n; n > d.rank {
			d.hi = ends[i].hi
			break
		}
	}
	d.parts = slices.DeleteFunc(d.parts, func(p part) bool {
		if p.hi < d.lo {
			d.rank -= p.n
		}
		return p.hi < d.lo || p.lo > d.hi
	})
}

// descentSteps is into how many stretches of time the matches are counted at once.
const descentSteps = 4096

// narrow counts the matches in stretches of time and goes on to the one that holds the place.
func (d *descent) narrow() error {
	lo, width := d.lo, (uint64(d.hi)-uint64(d.lo))/descentSteps+1
	counts := make([]int, descentSteps)
	s := &sight{lo: d.from, hi: d.hi, take: func(p Place) {
		if p.Time < lo {
			d.rank--
			return
		}
		counts[(uint64(p.Time)-uint64(lo))/width]++
	}}
	if err := d.look(s); err != nil {
		return err
	}
	d.near = 0
	for i, n := range counts {
		if d.rank >= 0 && d.rank < n {
			d.near, d.lo = n, int64(uint64(lo)+uint64(i)*width)
			break
		}
		d.rank -= n
	}
	if uint64(d.hi)-uint64(d.lo) >= width {
		d.hi = int64(uint64(d.lo) + width - 1)
	}
	d.from = d.lo
	d.parts = slices.DeleteFunc(d.parts, func(p part) bool { return p.hi < d.lo || p.lo > d.hi })
	return nil
}

// look shows s what matches.
func (d *descent) look(s *sight) error {
	s.turn = !d.q.Ascending
	_, err := d.x.newRun(d.ctx, d.q).seeParts(d.parts, s)
	return err
}

// pick holds all places between the times and takes the one.
func (d *descent) pick() (place Place, ok bool, err error) {
	places := make([]Place, 0, d.near)
	s := &sight{lo: d.lo, hi: d.hi, take: func(p Place) { places = append(places, p) }}
	if err := d.look(s); err != nil || d.rank >= len(places) {
		return place, false, err
	}
	slices.SortFunc(places, comparePlaces)
	return s.real(places[d.rank]), true, nil
}

// pickBySeq takes the place among those of one time, however many they are.
func (d *descent) pickBySeq() (place Place, ok bool, err error) {
	slices.SortFunc(d.parts, func(a, b part) int {
		if !d.q.Ascending {
			a, b = b, a
		}
		return cmp.Compare(a.view.after, b.view.after)
	})
	s := &sight{lo: d.lo, hi: d.hi}
	s.take = func(p Place) {
		if d.rank == 0 {
			place, ok = s.real(p), true
		}
		d.rank--
	}
	err = d.look(s)
	return place, ok && err == nil, err
}
