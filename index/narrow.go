package index

import (
	"math"
	"slices"
	"unsafe"
)

// planFacets plans the condition on facets: it is asked once for each value of the dictionary, or was asked before.
func (p *plan) planFacets(q *Query, wanted []bool) bool {
	if q.Facets == nil {
		return true
	}
	k := &p.c.facets
	if k.lost {
		p.exact, p.cubeOff = false, true
		return true
	}
	if wanted != nil {
		hits := 0
		for _, ok := range wanted {
			if ok {
				hits++
			}
		}
		p.cubeOff = p.cubeOff || hits < len(wanted)
		return p.testCodes(k, wanted, hits, nil)
	}
	var facets Facets // one for all: what it points to may be kept, it itself not
	return p.planValues(k, func(value string) bool {
		facets = splitFacets(value)
		return q.Facets(&facets)
	})
}

// planValues plans a condition of the asker's own on a column of codes. The strings it is given are no part of
// a mapped file: it may keep them.
func (p *plan) planValues(k *codes, wants func(value string) bool) bool {
	values := string(k.dict.blob)
	ok, hits, from := make([]bool, k.dict.len()), 0, uint32(0)
	for i, end := range k.dict.ends {
		value := values[from:end]
		from = end
		shield(func() { ok[i] = wants(value) })
		if ok[i] {
			hits++
		}
	}
	p.cubeOff = p.cubeOff || hits < len(ok)
	return p.testCodes(k, ok, hits, nil)
}

// planObject plans the conditions on id, name, image and tag, which share one column.
func (p *plan) planObject(q *Query) bool {
	if q.ObjID == "" && q.ObjName == "" && q.Image == "" && q.Object == nil {
		return true
	}
	k := &p.c.object
	if k.lost {
		p.exact, p.cubeOff = false, true
		return true
	}
	return p.planNamed(k, q) && p.planOwn(k, q)
}

// planNamed plans the conditions on id, name and image that say what they must be.
func (p *plan) planNamed(k *codes, q *Query) bool {
	if q.ObjID == "" && q.ObjName == "" && q.Image == "" {
		return true
	}
	p.cubeOff = true
	ok := make([]bool, k.dict.len())
	hits := 0
	var o object
	var digits []byte
	for _, needle := range q.needles() {
		k.dict.having(needle, func(code uint32, v []byte) {
			o, digits = splitObject(v, digits[:0])
			if !ok[code] && (q.ObjID == "" || q.isID(string(o.id))) && (q.ObjName == "" || string(o.name) == q.ObjName) && (q.Image == "" || string(o.image) == q.Image) {
				ok[code] = true
				hits++
			}
		})
	}
	return p.testCodes(k, ok, hits, nil)
}

// planOwn plans the condition on an object that the asker has a function for.
func (p *plan) planOwn(k *codes, q *Query) bool {
	if q.Object == nil {
		return true
	}
	// One value after the other in the same memory, which is none of a mapped file: should that fail, it is not while
	// the function runs, whose panics are its own.
	ok, hits := make([]bool, k.dict.len()), 0
	var o object
	var value, digits []byte
	for i := range ok {
		value = append(value[:0], k.dict.at(uint32(i))...)
		o, digits = splitObject(value, digits[:0])
		id, name, image, tag := asString(o.id), asString(o.name), asString(o.image), asString(o.tag)
		shield(func() { ok[i] = q.Object(id, name, image, tag) })
		if ok[i] {
			hits++
		}
	}
	p.cubeOff = p.cubeOff || hits < len(ok)
	return p.testCodes(k, ok, hits, nil)
}

// asString sees bytes that never change as a string.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// planOrder plans the place that a page in the order of time begins behind.
func (p *plan) planOrder(q *Query) bool {
	past, c := q.Past, p.c
	switch {
	case !q.ByTime || past.Seq == 0:
		return true
	case q.Ascending && c.maxTime < past.Time, !q.Ascending && c.minTime > past.Time:
		return false
	case q.Ascending && c.minTime > past.Time, !q.Ascending && c.maxTime < past.Time:
		return true
	}
	p.cubeOff = true
	lo, hi := past.Time, int64(math.MaxInt64)
	if !q.Ascending {
		lo, hi = math.MinInt64, past.Time
	}
	p.tests = append(p.tests, func(base, n int, sel *selection) {
		c.keepTimes(base, n, lo, hi, sel)
		for i, t := range c.times[base : base+n] {
			if t == past.Time && !q.isPast(Place{t, c.seq(base + i)}) {
				sel[i>>6] &^= 1 << (i & 63)
			}
		}
	})
	return true
}

// planOnly plans that nothing but the records at these places, whose seqs rise, is wanted. It is all that is planned.
func (p *plan) planOnly(places []Place) bool {
	if p.c.rows > 0 && len(p.c.times) == 0 { // what is left of columns: they know
		return slices.ContainsFunc(places, func(at Place) bool {
			row := p.c.rowAfter(at.Seq - 1)
			return row >= p.from && row < p.to && p.c.seq(row) == at.Seq
		})
	}
	p.only = makeBlockSet(p.c.blocks())
	rows := make([]int, 0, len(places))
	for _, at := range places {
		if row := p.c.rowAfter(at.Seq - 1); row >= p.from && row < p.to && p.c.seq(row) == at.Seq && len(p.c.times) > row && p.c.times[row] == at.Time {
			rows = append(rows, row)
			p.only.add(row / blockRecords)
		}
	}
	p.tests = append(p.tests, func(base, n int, sel *selection) {
		var wanted selection
		at, _ := slices.BinarySearch(rows, base)
		for ; at < len(rows) && rows[at] < base+n; at++ {
			i := rows[at] - base
			wanted[i>>6] |= 1 << (i & 63)
		}
		for i := range sel {
			sel[i] &= wanted[i]
		}
	})
	return len(rows) > 0
}

// keepTimes clears the bits of rows whose time is not one of lo to hi.
func (s *selection) keepTimes(times []int64, lo, hi int64) {
	span := uint64(hi) - uint64(lo)
	for k := range s {
		if s[k] == 0 {
			continue
		}
		word := uint64(0)
		for i, t := range times[min(64*k, len(times)):min(64*k+64, len(times))] {
			in := uint64(0)
			if uint64(t)-uint64(lo) <= span {
				in = 1
			}
			word |= in << (i & 63)
		}
		s[k] &= word
	}
}

func (s *selection) empty() bool { return *s == selection{} }
