package index

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"shiplog/format"
)

// Hit is one record of an answer. Its Line is the answer's own.
type Hit struct{ format.Fields }

// Page is an answer to [Index.Search].
type Page struct {
	Hits    []Hit
	More    bool // further records match beyond Limit
	Damaged int  // lines in the segments visited that are no record; they are never part of an answer

	// Rest asks for what is left of the page when the Budget was used up before it was whole: its hits come behind
	// these, and More, and its own Rest, are then said by its page. nil: the page is whole. Of a segment that was
	// visited in part the damaged lines are counted again.
	Rest *Query
}

// Search returns the records that match, in the order asked for. Every record that was acknowledged before
// the call is seen. The error is ctx's when it ended first; a segment that cannot be read is an error too.
func (x *Index) Search(ctx context.Context, q Query) (Page, error) {
	if q.ByTime {
		return x.searchByTime(ctx, q)
	}
	x.count.searches.Add(1)
	defer x.count.ended.Add(1)
	var page Page
	snap, err := x.look()
	if err != nil {
		return page, err
	}
	r := x.newRun(ctx, q)
	r.purse = newPurse(q.Budget)
	if q.Limit > 0 || q.full {
		r.left = q.Limit + 1
		page.Hits = make([]Hit, 0, min(q.Limit, 64))
	}
	r.keep = new(arena)
	r.buf = x.takeBuffer()
	var full error
	err = r.answer(snap, func(f *format.Fields) bool {
		if (q.Limit > 0 || q.full) && len(page.Hits) == q.Limit {
			page.More = true
			return false
		}
		if full = q.keep(f); full != nil {
			return false
		}
		page.Hits = append(page.Hits, Hit{*f})
		return true
	}, func() { page.Hits = page.Hits[:0] })
	x.giveBuffer(r.buf)
	page.Damaged = r.damaged
	if err = cmp.Or(err, full); err == nil && r.spent {
		page.Rest = r.rest(q)
		page.Rest.cut(len(page.Hits))
	}
	return page, err
}

// keep asks whether f may be kept.
func (q *Query) keep(f *format.Fields) error {
	if q.Keep == nil {
		return nil
	}
	return q.Keep(len(f.Line))
}

// Each goes through the records that match, in the order that q.Ascending asks for, in memory that does not
// grow with their number. The Fields and all they point to are valid until the next step. An error ends it:
// format.ErrPruned when records that were to come next, in ascending order, were removed by retention meanwhile.
func (x *Index) Each(ctx context.Context, q Query) iter.Seq2[*format.Fields, error] {
	if q.ByTime {
		return x.eachByTime(ctx, q)
	}
	return func(yield func(*format.Fields, error) bool) {
		x.count.searches.Add(1)
		defer x.count.ended.Add(1)
		snap, err := x.look()
		if err != nil {
			yield(nil, err)
			return
		}
		r := x.newRun(ctx, q)
		if q.Limit > 0 {
			r.left = q.Limit
		}
		stopped := false
		err = r.answer(snap, func(f *format.Fields) bool {
			stopped = !yield(f, nil)
			return !stopped
		}, nil)
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// Count returns how many records match, whatever Offset, Limit and Budget are. However long it takes, it lets others come
// in between, and ends with ctx.
func (x *Index) Count(ctx context.Context, q Query) (int, error) {
	x.count.searches.Add(1)
	defer x.count.ended.Add(1)
	q.Offset, q.Limit, q.full = 0, 0, false
	snap, err := x.look()
	if err != nil {
		return 0, err
	}
	r := x.newRun(ctx, q)
	r.buf = x.takeBuffer()
	err = r.answer(snap, nil, func() {})
	x.giveBuffer(r.buf)
	return r.matches, err
}

// SearchCounted is Search and, for the same records, Count: those that are appended meanwhile are in neither. What one of
// the two asks of the query's functions the other knows. A page that begins beyond the last match is not looked for.
func (x *Index) SearchCounted(ctx context.Context, q Query) (page Page, total int, err error) {
	last, err := x.LastSeq(ctx)
	if err != nil {
		return page, 0, err
	}
	q.Before, q.asked = min(q.Before-1, last)+1, new(facetsAsked) // 0 is no bound
	if total, err = x.Count(ctx, q); err != nil || q.Offset >= total {
		return page, total, err
	}
	if page, err = x.Search(ctx, q); page.Rest != nil {
		page.Rest.asked = nil // it is the caller's
	}
	return page, total, err
}

// takeBuffer and giveBuffer save clearing a buffer of some 100 KiB for each search. [Index.Each] does
// without: its caller may still look at the last record when the loop has ended.
func (x *Index) takeBuffer() []byte {
	if b, ok := x.buffers.Get().(*[]byte); ok {
		return *b
	}
	return nil
}

func (x *Index) giveBuffer(b []byte) {
	if b = b[:0]; cap(b) <= 2*maxSpan {
		x.buffers.Put(&b)
	}
}

// probe tells whether the next block is searched without asking Bleve.
func (r *run) probe(t *table) bool {
	if t.disk == nil || r.left < 0 && r.sight == nil || r.probes == 0 {
		return false
	}
	r.probes--
	return true
}

// gate works out what a block of t must hold to hold the text.
func (r *run) gate(t *table) (n need, err error) {
	if len(r.m.text) == 0 || t.disk == nil || t.needs != nil {
		if t.needs != nil {
			n = *t.needs
		}
		return n, nil
	}
	if t.gate, err = t.disk.gate(); t.gate == nil {
		return n, err
	}
	err = guard(func() error { n = t.gate.needs(r.m.text, r.hashes); return nil })
	t.needs = &n
	return n, err
}

// candidates returns the blocks that may hold the text; nil: all.
func (r *run) candidates(t *table, n need) (blockSet, error) {
	switch {
	case len(r.m.text) == 0:
		return nil, nil
	case t.gate != nil:
		return r.askBleve(r.ctx, t, &n)
	case t.cols.grams == nil || len(r.hashes) == 0:
		return nil, nil
	}
	set := makeBlockSet(t.cols.blocks())
	for b := range t.cols.blocks() {
		if t.cols.grams.may(b, r.hashes) {
			set.add(b)
		}
	}
	return set, nil
}

// blockSet is a set of blocks of one segment; nil holds all.
type blockSet []uint64

func makeBlockSet(blocks int) blockSet { return make(blockSet, (blocks+63)/64) }

func allBlocks(blocks int) blockSet {
	set := makeBlockSet(blocks)
	for b := range blocks {
		set.add(b)
	}
	return set
}

func (s blockSet) add(b int)      { s[b>>6] |= 1 << (b & 63) }
func (s blockSet) has(b int) bool { return s == nil || s[b>>6]>>(b&63)&1 != 0 }
func (s blockSet) empty() bool {
	return s != nil && !slices.ContainsFunc(s, func(w uint64) bool { return w != 0 })
}

// table is what a run looks at of one segment.
type table struct {
	cols  *columns // nil: not needed yet, disk has them
	disk  *disk    // where cols are mapped; nil: they are in memory
	gate  *gate    // nil: none
	needs *need    // by the gate; nil: not asked
}

func (t *table) release() {
	if t.disk != nil {
		t.disk.release()
	}
}

// need makes the columns be there.
func (t *table) need() (err error) {
	if t.cols == nil {
		t.cols, err = t.disk.columns()
	}
	return err
}

// open gives the columns of v. An index that turns out wrong is set aside.
func (x *Index) open(ctx context.Context, v *view) (t *table, err error) {
	for range maxTries {
		if t, err = x.begin(ctx, v); err != nil {
			return nil, err
		}
		if err = t.need(); err == nil {
			return t, nil
		}
		x.distrust(v.seg, t.disk, err)
		t.release()
	}
	return nil, err
}

// begin gives what is at hand of v: where there is an index on disk its columns may not be.
func (x *Index) begin(ctx context.Context, v *view) (*table, error) {
	if v.cols != nil {
		return &table{cols: v.cols}, nil
	}
	if d := x.diskOf(v.seg, v.id); d != nil {
		return &table{cols: d.checked(), disk: d}, nil
	}
	c, err := x.columns(ctx, v.seg)
	if err != nil {
		return nil, err
	}
	return &table{cols: c}, nil
}

// distrust sets aside what is known of s: it will be read anew. Of an index on disk only d is distrusted, the
// one that was used: others may have found the same and made a new one meanwhile.
func (x *Index) distrust(s *segment, d *disk, why error) {
	x.cache.forget(s)
	s.mu.Lock()
	s.sum, s.span, s.thin = summary{}, span{}, nil
	if s.diskState == diskOpen && s.disk == d {
		if d.replaced() { // by another process: that one is to be judged by itself
			x.closeDisk(s, diskUnknown)
		} else {
			x.closeDisk(s, diskBad)
			x.setAside(s, why)
		}
	}
	s.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.tail != nil {
		s.tail, x.snap = nil, nil
	}
}
