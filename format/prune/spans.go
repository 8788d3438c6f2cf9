package prune

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"time"

	"shiplog/format"
)

// span is what the obs times of a segment's records tell.
type span struct {
	first, last time.Time     // zero: there is no record
	lived       time.Duration // from first to last, without what does not count
	upto        int64         // bytes looked at
	whole       bool          // each record was looked at, not the first and the last alone
}

func (s *span) add(t time.Time) {
	if t.IsZero() {
		return
	}
	if s.first.IsZero() {
		s.first = t
	}
	s.lived += step(s.last, t)
	s.last = t
}

// spans remembers them, by the name of the segment.
type spans struct {
	log   *format.Log
	known map[string]span
}

// of returns the span of a segment. Of a sealed one only both ends are read, unless these are further apart than one
// step may be; of the active one what was appended.
func (c *spans) of(seg format.Segment) (span, error) {
	s, ok := c.known[seg.Name]
	if ok && s.upto == seg.Size {
		return s, nil
	}
	if !seg.Sealed || ok && s.whole {
		err := c.readOn(seg, &s)
		return s, err
	}
	s = span{}
	if err := c.ends(seg, &s); err != nil {
		return s, err
	}
	if s.upto = seg.Size; s.last.Sub(s.first) > maxStep || s.last.Before(s.first) {
		s = span{}
		err := c.readOn(seg, &s)
		return s, err
	}
	c.known[seg.Name] = s
	return s, nil
}

// readOn looks at the records behind what was looked at.
func (c *spans) readOn(seg format.Segment, s *span) error {
	for ln, err := range c.log.Lines(seg, s.upto) {
		if err != nil {
			continue // damage has no time
		}
		s.add(obs(ln))
		s.upto = ln.Offset + int64(len(ln.Bytes)) + 1
	}
	s.whole = true
	if seg.Sealed {
		s.upto = seg.Size
	}
	c.known[seg.Name] = *s
	return nil
}

// ends looks at the first record and at the last one.
func (c *spans) ends(seg format.Segment, s *span) error {
	for ln, err := range c.log.Lines(seg, 0) {
		if err == nil && !obs(ln).IsZero() {
			s.add(obs(ln))
			break
		}
	}
	for _, tail := range []int64{64 << 10, 1 << 20, seg.Size} {
		from, err := lineIn(c.log, seg.Name, max(seg.Size-tail, 0))
		if err != nil {
			return err
		}
		var last time.Time
		for ln, err := range c.log.Lines(seg, from) {
			if err == nil {
				last = later(last, obs(ln))
			}
		}
		if !last.IsZero() || tail >= seg.Size {
			s.add(last)
			s.lived = step(s.first, s.last)
			break
		}
	}
	return nil
}

// later is the last one that is known.
func later(a, b time.Time) time.Time {
	if b.IsZero() {
		return a
	}
	return b
}

// lineIn returns where the first line begins at or after the byte from, within a line's length.
func lineIn(log *format.Log, name string, from int64) (int64, error) {
	if from == 0 {
		return 0, nil
	}
	f, err := log.OpenSegment(name)
	if errors.Is(err, fs.ErrNotExist) {
		return from, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, 32<<10)
	for at := from - 1; ; {
		n, err := f.ReadAt(buf, at)
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			return at + int64(i) + 1, nil
		}
		if at += int64(n); err == io.EOF {
			return at, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// obs is when a record was taken in; zero when it does not say so. Inside of a string the quotes would be escaped, and
// the writer puts it before all that others chose.
func obs(ln format.Line) time.Time {
	const member = `"obs":"`
	i := bytes.Index(ln.Bytes, []byte(member))
	if i < 0 {
		return time.Time{}
	}
	b := ln.Bytes[i+len(member):]
	end := bytes.IndexByte(b, '"')
	if end < 0 {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, string(b[:end]))
	if err != nil {
		return time.Time{}
	}
	return t
}

// forget drops what is known of segments that are gone.
func (c *spans) forget(segs []format.Segment) {
	there := make(map[string]bool, len(segs))
	for _, s := range segs {
		there[s.Name] = true
	}
	for name := range c.known {
		if !there[name] {
			delete(c.known, name)
		}
	}
}
