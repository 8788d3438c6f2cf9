package format

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
)

// Forward reads the records above after in the order of their seq, each one once, whatever tools have done to
// the order of lines. Damage comes as [*Damage] and does not end the reading; any other error does.
func (l *Log) Forward(after uint64) iter.Seq2[Line, error] { return l.walk(after, ascending) }

// Backward reads the records below before, newest first; 0 begins with the newest of all. Errors as Forward.
func (l *Log) Backward(before uint64) iter.Seq2[Line, error] {
	return l.walk(before, descending)
}

// Get returns the record with the number seq, which stays valid; ErrNotFound when there is none. Damage is passed
// over.
func (l *Log) Get(seq uint64) (Line, error) {
	if seq > 0 {
		for ln, err := range l.Forward(seq - 1) {
			var d *Damage
			switch {
			case err == nil && ln.Seq == seq:
				return ln.Clone(), nil
			case err == nil:
				return Line{}, fmt.Errorf("record %d: %w", seq, ErrNotFound)
			case !errors.As(err, &d):
				return Line{}, fmt.Errorf("record %d: %w", seq, err)
			}
		}
	}
	return Line{}, fmt.Errorf("record %d: %w", seq, ErrNotFound)
}

// direction is one of the two orders of reading.
type direction bool

const (
	ascending  direction = false
	descending direction = true
)

// passed tells whether a reading that has come to at is beyond seq; at 0 it has not begun.
func (d direction) passed(seq, at uint64) bool {
	if d == ascending {
		return seq <= at
	}
	return at != 0 && seq >= at
}

// walk reads all segments.
func (l *Log) walk(at uint64, d direction) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		segs, odd, err := l.List()
		if err != nil {
			yield(Line{}, err)
			return
		}
		for _, o := range odd {
			if !yield(Line{}, o) {
				return
			}
		}
		l.forget(segs)
		l.readSegments(l.within(segs, at, d), at, d, true)(yield)
	}
}

// readSegments reads segments one after the other; those whose numbers overlap are read together.
func (l *Log) readSegments(segs []Segment, from uint64, d direction, strays bool) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		at := from
		for done := 0; done < len(segs); {
			group := segs[done : done+l.overlapping(segs[done:], d)]
			if strays && at != from && !l.strays(segs[:done], group, from, at, d, yield) {
				return
			}
			for ln, err := range l.together(group, at, d) {
				if (d == descending || at == from) && errors.Is(err, ErrPruned) {
					continue // the log ends, or begins, there
				}
				if err == nil {
					if d.passed(ln.Seq, at) {
						continue
					}
					at = ln.Seq
				}
				if !yield(ln, err) {
					return
				}
			}
			done += len(group)
		}
	}
}

// together reads the segments of a group in order.
func (l *Log) together(group []Segment, at uint64, d direction) iter.Seq2[Line, error] {
	if len(group) == 1 {
		return l.ordered(group[0], at, d)
	}
	return l.merged(group, at, d)
}

// within leaves out the segments a reading from at on does not touch, and puts the rest into the order of
// reading. It goes by the names, but looks into the last one it would leave out.
func (l *Log) within(segs []Segment, at uint64, d direction) []Segment {
	if d == ascending {
		n := 0
		for n+1 < len(segs) && segs[n+1].First-1 <= at {
			n++
		}
		if n > 0 {
			if o, err := l.order(segs[n-1]); err == nil && o.max > at {
				n--
			}
		}
		return segs[n:]
	}
	n := len(segs)
	for at != 0 && n > 1 && segs[n-1].First >= at {
		n--
	}
	if n < len(segs) {
		if o, err := l.order(segs[n]); err == nil && o.min > 0 && o.min < at {
			n++
		}
	}
	segs = slices.Clone(segs[:n])
	slices.Reverse(segs)
	return segs
}

// ordered reads one segment in order.
func (l *Log) ordered(seg Segment, at uint64, d direction) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		o, err := l.order(seg)
		if err != nil {
			yield(Line{Segment: seg.First}, unread(seg, err))
			return
		}
		f, err := l.OpenSegment(seg.Name)
		if err != nil {
			yield(Line{Segment: seg.First}, unread(seg, err))
			return
		}
		defer f.Close()
		r := &segmentReader{seg: seg, file: f}
		switch {
		case !o.sorted:
			l.inDisorder(r, f, at, d, yield)
		case d == ascending:
			r.counted = at == 0
			r.lines = lineReader{r: f, off: seek(f, o.upto, at+1)}
			r.each(yield)
		default:
			r.backward(f, o, at, yield)
		}
	}
}

// unread is the damage of a segment that cannot be opened.
func unread(seg Segment, err error) *Damage {
	if errors.Is(err, fs.ErrNotExist) { // it was listed a moment ago
		err = ErrPruned
	}
	return &Damage{Segment: seg.Name, Err: err}
}

// backward yields the lines of a sorted file with numbers below before, the last one first.
func (r *segmentReader) backward(f io.ReaderAt, o *order, before uint64, yield func(Line, error) bool) {
	end, cut := o.upto, false
	if before != 0 {
		end, cut = r.endBefore(f, end, before)
	}
	if n := o.file.Size() - o.upto; n > 0 && r.seg.Sealed && !cut && !yield(r.damage(o.upto, tornEnd(n))) {
		return
	}
	if err := r.file.cut(); err != nil && !cut && !yield(r.damage(o.upto, err)) {
		return
	}
	lines, err := newBackReader(f, end)
	for {
		var raw rawLine
		if err == nil {
			raw, err = lines.prev()
		}
		switch {
		case err == io.EOF:
			return
		case err != nil:
			yield(r.damage(lines.off, err))
			return
		case !r.deliver(raw, yield):
			return
		}
	}
}

// endBefore returns where the first line begins whose number is at least before, and whether there is one.
func (r *segmentReader) endBefore(f io.ReaderAt, end int64, before uint64) (int64, bool) {
	lines := lineReader{r: f, off: seek(f, end, before)}
	for {
		raw, err := lines.next()
		if err != nil {
			return end, false
		}
		b, _, _ := raw.content()
		if !raw.long && len(b) > 0 && seqOf(b, &r.fields) >= before {
			return raw.off, true
		}
	}
}

// inDisorder yields the lines of a file by number.
func (l *Log) inDisorder(r *segmentReader, f io.ReaderAt, at uint64, d direction, yield func(Line, error) bool) {
	places, ok := l.places(r.seg, yield)
	if !ok {
		return
	}
	if d == descending {
		slices.Reverse(places)
	}
	var buf []byte
	for _, p := range places {
		if d.passed(p.seq, at) {
			continue
		}
		buf = slices.Grow(buf[:0], p.length)[:p.length]
		_, err := f.ReadAt(buf, p.off)
		if err == nil {
			err = ScanLine(buf, &r.fields)
		}
		if err != nil { // it was intact a moment ago
			if !yield(r.damage(p.off, err)) {
				return
			}
			continue
		}
		if !yield(Line{Seq: p.seq, Segment: r.seg.First, Offset: p.off, Bytes: buf, Fields: &r.fields}, nil) {
			return
		}
	}
}

// merged reads segments with overlapping numbers as one.
func (l *Log) merged(segs []Segment, at uint64, d direction) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		type source struct {
			next func() (Line, error, bool)
			line Line
		}
		var open []*source
		advance := func(s *source) (alive, goOn bool) {
			for {
				ln, err, ok := s.next()
				if !ok {
					return false, true
				}
				if err == nil {
					s.line = ln
					return true, true
				}
				if !yield(ln, err) {
					return false, false
				}
			}
		}
		for _, seg := range segs {
			next, stop := iter.Pull2(l.ordered(seg, at, d))
			defer stop()
			s := &source{next: next}
			alive, goOn := advance(s)
			if !goOn {
				return
			}
			if alive {
				open = append(open, s)
			}
		}
		for len(open) > 0 {
			s := slices.MinFunc(open, func(a, b *source) int {
				if (a.line.Seq < b.line.Seq) == (d == ascending) {
					return -1
				}
				return 1
			})
			if !yield(s.line, nil) {
				return
			}
			alive, goOn := advance(s)
			if !goOn {
				return
			}
			if !alive {
				open = slices.DeleteFunc(open, func(o *source) bool { return o == s })
			}
		}
	}
}
