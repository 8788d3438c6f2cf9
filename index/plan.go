package index

import (
	"math"
	"math/bits"
	"slices"

	"shiplog/format"
)

// selection is one bit for each record of a block.
type selection [blockRecords / 64]uint64

func (s *selection) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// setRange sets the bits from to to-1 and clears all others.
func (s *selection) setRange(from, to int) {
	for i := range s {
		lo, hi := max(from-64*i, 0), min(to-64*i, 64)
		s[i] = 0
		if lo < hi {
			s[i] = (math.MaxUint64 >> (64 - (hi - lo))) << lo
		}
	}
}

// plan is a query worked out for the columns of one segment.
type plan struct {
	c        *columns
	from, to int                                 // rows
	tests    []func(base, n int, sel *selection) // clear the bits of the n rows from base on that fail
	exact    bool                                // the tests decide; else they only narrow and the line is asked
	counted  func(r *cubeRow) bool               // the whole segment is wanted and this picks its rows of the cube
	pick     []func(r *cubeRow) bool             // parts of counted
	cubeOff  bool                                // a condition that the cube does not know
	cubeAll  bool                                // the day or the user is picked: the merged cube does not know them
	only     blockSet                            // the blocks that may hold what is wanted; nil: all
	sight    *sight                              // narrows by time while the run goes on; nil: not
}

// newPlan works q out for c, of which only seqs below below belong to this segment (0: all).
// It returns nil when no record of the segment can match.
func newPlan(q *Query, m *matcher, c *columns, after, below uint64) *plan {
	p := &plan{c: c, from: c.rowAfter(max(q.After, after)), to: c.rows, exact: true}
	for _, b := range []uint64{q.Before, below} {
		if b != 0 {
			p.to = min(p.to, c.rowAfter(b-1))
		}
	}
	if m.only != nil { // what was found to match when its place was looked for
		if q.None || p.from >= p.to || !p.planOnly(m.only) {
			return nil
		}
		p.exact = q.Text == "" && q.Where == nil
		return p
	}
	if q.None || p.from >= p.to || !p.planNumbers(q, m) || !p.planBits(q, m) || !p.planNames(q, m) ||
		!p.planObject(q) || !p.planFacets(q, m.wanted) {
		return nil
	}
	if q.Text != "" || q.Where != nil {
		p.exact = false
	}
	if p.exact && !p.cubeOff && c.cube != nil && p.from == 0 && p.to == c.rows {
		p.counted = func(r *cubeRow) bool {
			for _, ok := range p.pick {
				if !ok(r) {
					return false
				}
			}
			return true
		}
	}
	return p
}

// planNumbers plans the conditions on time and eseq.
func (p *plan) planNumbers(q *Query, m *matcher) bool {
	c := p.c
	if c.maxTime < m.from || c.minTime >= m.to && !(m.toIncl && c.minTime == m.to) {
		return false
	}
	if c.minTime < m.from || !m.inTime(c.maxTime) {
		p.planDays(m)
		last := m.to
		if !m.toIncl {
			last-- // not the least of all times: no record was before it
		}
		if last < m.from {
			return false
		}
		p.tests = append(p.tests, func(base, n int, sel *selection) { c.keepTimes(base, n, m.from, last, sel) })
	}
	if !p.planOrder(q) {
		return false
	}
	if !q.wantsEseq() {
		return true
	}
	if c.maxEseq == 0 || c.maxEseq <= q.AfterEseq || q.UptoEseq != 0 && c.minEseq > q.UptoEseq {
		return false
	}
	p.cubeOff = p.cubeOff || q.AfterEseq != 0 || q.UptoEseq != 0
	p.pick = append(p.pick, func(r *cubeRow) bool { return r.numbered != 0 })
	if c.eseqLost {
		p.exact = false
		return true
	}
	p.tests = append(p.tests, func(base, n int, sel *selection) {
		for i := range n {
			e := c.eseq(base + i)
			if e == 0 || e <= q.AfterEseq || q.UptoEseq != 0 && e > q.UptoEseq {
				sel[i>>6] &^= 1 << (i & 63)
			}
		}
	})
	return true
}

// planDays lets the cube answer when the wanted time begins and ends with a day.
func (p *plan) planDays(m *matcher) {
	first, last := dayOf(max(m.from, p.c.minTime)), dayOf(p.c.maxTime)
	if m.from > p.c.minTime && m.from%dayNanos != 0 {
		p.cubeOff = true
	}
	if m.to <= p.c.maxTime && !m.toIncl {
		p.cubeOff = p.cubeOff || m.to%dayNanos != 0
		last = dayOf(m.to) - 1
	}
	p.cubeAll = true
	p.pick = append(p.pick, func(r *cubeRow) bool { return first <= r.day && r.day <= last })
}

// planBits plans level, stream and engine, which share one byte. A name that is none of the known ones is
// packed as zero: such rows pass when such a name is asked for, and the line decides.
func (p *plan) planBits(q *Query, m *matcher) bool {
	if len(q.Levels) == 0 && q.Stream == "" && q.Engine == "" {
		return true
	}
	w := m.wantedBits()
	p.exact = p.exact && w.exact
	p.pick = append(p.pick, func(r *cubeRow) bool { return w.ok[r.bits] })
	p.tests = append(p.tests, func(base, n int, sel *selection) { keepCodes(p.c.bits[base:base+n], w.ok[:], sel) })
	return w.any
}

// wantedBits are the bytes of level, stream and engine that a query wants: the same for all segments.
type wantedBits struct {
	ok    [256]bool
	any   bool // of ok
	exact bool // the line need not decide
}

func (m *matcher) wantedBits() *wantedBits {
	if m.bits != nil {
		return m.bits
	}
	q, w := m.q, &wantedBits{exact: true}
	m.bits = w
	for i := range w.ok {
		b := uint8(i)
		level := len(q.Levels) == 0 || slices.ContainsFunc(q.Levels, func(l format.Level) bool { return w.maybe(place(levelNames, l), b&levelMask) })
		stream := q.Stream == "" || w.maybe(place(streamNames, q.Stream), b>>streamShift&streamMask)
		engine := q.Engine == "" || w.maybe(place(engineNames, q.Engine), b>>engineShift)
		w.ok[i] = level && stream && engine
		w.any = w.any || w.ok[i]
	}
	return w
}

// maybe tells whether a packed part may stand for a name, given as it is packed. A name that is not known is packed as
// zero, as all unknown ones are: then the line decides.
func (w *wantedBits) maybe(want, part uint8) bool {
	w.exact = w.exact && want != 0
	return part == want
}

// planNames plans category, action and user.
func (p *plan) planNames(q *Query, m *matcher) bool {
	c := p.c
	if len(m.cats)+len(m.notCats) > 0 {
		if !p.planCodes(&c.category, m.wantsCategory, func(r *cubeRow) uint32 { return r.category }) {
			return false
		}
	}
	if len(q.Actions) > 0 {
		p.cubeOff = true
		wants := func(v []byte) bool { return slices.Contains(q.Actions, string(v)) }
		if !p.planCodes(&c.action, wants, nil) {
			return false
		}
	}
	if q.User != "" {
		p.cubeAll = true
		wants := func(v []byte) bool { return string(v) == q.User }
		if !p.planCodes(&c.user, wants, func(r *cubeRow) uint32 { return r.user }) {
			return false
		}
	}
	return true
}

// planCodes plans a condition on a column of codes: it is asked once for each value of the dictionary.
func (p *plan) planCodes(k *codes, wants func(value []byte) bool, ofCube func(*cubeRow) uint32) bool {
	if k.lost {
		p.exact, p.cubeOff = false, true
		return true
	}
	ok := make([]bool, k.dict.len())
	hits := 0
	for i := range ok {
		if wants(k.dict.at(uint32(i))) {
			ok[i] = true
			hits++
		}
	}
	return p.testCodes(k, ok, hits, ofCube)
}

func (p *plan) testCodes(k *codes, ok []bool, hits int, ofCube func(*cubeRow) uint32) bool {
	switch hits {
	case 0:
		return false
	case len(ok):
		return true
	}
	if ofCube != nil {
		p.pick = append(p.pick, func(r *cubeRow) bool { return ok[ofCube(r)] })
	}
	p.tests = append(p.tests, func(base, n int, sel *selection) {
		switch {
		case k.w1 != nil:
			keepCodes(k.w1[base:base+n], ok, sel)
		case k.w2 != nil:
			keepCodes(k.w2[base:base+n], ok, sel)
		default:
			keepCodes(k.w4[base:base+n], ok, sel)
		}
	})
	return true
}

func keepCodes[W uint8 | uint16 | uint32](column []W, ok []bool, sel *selection) {
	for k := range sel {
		if sel[k] == 0 {
			continue
		}
		word := uint64(0)
		for i, code := range column[min(64*k, len(column)):min(64*k+64, len(column))] {
			bit := uint64(0)
			if ok[code] {
				bit = 1
			}
			word |= bit << (i & 63)
		}
		sel[k] &= word
	}
}

// block works out which records of block b the columns let through.
func (p *plan) block(b int, sel *selection) bool {
	base := b * blockRecords
	n := min(p.c.rows-base, blockRecords)
	sel.setRange(max(p.from-base, 0), min(p.to-base, n))
	if p.sight != nil {
		lo, hi := p.sight.times()
		p.c.keepTimes(base, n, lo, hi, sel)
	}
	for _, test := range p.tests {
		if sel.empty() {
			return false
		}
		test(base, n, sel)
	}
	return !sel.empty()
}
