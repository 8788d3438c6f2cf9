package index

import "sync"

// timeZones remembers the least and the greatest time of the blocks whose times were looked at once: records mostly come
// in the order of time, so most blocks lie outside of what is wanted, or inside of it, as a whole. nil remembers nothing.
type timeZones struct {
	mu    sync.Mutex
	zones []zone // guarded by mu; by block
}

// zone is the times of a block; the zero value: not known.
type zone struct {
	known  bool
	lo, hi int64
}

// of is the zone of block b of c; not known, when c has only a part of the block so far.
func (z *timeZones) of(c *columns, b int) zone {
	if z == nil || (b+1)*blockRecords > c.rows {
		return zone{}
	}
	if known := z.get(b); known.known {
		return known
	}
	times := c.times[b*blockRecords : (b+1)*blockRecords]
	found := zone{true, times[0], times[0]}
	for _, t := range times {
		found.lo, found.hi = min(found.lo, t), max(found.hi, t)
	}
	z.put(b, found)
	return found
}

func (z *timeZones) get(b int) (known zone) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if b < len(z.zones) {
		known = z.zones[b]
	}
	return known
}

func (z *timeZones) put(b int, found zone) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if b >= len(z.zones) {
		z.zones = append(z.zones, make([]zone, b+1-len(z.zones))...)
	}
	z.zones[b] = found
}

// keepTimes clears the bits of those of the n rows from base on whose time is not one of lo to hi. They lie in one block.
func (c *columns) keepTimes(base, n int, lo, hi int64, sel *selection) {
	switch z := c.zones.of(c, base/blockRecords); {
	case z.known && (z.hi < lo || z.lo > hi):
		*sel = selection{}
	case z.known && lo <= z.lo && z.hi <= hi:
	default:
		sel.keepTimes(c.times[base:base+n], lo, hi)
	}
}
