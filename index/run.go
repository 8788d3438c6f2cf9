package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"runtime"
	"runtime/debug"
	"slices"

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

	find   *finder
	hashes []uint64 // of the text's 5-grams

	probes int // blocks that are still searched without asking Bleve
	skip   int // matches still to be passed over
	left   int // matches still wanted; -1: all

	damaged int       // damaged lines in the segments visited
	matches int       // counted, when nothing is emitted
	group   *grouping // nil: only the number counts

	file  *os.File // the segment being read; nil: not opened yet
	keep  *arena   // lines are copied there before they are scanned; nil: they need not stay
	buf   []byte
	lines []lineRef
	rec   format.Fields
}

// lineRef is a line in run.buf.
type lineRef struct {
	seq      uint64
	from, to int
	next     int // behind its newline, or where reading stopped
}

func (x *Index) newRun(ctx context.Context, q Query) *run {
	r := &run{x: x, ctx: ctx, q: q, skip: max(q.Offset, 0), left: -1}
	r.m = newMatcher(&r.q)
	r.q.m = r.m
	if len(r.m.text) > 0 {
		r.find = newFinder(r.m.text)
		r.hashes = gramHashes(r.m.text)
		r.probes = 4 // a text that is common is found in them; 4 blocks cost less than to ask Bleve
	}
	return r
}

// arena holds copies of lines, many in one allocation.
type arena struct{ block []byte }

const arenaBlock = 16 << 10

func (a *arena) copy(line []byte) []byte {
	if cap(a.block)-len(a.block) < len(line) {
		a.block = make([]byte, 0, max(arenaBlock, len(line)))
	}
	at := len(a.block)
	a.block = append(a.block, line...)
	return a.block[at:len(a.block):len(a.block)]
}

// undo takes back the last copy. A nil arena copied nothing.
func (a *arena) undo(line []byte) {
	if a != nil {
		a.block = a.block[:len(a.block)-len(line)]
	}
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
		if r.q.None || v.below != 0 && r.q.After >= v.below-1 || r.q.Before != 0 && r.q.Before <= v.after+1 {
			continue
		}
		stop, err := r.visit(v, emit)
		if stop || err != nil {
			return err
		}
	}
	return nil
}

// visit answers from one segment. Columns that turn out wrong are made anew from the lines, once, and the
// segment is taken up where it was left.
func (r *run) visit(v *view, emit emitter) (stop bool, err error) {
	for try := 0; ; try++ {
		if err := r.ctx.Err(); err != nil {
			return true, err
		}
		matches := r.matches
		stop, err = r.segment(v, emit)
		r.closeFile()
		if emit == nil && err == nil {
			err = r.group.keep()
		}
		if err != nil { // what was counted of this segment is counted again
			r.matches = matches
			r.group.discard()
		}
		switch {
		case errors.Is(err, errStale) && try < 2:
			r.x.distrust(v.seg, err)
			v = &view{seg: v.seg, after: v.after, below: v.below, id: v.id} // also the newest: its snapshot is what was wrong
			continue
		case errors.Is(err, os.ErrNotExist):
			return stop, nil // pruned since: its records are gone
		case err != nil:
			return true, fmt.Errorf("search segment %s: %w", v.seg.Name, err)
		}
		return stop, nil
	}
}

// guard runs fn, which reads mapped files, and turns what a file that was cut or changed under our hands
// does to it into errStale: bytes past the end of a file raise a fault, other bytes lead out of a slice.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if re, ok := p.(runtime.Error); ok {
				err = fmt.Errorf("%w: %v", errStale, re)
				return
			}
			panic(p)
		}
	}()
	return fn()
}

func (r *run) segment(v *view, emit emitter) (stop bool, err error) {
	if r.fromThin(v, emit) {
		return false, nil
	}
	t, err := r.x.open(v)
	if err != nil {
		return false, err
	}
	defer t.release()
	var p *plan
	err = guard(func() error {
		r.damaged += t.cols.damaged
		p = newPlan(&r.q, r.m, t.cols, v.after, v.below)
		r.group.begin(p)
		if p != nil && p.counted != nil && r.fromCube(p, emit) {
			p = nil
		}
		return nil
	})
	if p == nil || err != nil {
		return false, err
	}
	n, err := r.gate(t)
	if err != nil || n.none {
		return false, err
	}
	var blocks blockSet
	asked := false
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
	}
	return false, nil
}

// fromThin answers from what was kept of columns that are no longer in memory, when that is enough.
func (r *run) fromThin(v *view, emit emitter) bool {
	if v.cols != nil {
		return false
	}
	v.seg.mu.Lock()
	c := v.seg.thin
	if v.seg.diskState == diskOpen || v.seg.cols != nil {
		c = nil // there is better
	}
	v.seg.mu.Unlock()
	if c == nil {
		return false
	}
	p := newPlan(&r.q, r.m, c, v.after, v.below)
	r.group.begin(p)
	if p == nil || p.counted != nil && r.fromCube(p, emit) {
		r.damaged += c.damaged
		return true
	}
	return false
}

// fromCube answers from the rollup alone when that is enough: a count, or a page that begins beyond.
func (r *run) fromCube(p *plan, emit emitter) bool {
	n := p.c.cube.count(p.counted)
	switch {
	case n == 0:
		return true
	case emit == nil && r.group != nil:
		return r.group.cube()
	case emit == nil:
		r.matches += n
		return true
	case n <= r.skip:
		r.skip -= n
		return true
	}
	return false
}

// block answers from one block.
func (r *run) block(s *segment, p *plan, b int, emit emitter) (stop bool, err error) {
	if err := r.ctx.Err(); err != nil {
		return true, err
	}
	var sel selection
	some := false
	err = guard(func() error { some = p.block(b, &sel); return nil })
	if !some || err != nil {
		return false, err
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
	rows := make([]int, 0, blockRecords)
	for i := range min(p.c.rows-base, blockRecords) {
		if sel[i>>6]>>(i&63)&1 != 0 {
			rows = append(rows, base+i)
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
		if r.q.Ascending {
			r.q.After = max(r.q.After, p.c.seq(min((b+1)*blockRecords, p.to)-1))
		} else {
			seq := p.c.seq(max(b*blockRecords, p.from))
			if r.q.Before == 0 || seq < r.q.Before {
				r.q.Before = seq
			}
		}
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

// maxSpan is how much of a segment is read at once, unless a single line is longer.
const maxSpan = 1 << 20

// rows reads the lines of rows, which rise and lie in one block, and gives out those that match.
func (r *run) rows(s *segment, p *plan, rows []int, emit emitter) (stop bool, err error) {
	if r.left >= 0 && p.exact && len(rows) > r.left {
		if r.q.Ascending {
			rows = rows[:r.left]
		} else {
			rows = rows[len(rows)-r.left:]
		}
	}
	var span int64
	err = guard(func() error { span = p.span(rows[0], rows[len(rows)-1]); return nil })
	if err != nil {
		return false, err
	}
	if span > maxSpan && len(rows) > 1 {
		a, b := rows[:len(rows)/2], rows[len(rows)/2:]
		if !r.q.Ascending {
			a, b = b, a
		}
		if stop, err = r.rows(s, p, a, emit); stop || err != nil {
			return stop, err
		}
		return r.rows(s, p, b, emit)
	}
	if err := r.collect(s, p, rows, span); err != nil {
		return false, err
	}
	return r.give(p, emit)
}

// give scans and judges the lines collected.
func (r *run) give(p *plan, emit emitter) (stop bool, err error) {
	if !r.q.Ascending {
		slices.Reverse(r.lines)
	}
	for _, l := range r.lines {
		line := r.buf[l.from:l.to]
		if r.keep != nil {
			line = r.keep.copy(line)
		}
		if err := format.ScanLine(line, &r.rec); err != nil {
			return false, fmt.Errorf("%w: record %d: %w", errStale, l.seq, err)
		}
		hit := r.rec.Seq == l.seq && r.m.match(&r.rec)
		if r.rec.Seq != l.seq || p.exact && !hit {
			return false, fmt.Errorf("%w: record %d is not where it was", errStale, l.seq)
		}
		switch {
		case !hit:
			r.keep.undo(line)
		case emit == nil:
			r.matches++
			r.group.line(&r.rec)
		case r.skip > 0:
			r.skip--
		default:
			if r.left > 0 {
				r.left--
			}
			if !emit(&r.rec) || r.left == 0 {
				return true, nil
			}
		}
		switch {
		case emit == nil:
		case r.q.Ascending:
			r.q.After = l.seq
		default:
			r.q.Before = l.seq
		}
	}
	return false, nil
}

// span is how many bytes lie from the beginning of row a to the end of row z; -1 when rows are not in the
// order of the file.
func (p *plan) span(a, z int) int64 {
	if p.c.shuffled {
		return -1
	}
	return p.lineEnd(z) - p.c.offset(a)
}

// lineEnd is a place after the line of row i: damaged lines may lie between.
func (p *plan) lineEnd(i int) int64 {
	if i+1 < p.c.rows && !p.c.shuffled {
		return p.c.offset(i + 1)
	}
	return p.c.end
}

// collect reads the lines of rows into buf and notes in lines where they stand. When a text is looked for
// only lines that may hold it are noted.
func (r *run) collect(s *segment, p *plan, rows []int, span int64) error {
	r.lines, r.buf = r.lines[:0], r.buf[:0]
	if len(r.m.text) > 0 {
		select {
		case r.x.text <- struct{}{}:
			defer func() { <-r.x.text }()
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
	if err := r.openFile(s); err != nil {
		return err
	}
	return guard(func() error {
		search := r.find != nil && !p.c.isOdd(rows[0]/blockRecords)
		if span < 0 || !search && span > 64<<10 && len(rows) < (rows[len(rows)-1]-rows[0])/8 {
			return r.readEach(p, rows)
		}
		from := p.c.offset(rows[0])
		if err := r.read(from, int(span)); err != nil {
			return err
		}
		if search {
			r.searchSpan(p, rows, from)
			return nil
		}
		for _, i := range rows {
			r.note(p, i, int(p.c.offset(i)-from))
		}
		return nil
	})
}

// note notes the line of row i that begins at buf[at].
func (r *run) note(p *plan, i, at int) {
	n := bytes.IndexByte(r.buf[at:], '\n')
	if n < 0 {
		n = len(r.buf) - at
	}
	line := bytes.TrimRight(r.buf[at:at+n], "\r \t")
	r.lines = append(r.lines, lineRef{p.c.seq(i), at, at + len(line), at + n})
}

// searchSpan notes the lines of rows in which the finder finds something. buf begins at byte from.
func (r *run) searchSpan(p *plan, rows []int, from int64) {
	k := 0
	r.find.all(r.buf, func(at int) int {
		pos := from + int64(at)
		next, _ := slices.BinarySearchFunc(rows[k:], pos+1, func(row int, pos int64) int {
			return int(p.c.offset(row) - pos) // both lie in one span
		})
		if next == 0 {
			return int(p.c.offset(rows[k]) - from)
		}
		row := rows[k+next-1]
		begin := int(p.c.offset(row) - from)
		r.note(p, row, begin)
		l := r.lines[len(r.lines)-1]
		if at >= l.to { // found in lines after this one that are not wanted
			r.lines = r.lines[:len(r.lines)-1]
		}
		k += next
		if k == len(rows) {
			return len(r.buf)
		}
		return int(p.c.offset(rows[k]) - from)
	})
}

// readEach reads the lines of rows one by one.
func (r *run) readEach(p *plan, rows []int) error {
	const guess = 4 << 10
	for _, i := range rows {
		at, from, end := len(r.buf), p.c.offset(i), p.lineEnd(i)
		size := end - from
		if p.c.shuffled {
			size = min(guess, size)
		}
		for {
			r.buf = r.buf[:at]
			if err := r.read(from, int(size)); err != nil {
				return err
			}
			r.note(p, i, at)
			if l := r.lines[len(r.lines)-1]; l.next < len(r.buf) || from+size >= end {
				break
			}
			r.lines = r.lines[:len(r.lines)-1]
			size = min(2*size, end-from)
		}
	}
	return nil
}

// read appends n bytes from byte from of the segment to buf.
func (r *run) read(from int64, n int) error {
	at := len(r.buf)
	r.buf = slices.Grow(r.buf, n)[:at+n]
	got, err := r.file.ReadAt(r.buf[at:], from)
	r.buf = r.buf[:at+got]
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file ends at byte %d", errStale, from+int64(got))
	}
	return err
}

func (r *run) openFile(s *segment) (err error) {
	if r.file == nil {
		r.file, err = os.Open(s.path)
	}
	return err
}

func (r *run) closeFile() {
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
}
