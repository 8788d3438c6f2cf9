package prune

import (
	"slices"
	"time"
)

// most bounds one removal, so that its records and its line of the chain stay short.
const most = 256

// file is a segment as a plan sees it.
type file struct {
	name  string
	first uint64
	bytes int64         // with what lies beside it
	clock time.Duration // age of its last record by the clock
	lived time.Duration // and as the log has seen it pass
}

// scene is all that a plan is made of.
type scene struct {
	files   []file // oldest first; the last one is the active segment and never removed
	reserve int64  // bytes that the active segment may still grow by
	doubt   string // why the clock is not believed; empty: it is
	free    uint64 // bytes of the disk, as the next; more than any has while nobody looked
	total   uint64
	looked  bool
	budget  int // segments that age and free space may still remove; negative: no bound
}

// plan is how many of the oldest segments are to be removed, and by which rules.
type plan struct {
	n     int
	rules []string
	more  bool // there is more than the bounds let be removed at once
	short bool // enough of the disk will not be free
	bound int  // so many of n are beyond the rule of bytes, and count for the bound within an hour
}

// decide makes the plan. It looks at nothing but its arguments.
func (p Policy) decide(s scene) plan {
	able := p.removable(s)
	var out plan
	atOnce := 0
	add := func(rule string, n int, bounded bool) {
		n = min(n, able)
		if bounded && s.budget >= 0 && n > s.budget {
			n, out.more = s.budget, true
		}
		if n > most {
			n, out.more = most, true
		}
		if n > 0 {
			out.n, out.rules = max(out.n, n), append(out.rules, rule)
		}
		if !bounded {
			atOnce = n
		}
	}
	add(ruleAge, p.tooOld(s), true)
	add(ruleBytes, p.tooMany(s), false)
	tight := p.tooTight(s)
	add(ruleFree, tight, true)
	out.short, out.bound = tight > out.n, out.n-atOnce
	return out
}

// removable is how many of the oldest segments may be removed at all.
func (p Policy) removable(s scene) int {
	n := len(s.files) - 1 - max(p.AtLeast.Segments, 1)
	if p.AtLeast.Age > 0 {
		young := slices.IndexFunc(s.files, func(f file) bool { return f.lived < p.AtLeast.Age })
		if young >= 0 {
			n = min(n, young)
		}
	}
	return max(n, 0)
}

// tooOld counts the segments at the begin whose youngest record is older than Age.
func (p Policy) tooOld(s scene) int {
	if p.Age <= 0 || s.doubt != "" && !p.TrustClock {
		return 0
	}
	young := slices.IndexFunc(s.files, func(f file) bool {
		if p.TrustClock {
			return f.clock < p.Age
		}
		return min(f.clock, f.lived) < p.Age
	})
	if young < 0 {
		return len(s.files)
	}
	return young
}

// tooMany counts the segments that have to go so that the rest takes no more than Bytes, also when the active one
// has grown to its full size.
func (p Policy) tooMany(s scene) int {
	if p.Bytes <= 0 {
		return 0
	}
	left := s.reserve
	for _, f := range s.files {
		left += f.bytes
	}
	n := 0
	for ; n < len(s.files) && left > p.Bytes; n++ {
		left -= s.files[n].bytes
	}
	return n
}

// tooTight counts the segments that have to go so that enough of the disk is free.
func (p Policy) tooTight(s scene) int {
	want, free, n := p.Free.of(s.total), s.free, 0
	for ; n < len(s.files) && free < want; n++ {
		free += uint64(s.files[n].bytes)
	}
	return n
}

// SegmentBytes is how large segments may get so that the rule of bytes can be kept; 0: as large as they are by default.
func (p Policy) SegmentBytes() int64 {
	const least, parts = 64 << 10, 16
	if p.Bytes <= 0 || p.Bytes/parts >= 32<<20 {
		return 0
	}
	return max(p.Bytes/parts, least)
}

// allowance is how many segments age and free space may remove within the next hour: a quarter of them.
type allowance struct {
	spent []time.Duration // uptimes at which one was removed
}

// left is what is not spent yet of what n sealed segments allow.
func (a *allowance) left(n int, up time.Duration) int {
	a.spent = slices.DeleteFunc(a.spent, func(t time.Duration) bool { return up-t >= time.Hour })
	return max(max(n+len(a.spent), 4)/4-len(a.spent), 0)
}

func (a *allowance) spend(n int, up time.Duration) {
	for range n {
		a.spent = append(a.spent, up)
	}
}
