package index

import (
	"math"
	"runtime"
	"runtime/debug"
	"time"
)

// restAfter is how long nobody asks before the memory that answers took is given back: the pages of mapped
// files count as the process's own wherever its size is watched.
const restAfter = 30 * time.Second

// rest tells when to give memory back: once after each time in which somebody asked.
type rest struct {
	steps int64     // of searches, when they were last seen to have changed
	since time.Time // then; of a new one the time from which on nobody has asked
	done  bool
}

// due takes how many searches have begun and ended so far. It is true once when that has not changed for restAfter.
func (r *rest) due(steps int64, now time.Time) bool {
	if steps != r.steps {
		*r = rest{steps: steps, since: now}
		return false
	}
	if r.done || now.Sub(r.since) < restAfter {
		return false
	}
	r.done = true
	return true
}

// rest gives back the mapped pages of all indexes, and closes those of Bleve, which hold 80 KiB of heap each while they
// are open. Who asks next opens them again, in 0.3 ms each.
func (x *Index) rest(snap *snapshot) {
	if snap == nil {
		return
	}
	for _, v := range snap.views {
		s := v.seg
		s.mu.Lock()
		if s.diskState == diskOpen {
			s.disk.rest()
		}
		s.mu.Unlock()
		if v.cols != nil && v.cols.live != nil {
			v.cols.live.rest()
		}
	}
	x.rolls.give(0)
	x.shards.cool(math.MaxUint64)
}

// giveBack lets the system have the memory that is free now. The runtime alone would keep for minutes what answers took,
// and does not collect in a process that does nothing; and it is told here, at a time at which all is awake, so that it
// needs none of its own. Pools hold for one more collection what they had at the last one.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory()
}
