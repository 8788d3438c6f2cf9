package index

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"shiplog/format"
)

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
		edge := a[0]
		if r.q.Ascending {
			edge = a[len(a)-1]
		}
		if stop, err = r.pause(p, edge); stop || err != nil {
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
			r.given++
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
	line := r.buf[at : at+n]
	if n > 0 && line[n-1] <= ' ' {
		line = bytes.TrimRight(line, "\r \t")
	}
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
	r.spend(got)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file ends at byte %d", errStale, from+int64(got))
	}
	return err
}

func (r *run) openFile(s *segment) (err error) {
	if r.file == nil {
		r.file, err = r.x.log.OpenSegment(s.Name)
	}
	return err
}

func (r *run) closeFile() {
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
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
