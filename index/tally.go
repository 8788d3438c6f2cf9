package index

import (
	"math"
	"slices"

	"shiplog/format"
)

// grouping is the counting of one run. A nil grouping counts nothing.
type grouping struct {
	by     Field
	of     func(*Facets) string // with byFacets
	facets Facets               // what it is asked of, reused
	counts map[groupKey]int

	// of the segment being visited; added to counts when it went well
	p     *plan
	codes map[uint64]int  // day<<32 | code
	dense map[int32][]int // by day, then code: likewise; nil unless the codes are few
	lines map[groupKey]int
}

// begin readies g for a segment. When the columns do not know a value of the field the lines are asked.
func (g *grouping) begin(p *plan) {
	if g == nil {
		return
	}
	g.p, g.codes, g.dense, g.lines = p, make(map[uint64]int), nil, nil
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
		g.codes[groupCode(row.day, code)] += int(row.count)
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
				g.codes[groupCode(day, code)]++
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

func groupCode(day int32, code uint32) uint64 { return uint64(uint32(day))<<32 | uint64(code) }

// keep adds what was counted of a segment to the whole.
func (g *grouping) keep() error {
	if g == nil {
		return nil
	}
	named := make(map[groupKey]int)
	err := guard(func() error {
		names := namer{g: g}
		for key, n := range g.codes {
			named[groupKey{int32(key >> 32), names.list[names.of(uint32(key))]}] += n
		}
		var sums []int
		for day, counts := range g.dense {
			clear(sums)
			for code, n := range counts {
				if n == 0 {
					continue
				}
				i := names.of(uint32(code))
				sums = append(sums, make([]int, len(names.list)-len(sums))...)
				sums[i] += n
			}
			for i, n := range sums {
				if n > 0 {
					named[groupKey{day, names.list[i]}] += n
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	g.sum(named)
	g.sum(g.lines)
	g.discard()
	return nil
}

// namer finds the names that codes stand for, each once: many codes may have one name.
type namer struct {
	g      *grouping
	codes  map[uint32]int // where in list
	places map[string]int
	list   []string
}

// of is where in the list the name of a code stands.
func (n *namer) of(code uint32) int {
	if i, ok := n.codes[code]; ok {
		return i
	}
	if n.codes == nil {
		n.codes, n.places = make(map[uint32]int), make(map[string]int)
	}
	name := n.g.name(code)
	i, ok := n.places[name]
	if !ok {
		i = len(n.list)
		n.places[name], n.list = i, append(n.list, name)
	}
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

func (g *grouping) sum(counts map[groupKey]int) {
	for key, n := range counts {
		g.counts[key] += n
	}
}

// restart forgets all that was counted.
func (g *grouping) restart() {
	if g != nil {
		g.discard()
		clear(g.counts)
	}
}

// discard forgets what was counted of a segment.
func (g *grouping) discard() {
	if g != nil {
		g.p, g.codes, g.dense, g.lines = nil, nil, nil, nil
	}
}
