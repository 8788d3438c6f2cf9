package index

import (
	"container/heap"
	"math"
	"slices"

	"shiplog/format"
)

func placeOf(f *format.Fields) Place { return Place{f.Time, f.Seq} }

// turned is the place on a scale on which later ones come first, and back again. What looks for places works on
// the scale on which the page begins with the lowest.
func (p Place) turned() Place { return Place{^p.Time, ^p.Seq} }

// sight is what a run that looks only for places does with the records that match.
type sight struct {
	turn   bool        // newest first: places and times are turned
	lo, hi int64       // other times need not be looked at; may narrow while the run goes on
	take   func(Place) // takes each place, once
	places []Place     // reused: of one block
}

// times are the times that are looked at, as they stand in columns.
func (s *sight) times() (lo, hi int64) {
	if s.turn {
		return ^s.hi, ^s.lo
	}
	return s.lo, s.hi
}

// real is a place that take was given as it is in the log.
func (s *sight) real(p Place) Place {
	if s.turn {
		return p.turned()
	}
	return p
}

// see takes the place of one record.
func (s *sight) see(p Place) {
	p = s.real(p) // the other way round it is the same
	if s.lo <= p.Time && p.Time <= s.hi {
		s.take(p)
	}
}

// see takes the places of the rows of block b that were selected, which the columns decide, and moves the query
// behind the block: they are not taken twice.
func (r *run) see(p *plan, b int, sel *selection) error {
	s, base := r.sight, b*blockRecords
	s.places = s.places[:0]
	var lowest, highest uint64
	err := guard(func() error {
		for i := range min(p.c.rows-base, blockRecords) {
			if sel[i>>6]>>(i&63)&1 != 0 {
				s.places = append(s.places, Place{p.c.times[base+i], p.c.seq(base + i)})
			}
		}
		lowest, highest = p.c.seq(max(base, p.from)), p.c.seq(min(base+blockRecords, p.to)-1)
		return nil
	})
	if err != nil {
		return err
	}
	if r.q.Ascending {
		r.q.After = highest
	} else {
		r.q.Before = lowest
		slices.Reverse(s.places)
	}
	for _, place := range s.places {
		s.see(place)
	}
	return nil
}

// seeParts shows s the matches of all parts that reach into its times, in their order. When the purse is empty
// before that, and what was done is worth it, the frontier tells where nothing is missed yet; else it is noPlace.
func (r *run) seeParts(parts []part, s *sight) (frontier Place, err error) {
	r.sight, r.buf = s, r.x.takeBuffer()
	defer func() { r.x.giveBuffer(r.buf) }()
	for i := range parts {
		if parts[i].hi < s.lo || parts[i].lo > s.hi {
			continue
		}
		after, before := r.q.After, r.q.Before
		frontier, err := r.seePart(parts[i:])
		r.q.After, r.q.Before = after, before
		if err != nil || frontier != noPlace {
			return frontier, err
		}
	}
	return noPlace, nil
}

// seePart does so with the first of parts; the others are those that come after it.
func (r *run) seePart(parts []part) (frontier Place, err error) {
	emit := func(f *format.Fields) bool {
		r.sight.see(placeOf(f))
		return true
	}
	for whole := false; !whole; {
		r.spent = false
		if _, err := r.visit(parts[0].view, emit); err != nil {
			return noPlace, err
		}
		whole, frontier = !r.spent, noPlace
		if err := r.breathe(); err != nil {
			return noPlace, err
		}
		if whole && !r.purse.empty() {
			break
		}
		if !whole {
			frontier = r.ahead
		}
		if next := parts[1:]; len(next) > 0 && next[0].lo <= frontier.Time {
			frontier = Place{next[0].lo, 0}
		}
		if frontier == noPlace || r.worth(frontier) {
			return frontier, nil
		}
		r.purse.fill() // it goes over the budget: else the next call would do nearly all of it again
	}
	return noPlace, nil
}

// best keeps the lowest places that it sees, the highest of them on top.
type best struct {
	sight
	want int
	heap []Place
}

func newBest(ascending bool, want int) *best {
	b := &best{want: want, sight: sight{turn: !ascending, lo: math.MinInt64, hi: math.MaxInt64}}
	b.take = b.offer
	return b
}

func (b *best) Len() int           { return len(b.heap) }
func (b *best) Swap(i, j int)      { b.heap[i], b.heap[j] = b.heap[j], b.heap[i] }
func (b *best) Less(i, j int) bool { return b.heap[j].before(b.heap[i]) }
func (b *best) Push(any)           {} // never called: the heap is filled at once
func (b *best) Pop() any           { return nil }

// offer keeps p if it is among the best. From then on only times that can still be among them are looked at.
func (b *best) offer(p Place) {
	switch {
	case len(b.heap) < b.want:
		if b.heap = append(b.heap, p); len(b.heap) < b.want {
			return
		}
		heap.Init(b)
	case p.before(b.heap[0]):
		b.heap[0] = p
		heap.Fix(b, 0)
	}
	b.hi = b.heap[0].Time
}

// sorted takes the places out, as they are in the log, in the order of the page.
func (b *best) sorted() []Place {
	slices.SortFunc(b.heap, comparePlaces)
	for i, p := range b.heap {
		b.heap[i] = b.real(p)
	}
	return b.heap
}

func comparePlaces(p, o Place) int {
	switch {
	case p.before(o):
		return -1
	case o.before(p):
		return 1
	}
	return 0
}
