package index

import (
	"slices"
	"sync"
	"unsafe"

	"shiplog/format"
)

// rollup counts the records of a sealed segment that agree in day, level, stream, engine, category and facets. It answers
// counts and groups of queries that ask of facets without a look at a row. It is made from the columns when such a query
// first comes, and lies in memory, not on disk.
type rollup struct {
	table  *facetTable
	values []string    // of the table, as many as the rows name
	rows   []rollupRow // by day, then facets
	merged []rollupRow // the same with level, stream, engine, category and eseq left out: a third as many
}

// rollupRow is one combination and how often it stands there.
type rollupRow struct {
	day      int32 // UTC, from 1970
	count    uint32
	facets   uint32 // place in the table
	category uint16 // code
	bits     uint8
	numbered uint8 // 1: has an eseq
}

// facetTable is the combinations of facets in rollups, each once for all segments: so a query asks of each once. It only
// grows.
type facetTable struct {
	places map[string]uint32
	values []string // as in the dictionaries
	bytes  int      // of values
}

// Bounds of what rollups take of the memory. Beyond them the columns answer.
const (
	maxRollupBytes = 8 << 20 // of rows
	maxFacetBytes  = 2 << 20 // of values
)

// rollups is what all of them share.
type rollups struct {
	mu    sync.Mutex
	table *facetTable // guarded by mu, as bytes; begun anew when it is full
	bytes int         // of the rows of all rollups
}

// of returns the rollup of d, which it makes when there is none; nil when d has too many combinations or there is no
// room. The caller holds d, and is guarded.
func (rs *rollups) of(d *disk) *rollup {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.roll != nil || d.noRoll {
		return d.roll
	}
	counted := countRows(d.cols)
	if counted == nil || len(d.cols.facets.dict.blob) > maxFacetBytes {
		d.noRoll = true
		return nil
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.bytes+2*rollupBytes(len(counted)) > maxRollupBytes {
		d.noRoll = true
		return nil
	}
	d.roll, d.rolls = rs.name(d.cols, counted), rs
	rs.bytes += d.roll.size()
	return d.roll
}

// drop gives back the room of r, which nobody will use any more.
func (rs *rollups) drop(r *rollup) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.bytes -= r.size(); rs.bytes == 0 {
		rs.table = nil
	}
}

func (r *rollup) size() int { return rollupBytes(len(r.rows) + len(r.merged)) }

func rollupBytes(rows int) int { return rows * int(unsafe.Sizeof(rollupRow{})) }

// name makes a rollup of counted rows: the codes of one segment's dictionary become places in the table. mu is held.
func (rs *rollups) name(c *columns, rows []rollupRow) *rollup {
	t := rs.table
	if t == nil || t.bytes+len(c.facets.dict.blob) > maxFacetBytes {
		t = &facetTable{places: make(map[string]uint32)} // the old one goes with the rollups that use it
		rs.table = t
	}
	places := make([]uint32, c.facets.dict.len())
	for i := range places {
		value := c.facets.dict.at(uint32(i))
		place, known := t.places[string(value)]
		if !known {
			place = uint32(len(t.values))
			own := string(value)
			t.places[own], t.values, t.bytes = place, append(t.values, own), t.bytes+len(own)
		}
		places[i] = place
	}
	for i := range rows {
		rows[i].facets = places[rows[i].facets]
	}
	slices.SortFunc(rows, func(a, b rollupRow) int {
		if a.day != b.day {
			return int(a.day) - int(b.day)
		}
		return int(a.facets) - int(b.facets)
	})
	return &rollup{table: t, values: t.values, rows: rows, merged: mergeRows(rows)}
}

func mergeRows(rows []rollupRow) []rollupRow {
	var merged []rollupRow
	for _, row := range rows {
		if n := len(merged); n > 0 && merged[n-1].day == row.day && merged[n-1].facets == row.facets {
			merged[n-1].count += row.count
			continue
		}
		merged = append(merged, rollupRow{day: row.day, facets: row.facets, count: row.count})
	}
	return slices.Clip(merged)
}

// countRows counts the combinations, with codes for facets; nil when there are too many to save anything, or when a
// column is missing.
func countRows(c *columns) []rollupRow {
	if c.facets.lost || c.category.lost || c.eseqLost || c.facets.dict.len() > 1<<22 || c.category.dict.len() > 1<<12 {
		return nil
	}
	first, last := dayOf(c.minTime), dayOf(c.maxTime)
	if last-first >= 1<<16 || last < first {
		return nil
	}
	most := c.rows/4 + 16
	rows := make([]rollupRow, 0, 256)
	places := make(map[uint64]int32, 1024) // of a combination, in rows
	for i := range c.rows {
		row := rollupRow{day: dayOf(c.times[i]), facets: c.facets.at(i), category: uint16(c.category.at(i)), bits: c.bits[i]}
		if c.eseq(i) != 0 {
			row.numbered = 1
		}
		key := uint64(row.day-first)<<43 | uint64(row.facets)<<21 | uint64(row.category)<<9 | uint64(row.bits)<<1 | uint64(row.numbered)
		place, known := places[key]
		if !known {
			if place = int32(len(rows)); len(rows) == most {
				return nil
			}
			places[key] = place
			rows = append(rows, row)
		}
		rows[place].count++
	}
	return slices.Clip(rows)
}

// rollable tells whether rollups can answer q when a whole segment is wanted, and are needed for it.
func (r *run) rollable() bool {
	q := &r.q
	byFacets := r.group != nil && r.group.by == byFacets
	return (q.Facets != nil || len(q.Actions) > 0 || byFacets) && (r.group == nil || byFacets) && r.sight == nil &&
		q.Text == "" && q.Where == nil && q.Object == nil && q.ObjID == "" && q.ObjName == "" && q.Image == "" &&
		q.AfterEseq == 0 && q.UptoEseq == 0 && q.Past.Seq == 0 && r.m.only == nil &&
		allKnown(levelNames, q.Levels...) && (q.Stream == "" || allKnown(streamNames, q.Stream)) &&
		(q.Engine == "" || allKnown(engineNames, q.Engine))
}

func allKnown[T ~string](names []T, wanted ...T) bool {
	return !slices.ContainsFunc(wanted, func(name T) bool { return place(names, name) == 0 })
}

// fromRollup answers from the rollup of t alone when that is enough: a count, or a page that begins beyond. The caller
// is guarded.
func (r *run) fromRollup(v *view, t *table, emit emitter) bool {
	if t.disk == nil || emit != nil && r.skip == 0 || !r.rollable() {
		return false
	}
	c, q := t.cols, &r.q
	if c.rowAfter(max(q.After, v.after)) > 0 || q.Before != 0 && c.rowAfter(q.Before-1) < c.rows {
		return false
	}
	first, last, ok := r.m.wholeDays(c)
	if !ok {
		return false
	}
	roll := r.x.rolls.of(t.disk)
	if roll == nil {
		return false
	}
	r.group.begin(nil)
	n := r.countRollup(roll, c, first, last)
	switch {
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
func (r *run) countRollup(roll *rollup, c *columns, first, last int32) (n int) {
	rows := roll.merged
	if !r.q.needsNoMore() {
		rows = r.keepRows(roll.rows, c)
	}
	a := &r.asked
	a.begin(roll)
	for i := range rows {
		row := &rows[i]
		if row.day < first || row.day > last {
			continue
		}
		verdict := a.verdicts[row.facets]
		if verdict == notAsked {
			verdict = a.ask(r, row.facets)
		}
		if verdict == isUnwanted {
			continue
		}
		n += int(row.count)
		if r.group != nil {
			a.count(r.group, row)
		}
	}
	a.flush(r.group)
	return n
}

// needsNoMore tells whether q asks of time and facets alone.
func (q *Query) needsNoMore() bool {
	return len(q.Levels)+len(q.Categories)+len(q.NotCategories) == 0 && q.Stream == "" && q.Engine == "" && !q.Numbered
}

// keepRows returns those of rows, which are of c, that r wants but for time and facets.
func (r *run) keepRows(rows []rollupRow, c *columns) (kept []rollupRow) {
	var bits [256]bool
	for i := range bits {
		bits[i] = r.q.wantsBits(uint8(i))
	}
	categories := make([]bool, c.category.dict.len())
	for i := range categories {
		categories[i] = r.m.wantsCategory(c.category.dict.at(uint32(i)))
	}
	for _, row := range rows {
		if bits[row.bits] && categories[row.category] && (!r.q.Numbered || row.numbered != 0) {
			kept = append(kept, row)
		}
	}
	return kept
}

// wantsBits is planBits for names that are all known.
func (q *Query) wantsBits(b uint8) bool {
	return (len(q.Levels) == 0 || slices.ContainsFunc(q.Levels, func(l format.Level) bool { return place(levelNames, l) == b&levelMask })) &&
		(q.Stream == "" || place(streamNames, q.Stream) == b>>streamShift&streamMask) &&
		(q.Engine == "" || place(engineNames, q.Engine) == b>>engineShift)
}
