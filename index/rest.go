package index

import "time"

// restAfter is how long nobody asks before the memory that answers took is given back: the pages of mapped
// files count as the process's own wherever its size is watched.
const restAfter = 30 * time.Second

// rest tells when to give memory back: once after each time in which somebody asked.
type rest struct {
	searches int64 // when they were last seen to have changed
	since    time.Time
	done     bool
}

// due takes the number of searches so far. It is true once when that has not changed for restAfter.
func (r *rest) due(searches int64, now time.Time) bool {
	if searches != r.searches {
		*r = rest{searches: searches, since: now}
		return false
	}
	if r.done || r.searches == 0 || now.Sub(r.since) < restAfter {
		return false
	}
	r.done = true
	return true
}

// rest gives back the mapped pages of all indexes.
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
}
