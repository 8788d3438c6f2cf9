package index

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"

	"shiplog/format"
)

// errStale says that columns do not fit the lines they were made of.
var errStale = errors.New("index does not match its segment")

// run is one query being answered, by one goroutine.
type run struct {
	x   *Index
	ctx context.Context
	q   Query // our own copy; After or Before moves along behind what was given out, so that a segment can be taken up again
	m   *matcher

	asked  *facetsAsked // with rollups
	own    facetsAsked  // asked, when nobody asked before
	find   *finder
	hashes []uint64 // of the text's 5-grams

	probes int // blocks that are still searched without asking Bleve
	skip   int // matches still to be passed over
	left   int // matches still wanted; -1: all
	given  int // matches given out

	purse   *purse // nil: the run ends when it is done
	fetched int    // bytes of lines read since breathe was last called
	spent   bool   // the purse was empty before the run was done: q is what is left
	ahead   Place  // then, with a sight: no record that is left of that segment comes before it in the order of the page
	tasks   []task // likewise: what was done

	damaged int       // damaged lines in the segments visited
	matches int       // counted, when nothing is emitted
	group   *grouping // nil: only the number counts
	sight   *sight    // nil: lines are given out

	used   *disk               // the index on disk that the segment is answered from; nil: none
	file   *format.SegmentFile // the segment being read; nil: not opened yet
	keep   *arena              // lines are copied there before they are scanned; nil: they need not stay
	buf    []byte
	lines  []lineRef
	rowBuf [blockRecords]int
	rec    format.Fields
}

// lineRef is a line in run.buf.
type lineRef struct {
	seq      uint64
	from, to int
	next     int // behind its newline, or where reading stopped
}

func (x *Index) newRun(ctx context.Context, q Query) *run {
	r := &run{x: x, ctx: ctx, q: q, skip: max(q.Offset, 0), left: -1, asked: q.asked}
	if r.asked == nil {
		r.asked = &r.own
	}
	r.m = newMatcher(&r.q)
	r.q.m = r.m
	if len(r.m.text) > 0 {
		r.find = newFinder(r.m.text)
		r.hashes = gramHashes(r.m.text)
		r.probes = 4 // a text that is common is found in them; 4 blocks cost less than to ask Bleve
	}
	return r
}

// emitter takes one match; false ends the run. nil only counts.
type emitter func(f *format.Fields) bool

// walk visits the segments in order.
func (r *run) walk(snap *snapshot, emit emitter) error {
	views := snap.views
	for i := range views {
		v := &views[i]
		if !r.q.Ascending {
			v = &views[len(views)-1-i]
		}
		if r.q.None || r.q.passes(v) {
			continue
		}
		stop, err := r.visit(v, emit)
		if stop || err != nil {
			return err
		}
		if err := r.breathe(); err != nil {
			return err
		}
		if i+1 < len(views) && r.purse.empty() {
			r.stopAt(v.border(r.q.Ascending))
			return nil
		}
	}
	return nil
}

// passes tells whether v holds no seq that q wants.
func (q *Query) passes(v *view) bool {
	return v.below != 0 && q.After >= v.below-1 || q.Before != 0 && q.Before <= v.after+1
}

// visit answers from one segment. Columns that turn out wrong are made anew from the lines, once, and the
// segment is taken up where it was left.
func (r *run) visit(v *view, emit emitter) (stop bool, err error) {
	for try := 0; ; try++ {
		if err := r.ctx.Err(); err != nil {
			return true, err
		}
		matches, damaged := r.matches, r.damaged
		stop, err = r.segment(v, emit)
		r.closeFile()
		if err != nil { // what was counted of this segment is counted again
			r.matches, r.damaged = matches, damaged
			r.group.discard()
		}
		stale := errors.Is(err, errStale)
		switch {
		case stale && try < 2:
			r.x.distrust(v.seg, r.used, err)
			v = &view{seg: v.seg, after: v.after, below: v.below, id: v.id} // also the newest: its snapshot is what was wrong
			continue
		case !stale && errors.Is(err, os.ErrNotExist):
			if r.q.Ascending && r.given > 0 && r.sight == nil { // what came and what would come has a hole between
				return true, fmt.Errorf("segment %s was %w", v.seg.Name, format.ErrPruned)
			}
			return stop, nil // pruned since: its records are gone
		case err != nil:
			return true, fmt.Errorf("search segment %s: %w", v.seg.Name, err)
		}
		return stop, nil
	}
}

func (r *run) segment(v *view, emit emitter) (stop bool, err error) {
	r.used = nil
	if r.fromThin(v, emit) {
		return false, r.group.keep()
	}
	if without, err := r.x.withoutActions(v, r.q.Actions); without || err != nil {
		return false, err
	}
	t, err := r.x.begin(r.ctx, v)
	if err != nil {
		return false, err
	}
	defer t.release()
	r.used = t.disk
	done, err := r.fromHead(v, t, emit)
	if !done && err == nil {
		err = t.need()
	}
	if !done && err == nil {
		stop, err = r.table(v, t, emit)
	}
	if err == nil {
		err = r.group.keep() // while t is held: the values may lie in a mapped file
	}
	return stop, err
}

// table answers from the columns of one segment.
func (r *run) table(v *view, t *table, emit emitter) (stop bool, err error) {
	var p *plan
	err = guard(func() error {
		r.damaged += t.cols.damaged
		if from, to := v.rows(t.cols); from > 0 || to < t.cols.rows {
			r.x.strays.Store(true)
			return errStray
		}
		if r.fromRollup(v, t, emit) {
			return nil
		}
		r.m.wanted = r.wantedFacets(t)
		p = newPlan(&r.q, r.m, t.cols, v.after, v.below)
		r.m.wanted = nil
		r.group.begin(p)
		if p != nil {
			p.sight = r.sight
		}
		if p != nil && p.counted != nil && r.fromCube(p, emit) {
			p = nil
		}
		return nil
	})
	if p == nil || err != nil {
		return false, err
	}
	blocks, asked := p.only, p.only != nil
	var n need
	if !asked {
		if n, err = r.gate(t); err != nil || n.none {
			return false, err
		}
	}
	first, last := p.from/blockRecords, (p.to-1)/blockRecords
	for i := 0; i <= last-first; i++ {
		if !asked && !r.probe(t) {
			if blocks, err = r.candidates(t, n); err != nil {
				return false, err
			}
			asked = true
		}
		b := first + i
		if !r.q.Ascending {
			b = last - i
		}
		if blocks != nil && !blocks.has(b) {
			continue
		}
		if stop, err := r.block(v.seg, p, b, emit); stop || err != nil {
			return stop, err
		}
		if stop, err := r.pause(p, p.last(b, r.q.Ascending)); stop || err != nil {
			return stop, err
		}
	}
	return false, nil
}

// last is the row of block b that a run comes to last.
func (p *plan) last(b int, ascending bool) int {
	if ascending {
		return min((b+1)*blockRecords, p.to) - 1
	}
	return max(b*blockRecords, p.from)
}

// block answers from one block.
func (r *run) block(s *segment, p *plan, b int, emit emitter) (stop bool, err error) {
	var sel selection
	some := false
	err = guard(func() error { some = p.block(b, &sel); return nil })
	if !some || err != nil {
		return false, err
	}
	if p.exact && r.sight != nil {
		return false, r.see(p, b, &sel)
	}
	if p.exact && emit == nil {
		r.matches += sel.count()
		return false, r.group.rows(b, &sel)
	}
	before, skip := r.q, r.skip
	if p.exact {
		r.trim(&sel)
	}
	base := b * blockRecords
	rows := r.rowBuf[:0]
	for k, w := range sel {
		for ; w != 0; w &= w - 1 {
			rows = append(rows, base+64*k+bits.TrailingZeros64(w))
		}
	}
	if len(rows) == 0 {
		return false, r.done(p, b, emit)
	}
	stop, err = r.rows(s, p, rows, emit)
	if err != nil && before.After == r.q.After && before.Before == r.q.Before {
		r.skip = skip // nothing was given out: the block is taken up from its beginning
	}
	if stop || err != nil {
		return stop, err
	}
	return false, r.done(p, b, emit)
}

// done moves the query behind block b.
func (r *run) done(p *plan, b int, emit emitter) error {
	if emit == nil {
		return nil
	}
	return guard(func() error {
		r.q.begin(p.c.seq(p.last(b, r.q.Ascending)))
		return nil
	})
}

// trim takes what is to be skipped out of an exact selection.
func (r *run) trim(sel *selection) {
	for k := range sel {
		w := &sel[k]
		if !r.q.Ascending {
			w = &sel[len(sel)-1-k]
		}
		if n := bits.OnesCount64(*w); n <= r.skip {
			r.skip -= n
			*w = 0
		}
		for ; r.skip > 0 && *w != 0; r.skip-- {
			if r.q.Ascending {
				*w &= *w - 1
			} else {
				*w &^= 1 << (bits.Len64(*w) - 1)
			}
		}
		if r.skip == 0 {
			return
		}
	}
}
