package format

import (
	"cmp"
	"io"
	"io/fs"
	"maps"
	"slices"
)

// order is what is known of the numbers in a segment. The writer writes them rising; a tool may have changed
// that, so a segment is looked at once before it is read in order.
type order struct {
	file     fs.FileInfo
	upto     int64 // bytes looked at
	min, max uint64
	sorted   bool // no number is below the one before it
	last     uint64
}

// order looks at the numbers of a segment, only at what is new since the last time.
func (l *Log) order(seg Segment) (*order, error) {
	f, err := l.OpenSegment(seg.Name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	known := l.orders[seg.Name]
	l.mu.Unlock()
	o := &order{sorted: true}
	if known != nil && sameFile(known.file, fi) {
		if known.file.Size() == fi.Size() && known.file.ModTime().Equal(fi.ModTime()) {
			return known, nil
		}
		if !seg.Sealed && fi.Size() >= known.file.Size() {
			*o = *known
		}
	}
	o.file = fi
	if err := o.look(f); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.orders[seg.Name] = o
	l.mu.Unlock()
	return o, nil
}

// look reads on from upto.
func (o *order) look(f io.ReaderAt) error {
	lines := lineReader{r: f, off: o.upto, block: readBlock}
	var fields Fields
	for {
		raw, err := lines.next()
		if err == io.EOF {
			o.upto, _ = lines.rest()
			return nil
		}
		if err != nil {
			return err
		}
		b, _, _ := raw.content()
		if raw.long || len(b) == 0 {
			continue
		}
		if seq := seqOf(b, &fields); seq > 0 {
			o.add(seq)
		}
	}
}

func (o *order) add(seq uint64) {
	if o.min == 0 || seq < o.min {
		o.min = seq
	}
	o.max = max(o.max, seq)
	o.sorted = o.sorted && seq >= o.last
	o.last = seq
}

// forget drops what is known of segments that are gone.
func (l *Log) forget(segs []Segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.orders) <= len(segs) && len(l.sizes) <= len(segs) {
		return
	}
	here := make(map[string]bool, len(segs))
	for _, s := range segs {
		here[s.Name] = true
	}
	maps.DeleteFunc(l.orders, func(name string, _ *order) bool { return !here[name] })
	maps.DeleteFunc(l.sizes, func(name string, _ packed) bool { return !here[name] })
}

// place is where a line of a segment in disorder stands.
type place struct {
	seq    uint64
	off    int64
	length int
}

// places lists the lines of a segment by number. Damage that is seen on the way is handed to report.
func (l *Log) places(seg Segment, report func(Line, error) bool) ([]place, bool) {
	var all []place
	for ln, err := range l.Lines(seg, 0) {
		if err != nil {
			if !report(ln, err) {
				return nil, false
			}
			continue
		}
		all = append(all, place{ln.Seq, ln.Offset, len(ln.Bytes)})
	}
	slices.SortFunc(all, func(a, b place) int { return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.off, b.off)) })
	return slices.CompactFunc(all, func(a, b place) bool { return a.seq == b.seq }), true
}

// seek returns the begin of a line at or shortly before the first one of a sorted file whose number is at least seq.
func seek(f io.ReaderAt, size int64, seq uint64) int64 {
	var fields Fields
	lo, hi := int64(0), size
	for hi-lo > 64<<10 {
		mid := lo + (hi-lo)/2
		lines := lineReader{r: f, off: mid}
		off, got := int64(-1), uint64(0)
		for got == 0 {
			raw, err := lines.next()
			if err != nil || raw.off >= hi {
				break
			}
			if b, at, _ := raw.content(); raw.off > mid && !raw.long && len(b) > 0 { // the first may be half a line
				off, got = at, seqOf(b, &fields)
			}
		}
		if got > 0 && got < seq {
			lo = off
		} else {
			hi = mid
		}
	}
	return lo
}
