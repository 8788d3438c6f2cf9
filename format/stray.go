package format

import (
	"bytes"
	"fmt"
	"iter"
)

// overlapping returns how many of the first segments have to be read together, because one holds numbers that come
// no later than those of the one before it.
func (l *Log) overlapping(segs []Segment, d direction) int {
	o, err := l.order(segs[0])
	if err != nil || o.max == 0 {
		return 1
	}
	lo, hi := o.min, o.max
	n := 1
	for ; n < len(segs); n++ {
		next, err := l.order(segs[n])
		if err != nil || next.max == 0 || d == ascending && next.min > hi || d == descending && next.max < lo {
			break
		}
		lo, hi = min(lo, next.min), max(hi, next.max)
	}
	return n
}

// strays reports the records of a group of segments that should have come before at, with what was read already,
// and did not: a tool has moved them here from a segment far away. It returns false when yield asked to stop.
func (l *Log) strays(read, group []Segment, from, at uint64, d direction, yield func(Line, error) bool) bool {
	if !l.reachesBack(group, at, d) {
		return true
	}
	next, stop := iter.Pull2(l.readSegments(read, from, d, false))
	defer stop()
	var served []byte // the line under the number reached
	reached, more := uint64(0), true
	for ln, err := range l.together(group, from, d) {
		if err != nil || d.passed(ln.Seq, from) {
			continue
		}
		if !d.passed(ln.Seq, at) {
			break // these come now
		}
		for more && !d.passed(ln.Seq, reached) {
			var was Line
			if was, err, more = next(); more && err == nil {
				reached, served = was.Seq, append(served[:0], was.Bytes...)
			}
		}
		if !bytes.Equal(served, ln.Bytes) && !yield(stray(ln)) { // equal: a copy
			return false
		}
	}
	return true
}

// reachesBack tells whether a segment of the group holds numbers a reading that has come to at is beyond.
func (l *Log) reachesBack(group []Segment, at uint64, d direction) bool {
	for _, seg := range group {
		o, err := l.order(seg)
		if err == nil && o.max > 0 && (d == ascending && o.min <= at || d == descending && o.max >= at) {
			return true
		}
	}
	return false
}

func stray(ln Line) (Line, error) {
	return Line{Segment: ln.Segment, Offset: ln.Offset, Bytes: ln.Bytes}, &Damage{Segment: segmentName(ln.Segment), Offset: ln.Offset,
		Err: fmt.Errorf("record %d was moved here: it is not served, for its place has been passed", ln.Seq)}
}
