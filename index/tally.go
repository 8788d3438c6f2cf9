package index

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"shiplog/format"
)

// grouping is the counting of one run. A nil grouping counts nothing.
type grouping struct {
	by     Field
	of     func(*Facets) string // with byFacets
	facets Facets               // what it is asked of, reused

	list   []string       // values, each once
	places map[string]int // of them, in list
	days   map[int32]*dayCounts
	recent [4]*dayCounts  // those of days that came last: records mostly come day by day
	many   map[uint64]int // by day<<32 | place, of places from maxPlaces on

	// of the segment being visited; added to days when it went well
	p     *plan
	codes map[uint64]int  // day<<32 | code
	dense map[int32][]int // by day, then code: likewise; nil unless the codes are few
	lines map[groupKey]int
}

// dayCounts is how many records of a day have which value.
type dayCounts struct {
	day    int32
	counts []int // by place in the list of values, as far as one came
}

// maxPlaces bounds the values that are counted for each day, whether they come or not.
const maxPlaces = 1024

// place is where a value stands in the list.
func (g *grouping) place(value string) int32 {
	i, known := g.places[value]
	if !known {
		if g.places == nil {
			g.places = make(map[string]int)
		}
		i = len(g.list)
		g.places[value], g.list = i, append(g.list, value)
	}
	return int32(i)
}

// count adds n records of a day with the value at place.
func (g *grouping) count(day, place int32, n int) {
	if g == nil || n == 0 {
		return
	}
	d := g.recent[day&3]
	if d == nil || d.day != day {
		if d = g.days[day]; d == nil {
			if g.days == nil {
				g.days = make(map[int32]*dayCounts)
			}
			d = &dayCounts{day: day}
			g.days[day] = d
		}
		g.recent[day&3] = d
	}
	if place >= maxPlaces {
		if g.many == nil {
			g.many = make(map[uint64]int)
		}
		g.many[groupCode(day, uint32(place))] += n
		return
	}
	if int(place) >= len(d.counts) {
		d.counts = append(d.counts, make([]int, min(len(g.list), maxPlaces)-len(d.counts))...)
	}
	d.counts[place] += n
}

// ofDay is how many records of a day have the value at place.
func (g *grouping) ofDay(d *dayCounts, place int) int {
	switch {
	case place < len(d.counts):
		return d.counts[place]
	case place < maxPlaces:
		return 0
	}
	return g.many[groupCode(d.day, uint32(place))]
}

// sorted lists the groups by day and value.
func (g *grouping) sorted() []Group {
	order := make([]int, len(g.list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(g.list[a], g.list[b]) })
	out := make([]Group, 0, len(g.days)*min(len(order), 16))
	for _, day := range slices.Sorted(maps.Keys(g.days)) {
		midnight, d := time.Unix(int64(day)*86400, 0).UTC(), g.days[day]
		for _, place := range order {
			if n := g.ofDay(d, place); n > 0 {
				out = append(out, Group{midnight, g.list[place], n})
			}
		}
	}
	return out
}

// begin readies g for a segment. When the columns do not know a value of the field the lines are asked.
func (g *grouping) begin(p *plan) {
	if g == nil {
		return
	}
	g.p, g.codes, g.dense, g.lines = p, nil, nil, nil
	if p == nil {
		return
	}
	k, mask := g.column(p.c)
	if k != nil && k.lost || mask != 0 && p.c.hasUnknown(mask) {
		p.exact, p.counted = false, nil
	}
}

// hasUnknown tells whether the part of some row's byte that mask picks is none of the known names.
func (c *columns) hasUnknown(mask uint8) bool {
	if c.cube != nil {
		return slices.ContainsFunc(c.cube, func(r cubeRow) bool { return r.bits&mask == 0 })
	}
	return slices.ContainsFunc(c.bits, func(b uint8) bool { return b&mask == 0 })
}

// column is where the field stands: in a column of codes, or in a part of the byte of bits.
func (g *grouping) column(c *columns) (k *codes, mask uint8) {
	switch g.by {
	case ByCategory:
		return &c.category, 0
	case ByUser:
		return &c.user, 0
	case ByAction:
		return &c.action, 0
	case byFacets:
		return &c.facets, 0
	case ByStream:
		return nil, streamMask << streamShift
	}
	return nil, levelMask
}

// line counts one line that was judged.
func (g *grouping) line(f *format.Fields) {
	if g == nil {
		return
	}
	var v string
	switch g.by {
	case ByCategory:
		v = f.Category.String()
	case ByLevel:
		v = string(f.Level)
	case ByUser:
		v = f.User().String()
	case ByAction:
		v = f.Action.String()
	case ByStream:
		v = string(f.Stream)
	case byFacets:
		g.facets = facetsOf(f)
		v = g.of(&g.facets)
	}
	if g.lines == nil {
		g.lines = make(map[groupKey]int)
	}
	g.lines[groupKey{dayOf(f.Time), v}]++
}

// cube counts from the rollup; false when it does not hold the field.
func (g *grouping) cube() bool {
	if g.by == ByAction || g.by == byFacets {
		return false
	}
	_, mask := g.column(g.p.c)
	for i := range g.p.c.cube {
		row := &g.p.c.cube[i]
		if !g.p.counted(row) {
			continue
		}
		code := uint32(row.bits & mask)
		switch g.by {
		case ByCategory:
			code = row.category
		case ByUser:
			code = row.user
		}
		g.addCode(row.day, code, int(row.count))
	}
	return true
}

// rows counts the selected rows of block b.
func (g *grouping) rows(b int, sel *selection) error {
	if g == nil {
		return nil
	}
	c := g.p.c
	k, mask := g.column(c)
	size := math.MaxUint8 + 1
	if k != nil {
		size = k.dict.len()
	}
	return guard(func() error {
		day, counts, any := int32(0), []int(nil), false
		for i := range min(c.rows-b*blockRecords, blockRecords) {
			if sel[i>>6]>>(i&63)&1 == 0 {
				continue
			}
			row := b*blockRecords + i
			code := uint32(c.bits[row] & mask)
			if k != nil {
				code = k.at(row)
			}
			if d := dayOf(c.times[row]); d != day || !any {
				day, counts, any = d, g.countsOf(d, size), true
			}
			if counts != nil {
				counts[code]++
			} else {
				g.addCode(day, code, 1)
			}
		}
		return nil
	})
}

// maxDense bounds the counts of days that are kept for all codes, whether they come or not.
const maxDense = 1 << 17

// countsOf is where the records of a day are counted by code, of which there are size; nil: in codes.
func (g *grouping) countsOf(day int32, size int) []int {
	counts := g.dense[day]
	if counts != nil || (len(g.dense)+1)*size > maxDense {
		return counts
	}
	if g.dense == nil {
		g.dense = make(map[int32][]int)
	}
	counts = make([]int, size)
	g.dense[day] = counts
	return counts
}

// addCode counts n records of a day by a code, in codes.
func (g *grouping) addCode(day int32, code uint32, n int) {
	if g.codes == nil {
		g.codes = make(map[uint64]int)
	}
	g.codes[groupCode(day, code)] += n
}

func groupCode(day int32, code uint32) uint64 { return uint64(uint32(day))<<32 | uint64(code) }

// keep adds what was counted of a segment to the whole.
func (g *grouping) keep() error {
	if g == nil {
		return nil
	}
	var named []groupCount
	err := guard(func() error {
		names := namer{g: g}
		for key, n := range g.codes {
			named = append(named, groupCount{int32(key >> 32), names.of(uint32(key)), n})
		}
		for day, counts := range g.dense {
			for code, n := range counts {
				if n > 0 {
					named = append(named, groupCount{day, names.of(uint32(code)), n})
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range named {
		g.count(c.day, c.place, c.n)
	}
	for key, n := range g.lines {
		g.count(key.day, g.place(key.value), n)
	}
	g.discard()
	return nil
}

// groupCount is n records of a day with the value at place.
type groupCount struct {
	day, place int32
	n          int
}

// namer finds the values that codes stand for, each once: many codes may have one value.
type namer struct {
	g     *grouping
	codes map[uint32]int32 // their places in the list of g
}

// of is the place of the value of a code.
func (n *namer) of(code uint32) int32 {
	if i, ok := n.codes[code]; ok {
		return i
	}
	if n.codes == nil {
		n.codes = make(map[uint32]int32)
	}
	i := n.g.place(n.g.name(code))
	n.codes[code] = i
	return i
}

// name is what a code stands for.
func (g *grouping) name(code uint32) (name string) {
	k, _ := g.column(g.p.c)
	switch {
	case g.by == byFacets:
		g.facets = splitFacets(string(k.dict.at(code)))
		shield(func() { name = g.of(&g.facets) })
		return name
	case k != nil:
		return string(k.dict.at(code))
	case g.by == ByStream:
		return string(streamNames[code>>streamShift])
	}
	return string(levelNames[code])
}

// restart forgets all that was counted.
func (g *grouping) restart() {
	if g != nil {
		g.discard()
		clear(g.days)
		clear(g.recent[:])
		clear(g.many)
	}
}

// discard forgets what was counted of a segment.
func (g *grouping) discard() {
	if g != nil {
		g.p, g.codes, g.dense, g.lines = nil, nil, nil, nil
	}
}
