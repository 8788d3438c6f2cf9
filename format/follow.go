package format

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// followTick is how often a follower looks without having been called: for file systems without notification,
// and for notifications that were lost. Not more often: an idle box should sleep.
const followTick = 5 * time.Second

// Follow reads as Forward does and then goes on with what is appended, until ctx ends. A segment that is cut
// or replaced under it is reported as damage and read again from its begin; a record is not yielded twice.
func (l *Log) Follow(ctx context.Context, after uint64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		t := &follower{log: l, last: after, seen: -1, bell: newBell(l.dir), yield: yield}
		defer t.close()
		for ln, err := range l.Forward(after) {
			if ctx.Err() != nil || !t.take(ln, err) {
				return
			}
		}
		for ctx.Err() == nil && t.readOn() {
			t.bell.wait(ctx)
		}
	}
}

// follower is a reading that has come to the end of the log.
type follower struct {
	log   *Log
	last  uint64 // newest number passed on
	bell  *bell
	yield func(Line, error) bool

	segment uint64 // being read: its First
	seen    int64  // begin of the last line seen in it; -1: none
	file    *SegmentFile
	reader  *segmentReader
}

func (t *follower) close() {
	t.bell.close()
	t.closeFile()
}

func (t *follower) closeFile() {
	if t.file != nil {
		t.file.Close()
		t.file, t.reader = nil, nil
	}
}

// take passes a line or damage on, unless it was passed on before, and remembers where it stood.
func (t *follower) take(ln Line, err error) bool {
	again := ln.Segment == t.segment && ln.Offset <= t.seen
	if ln.Segment > t.segment {
		t.segment, t.seen = ln.Segment, -1
	}
	if ln.Segment == t.segment {
		t.seen = max(t.seen, ln.Offset)
	}
	switch {
	case err == nil && ln.Seq <= t.last, err != nil && again:
		return true
	case err == nil:
		t.last = ln.Seq
	}
	return t.yield(ln, err)
}

// readOn yields what was appended since the last time; false when the reading is over.
func (t *follower) readOn() bool {
	for {
		if !t.checkFile() {
			return false
		}
		segs, err := t.log.Segments()
		if err != nil {
			return t.yield(Line{}, err) && false
		}
		if t.segment == 0 {
			segs = t.log.within(segs, t.last, ascending)
		}
		i := slices.IndexFunc(segs, func(s Segment) bool { return s.First >= t.segment })
		if i < 0 {
			return true
		}
		if t.file == nil && !t.open(segs[i]) {
			return true // gone since: pruned
		}
		i = slices.IndexFunc(segs, func(s Segment) bool { return s.First > t.segment })
		t.reader.seg.Sealed = i >= 0 // it was listed before this reading of the rest: nothing can come after
		if !t.reader.each(t.take) {
			return false
		}
		if i < 0 {
			return true
		}
		t.closeFile()
		t.segment, t.seen = segs[i].First, -1
	}
}

// open begins or goes on with a segment.
func (t *follower) open(seg Segment) bool {
	f, err := t.log.OpenSegment(seg.Name)
	if err != nil {
		return false
	}
	if seg.First != t.segment {
		t.segment, t.seen = seg.First, -1
	}
	from := max(t.seen, 0)
	if o, err := t.log.order(seg); t.seen < 0 && err == nil && o.sorted {
		from = seek(f, o.upto, t.last+1)
	}
	t.file = f
	t.reader = &segmentReader{seg: seg, file: f, lines: lineReader{r: f, off: from}, counted: from == 0}
	return true
}

// checkFile looks whether the open file is still the segment, and as long as it was.
func (t *follower) checkFile() bool {
	if t.file == nil {
		return true
	}
	opened, err := t.file.Stat()
	if err != nil {
		t.closeFile()
		return true
	}
	named, err := t.log.StatSegment(t.reader.seg.Name)
	switch {
	case err != nil: // pruned: what is open can be read to its end
		return true
	case !t.file.Compressed() && isCompressed(named): // as it was, in another file
		return true
	case sameFile(opened, named) && opened.Size() >= t.reader.lines.off:
		return true
	}
	ln, derr := t.reader.damage(0, errReplaced)
	t.closeFile()
	t.seen = -1
	return t.yield(ln, derr)
}

var errReplaced = errors.New("the file was cut or replaced while it was read")

// bell rings when something in a directory may have changed. It says no more than that: what has changed is
// found by looking, so that nothing is lost when notifications are.
type bell struct {
	dir   string
	watch *fsnotify.Watcher // nil when the system has none left
	added bool
}

func newBell(dir string) *bell {
	b := &bell{dir: dir}
	if w, err := fsnotify.NewWatcher(); err == nil {
		b.watch = w
		b.added = w.Add(dir) == nil
	}
	return b
}

func (b *bell) close() {
	if b.watch != nil {
		b.watch.Close()
	}
}

// wait returns when the bell rings, after followTick, or when ctx ends.
func (b *bell) wait(ctx context.Context) {
	var events chan fsnotify.Event
	var errs chan error
	if b.watch != nil {
		b.added = b.added || b.watch.Add(b.dir) == nil // the directory may have come late
		events, errs = b.watch.Events, b.watch.Errors
	}
	tick := time.NewTimer(followTick)
	defer tick.Stop()
	select {
	case <-ctx.Done():
	case <-tick.C:
	case <-errs: // an overflow: something was lost
	case <-events:
	}
	for {
		select {
		case <-events:
		case <-errs:
		default:
			return
		}
	}
}
