package index

import (
	"slices"
	"unsafe"

	"shiplog/format"
)

// rollup counts the records of a sealed segment that agree in facets, day, level, stream, engine, category and in whether
// they have an eseq. It answers counts and groups of queries that ask of facets without a look at a row: whose facets are
// not wanted is passed over. It is made from the columns when such a query first comes, and lies in memory, not on disk.
type rollup struct {
	totals []uint32    // records, by code of the facets
	ends   []uint32    // where the rows of a code end
	rows   []rollupRow // by code, then day
	kinds  []rollupKind
	first  int32 // day, UTC, from 1970
	last   int32
}

// rollupRow is one combination and how often it stands there.
type rollupRow struct {
	count uint32
	day   uint16 // after the first one
	kind  uint16 // in kinds
}

// rollupKind is what is the same for many rows.
type rollupKind struct {
	category uint16 // code
	bits     uint8
	numbered bool // has an eseq
}

// of returns the rollup of d, which it makes when there is none and it is needed; nil when d has too many combinations or
// there is no room. The caller holds d, and is guarded.
func (rs *rollups) of(d *disk, needed bool) (*rollup, facetNames) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.roll == nil && !needed || d.noRoll {
		return nil, facetNames{}
	}
	names, ok := rs.names(d)
	if d.roll != nil || !ok {
		return d.roll, names
	}
	if roll := makeRollup(d.cols); roll != nil && rs.take(roll.size()) {
		d.roll = roll
	}
	d.noRoll = d.roll == nil
	return d.roll, names
}

func (r *rollup) size() int {
	return 4*(len(r.totals)+len(r.ends)) + len(r.rows)*int(unsafe.Sizeof(rollupRow{})) + len(r.kinds)*int(unsafe.Sizeof(rollupKind{}))
}

// makeRollup counts c; nil when there are too many combinations to save anything, or when a column is missing.
func makeRollup(c *columns) *rollup {
	first, last := dayOf(c.minTime), dayOf(c.maxTime)
	if last-first >= 1<<16 || last < first {
		return nil
	}
	var n rowCounter
	if !n.count(c, c.rows/4+16) {
		return nil
	}
	slices.SortFunc(n.rows, func(a, b countedRow) int {
		switch {
		case a.code != b.code:
			return int(a.code) - int(b.code)
		case a.day != b.day:
			return int(a.day) - int(b.day)
		}
		return int(a.kind) - int(b.kind)
	})
	codes := c.facets.dict.len()
	roll := &rollup{totals: make([]uint32, codes), ends: make([]uint32, codes), rows: make([]rollupRow, len(n.rows)),
		kinds: n.kinds, first: first, last: last}
	at := 0
	for code := range codes {
		for ; at < len(n.rows) && n.rows[at].code == uint32(code); at++ {
			row := &n.rows[at]
			roll.rows[at] = rollupRow{count: row.count, day: uint16(row.day - first), kind: row.kind}
			roll.totals[code] += row.count
		}
		roll.ends[code] = uint32(at)
	}
	return roll
}

// rowCounter counts combinations as rows come.
type rowCounter struct {
	upto   int // rows that are counted
	rows   []countedRow
	kinds  []rollupKind
	places map[uint64]int32 // of a combination, in rows
	kindOf map[rollupKind]uint16
}

type countedRow struct {
	code  uint32 // of the facets
	day   int32  // UTC, from 1970
	count uint32
	kind  uint16
}

// count counts the rows of c that it has not counted yet; false when there are more than so many combinations, or when a
// column is missing.
func (n *rowCounter) count(c *columns, most int) bool {
	if c.facets.lost || c.category.lost || c.eseqLost || c.facets.dict.len() > 1<<22 || c.category.dict.len() > 1<<12 {
		return false
	}
	if n.places == nil {
		n.places, n.kindOf = make(map[uint64]int32, 1024), make(map[rollupKind]uint16)
	}
	for ; n.upto < c.rows; n.upto++ {
		i := n.upto
		row := countedRow{code: c.facets.at(i), day: dayOf(c.times[i])}
		kind := rollupKind{category: uint16(c.category.at(i)), bits: c.bits[i], numbered: c.eseq(i) != 0}
		numbered := uint64(0)
		if kind.numbered {
			numbered = 1
		}
		// A day has 18 bits with its sign: an int64 holds nanoseconds of 584 years.
		key := uint64(uint32(row.day)&0xfffff)<<44 | uint64(row.code)<<22 | uint64(kind.category)<<10 | uint64(kind.bits)<<2 | numbered
		place, known := n.places[key]
		if !known {
			if place = int32(len(n.rows)); len(n.rows) >= most || len(n.kinds) == 1<<16 {
				return false
			}
			row.kind = n.kind(kind)
			n.places[key] = place
			n.rows = append(n.rows, row)
		}
		n.rows[place].count++
	}
	return true
}

func (n *rowCounter) kind(k rollupKind) uint16 {
	place, known := n.kindOf[k]
	if !known {
		place = uint16(len(n.kinds))
		n.kindOf[k], n.kinds = place, append(n.kinds, k)
	}
	return place
}

// rollable tells whether rollups can answer q when a whole segment is wanted, and whether they are needed for it: else the
// cube answers, which takes a little longer, but need not be made.
func (r *run) rollable() (can, needed bool) {
	q := &r.q
	byFacets := r.group != nil && r.group.by == byFacets
	needed = q.Facets != nil || len(q.Actions) > 0 || byFacets
	return (needed || q.User != "") && (r.group == nil || byFacets) && r.sight == nil &&
		q.Text == "" && q.Where == nil && q.Object == nil && q.ObjID == "" && q.ObjName == "" && q.Image == "" &&
		q.AfterEseq == 0 && q.UptoEseq == 0 && q.Past.Seq == 0 && r.m.only == nil &&
		allKnown(levelNames, q.Levels...) && (q.Stream == "" || allKnown(streamNames, q.Stream)) &&
		(q.Engine == "" || allKnown(engineNames, q.Engine)), needed
}

func allKnown[T ~string](names []T, wanted ...T) bool {
	return !slices.ContainsFunc(wanted, func(name T) bool { return place(names, name) == 0 })
}

// fromRollup answers from the rollup of t alone when that is enough: a count, or a page that begins beyond. The caller
// is guarded.
func (r *run) fromRollup(v *view, t *table, emit emitter) bool {
	if emit != nil && r.skip == 0 {
		return false
	}
	can, needed := r.rollable()
	c, q := t.cols, &r.q
	if !can || c.rowAfter(max(q.After, v.after)) > 0 || q.Before != 0 && c.rowAfter(q.Before-1) < c.rows {
		return false
	}
	first, last, ok := r.m.wholeDays(c)
	if !ok {
		return false
	}
	n := 0
	if t.disk == nil {
		n, ok = r.countLive(c, first, last, needed)
	} else if roll, names := r.x.rolls.of(t.disk, needed); roll != nil {
		n = r.countRollup(roll, names, c, first, last)
	} else {
		ok = false
	}
	switch {
	case !ok:
		return false
	case emit == nil:
		r.matches += n
	case n > r.skip:
		return false
	default:
		r.skip -= n
		if q.Ascending {
			q.After = c.seq(c.rows - 1)
		} else {
			q.Before = c.seq(0)
		}
	}
	return true
}

// wholeDays are the days of c that m wants; false when it wants part of one.
func (m *matcher) wholeDays(c *columns) (first, last int32, ok bool) {
	first, last = dayOf(c.minTime), dayOf(c.maxTime)
	if m.from > c.minTime {
		if first = dayOf(m.from); m.from%dayNanos != 0 {
			return 0, 0, false
		}
	}
	if !m.inTime(c.maxTime) && m.from <= c.maxTime {
		if last = dayOf(m.to) - 1; m.to%dayNanos != 0 || m.toIncl {
			return 0, 0, false
		}
	}
	return first, last, true
}

// countRollup counts what r wants of the days, and groups it.
func (r *run) countRollup(roll *rollup, names facetNames, c *columns, first, last int32) (n int) {
	if last < roll.first || first > roll.last || first > last {
		return 0
	}
	kinds, a := r.wantedKinds(roll.kinds, c), r.asked
	if kinds == nil && r.group == nil && first <= roll.first && roll.last <= last {
		return a.sum(r, names, roll.totals)
	}
	verdicts := a.askOf(r, names)
	from, to := uint16(max(first-roll.first, 0)), uint16(min(last, roll.last)-roll.first)
	start := uint32(0)
	for code, end := range roll.ends {
		rows := roll.rows[start:end]
		start = end
		place := names.places[code]
		if verdicts[place] != isWanted {
			continue
		}
		day, sum := uint16(0), 0 // rows of one day follow each other
		for _, row := range rows {
			if row.day < from || row.day > to || kinds != nil && !kinds[row.kind] {
				continue
			}
			if row.day != day {
				r.group.count(roll.first+int32(day), a.names[place], sum)
				day, sum = row.day, 0
			}
			sum += int(row.count)
			n += int(row.count)
		}
		r.group.count(roll.first+int32(day), a.names[place], sum)
	}
	return n
}

// wantedKinds tells which kinds r wants; nil: all. The categories are codes of c.
func (r *run) wantedKinds(kinds []rollupKind, c *columns) []bool {
	q := &r.q
	if len(q.Levels)+len(q.Categories)+len(q.NotCategories) == 0 && q.Stream == "" && q.Engine == "" && !q.Numbered {
		return nil
	}
	wanted := make([]bool, len(kinds))
	for i, k := range kinds {
		wanted[i] = q.wantsBits(k.bits) && r.m.wantsCategory(c.category.dict.at(uint32(k.category))) && (!q.Numbered || k.numbered)
	}
	return wanted
}

// wantsBits is planBits for names that are all known.
func (q *Query) wantsBits(b uint8) bool {
	return (len(q.Levels) == 0 || slices.ContainsFunc(q.Levels, func(l format.Level) bool { return place(levelNames, l) == b&levelMask })) &&
		(q.Stream == "" || place(streamNames, q.Stream) == b>>streamShift&streamMask) &&
		(q.Engine == "" || place(engineNames, q.Engine) == b>>engineShift)
}
