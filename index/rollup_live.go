package index

import "sync"

// liveRollup counts the rows of a segment that still grows, as far as they were asked for. Its rows are in no order.
type liveRollup struct {
	mu      sync.Mutex
	names   facetNames // guarded by mu, as all below
	counter rowCounter
	off     bool // there are too many combinations
}

// maxLiveRows bounds the rows, which take some 60 bytes each. How many there will be in the end is not known while the
// first of them come.
const maxLiveRows = 16 << 10

// namesOf names the facets of c, whose rollup this is; false when there are too many. The caller is guarded.
func (l *liveRollup) namesOf(rs *rollups, c *columns) (facetNames, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nameMore(rs, c)
}

// nameMore does so while mu is held.
func (l *liveRollup) nameMore(rs *rollups, c *columns) (names facetNames, ok bool) {
	if c.facets.lost || l.off {
		return names, false
	}
	if len(l.names.places) < c.facets.dict.len() || l.names.table != rs.current() {
		if l.names, ok = rs.name(l.names, &c.facets.dict); !ok {
			l.stop()
			return names, false
		}
	}
	return l.names, true
}

// current is the table that new names go into.
func (rs *rollups) current() *facetTable {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.table
}

// countLive is countRollup for c, which lies in memory; false when there is no rollup of it, or when it has counted
// further than to the end of c.
func (r *run) countLive(c *columns, first, last int32, needed bool) (n int, ok bool) {
	l := c.live
	if l == nil {
		return 0, false
	}
	l.mu.Lock()
	if !needed && l.counter.upto == 0 {
		l.mu.Unlock()
		return 0, false
	}
	names, ok := l.nameMore(&r.x.rolls, c)
	l.mu.Unlock()
	if !ok {
		return 0, false
	}
	verdicts := r.asked.askOf(r, names) // before mu is held: who asks may do what he likes
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.countMore(c, r.x.lively) {
		return 0, false
	}
	kinds := r.wantedKinds(l.counter.kinds, c)
	for i := range l.counter.rows {
		row := &l.counter.rows[i]
		place := names.places[row.code]
		if verdicts[place] == isUnwanted || row.day < first || row.day > last || kinds != nil && !kinds[row.kind] {
			continue
		}
		n += int(row.count)
		r.group.count(row.day, r.asked.names[place], int(row.count))
	}
	return n, true
}

// countMore counts up to the end of c in at most so many rows; false when it cannot. mu is held.
func (l *liveRollup) countMore(c *columns, most int) bool {
	if l.off || l.counter.upto > c.rows {
		return false
	}
	if !l.counter.count(c, most) {
		l.stop()
		return false
	}
	return true
}

// stop gives up, and the memory back. mu is held.
func (l *liveRollup) stop() { l.names, l.counter, l.off = facetNames{}, rowCounter{}, true }

// rest gives the memory back until somebody asks again.
func (l *liveRollup) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.off {
		l.names, l.counter = facetNames{}, rowCounter{}
	}
}
