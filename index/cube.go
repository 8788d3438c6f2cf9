package index

import (
	"slices"
	"sync"
	"unsafe"
)

// cubeRow counts the records of a segment that agree in day, level, stream, engine, category and user.
// It lies in files as it lies in memory.
type cubeRow struct {
	day            int32 // UTC, from 1970
	bits           uint8
	numbered       uint8 // 1: has an eseq
	category, user uint32
	count          uint32
}

// cubeRowBytes is the size of a row.
const cubeRowBytes = int(unsafe.Sizeof(cubeRow{}))

// cube is the rollup of one segment, sorted. Whatever asks for nothing else is counted from it.
type cube []cubeRow

// makeCube counts c; nil when there would be too many rows to save anything, or when a column is missing.
func makeCube(c *columns) cube {
	if c.category.lost || c.user.lost || c.eseqLost {
		return nil
	}
	counts := make(map[cubeRow]uint32)
	for i := range c.rows {
		r := cubeRow{day: dayOf(c.times[i]), bits: c.bits[i], category: c.category.at(i), user: c.user.at(i)}
		if c.eseq(i) != 0 {
			r.numbered = 1
		}
		counts[r]++
		if len(counts) > c.rows/8+16 {
			return nil
		}
	}
	rows := make(cube, 0, len(counts))
	for r, n := range counts {
		r.count = n
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b cubeRow) int {
		switch {
		case a.day != b.day:
			return int(a.day) - int(b.day)
		case a.category != b.category:
			return int(a.category) - int(b.category)
		case a.user != b.user:
			return int(a.user) - int(b.user)
		case a.bits != b.bits:
			return int(a.bits) - int(b.bits)
		}
		return int(a.numbered) - int(b.numbered)
	})
	return rows
}

// count is how many records pass.
func (cu cube) count(ok func(r *cubeRow) bool) int {
	n := 0
	for i := range cu {
		if ok(&cu[i]) {
			n += int(cu[i].count)
		}
	}
	return n
}

// mergedCube is a cube without days and users, which are what makes a cube long. It is made when it is first asked for.
type mergedCube struct {
	once sync.Once
	rows cube
}

// of returns what of cu there is when days and users do not matter; cu is always the same.
func (m *mergedCube) of(cu cube) cube {
	if m == nil {
		return cu
	}
	m.once.Do(func() {
		var rows cube
		places := make(map[cubeRow]int)
		for _, r := range cu {
			key := cubeRow{bits: r.bits, numbered: r.numbered, category: r.category}
			place, known := places[key]
			if !known {
				place = len(rows)
				places[key], rows = place, append(rows, key)
			}
			rows[place].count += r.count
		}
		m.rows = rows
	})
	if m.rows == nil { // the file could not be read
		return cu
	}
	return m.rows
}

// fromThin answers from what was kept of columns that are no longer in memory, when that is enough.
func (r *run) fromThin(v *view, emit emitter) bool {
	if v.cols != nil {
		return false
	}
	v.seg.mu.Lock()
	c := v.seg.thin
	if v.seg.diskState == diskOpen || v.seg.cols != nil {
		c = nil // there is better
	}
	v.seg.mu.Unlock()
	if c == nil {
		return false
	}
	p := newPlan(&r.q, r.m, c, v.after, v.below)
	r.group.begin(p)
	if p == nil || p.counted != nil && r.fromCube(p, emit) {
		r.damaged += c.damaged
		return true
	}
	return false
}

// fromHead answers from the head of an index whose columns nobody has needed yet, when that is enough: with it all is
// done. A text that the gate knows not to be there needs no columns either.
func (r *run) fromHead(v *view, t *table, emit emitter) (done bool, err error) {
	if t.cols != nil || !t.disk.head.planned() {
		return false, nil
	}
	h := t.disk.head
	err = guard(func() error {
		if !h.within(v) {
			r.x.strays.Store(true)
			return errStray
		}
		p := newPlan(&r.q, r.m, &h.columns, v.after, v.below)
		r.group.begin(p)
		done = p == nil || p.counted != nil && r.fromCube(p, emit)
		return nil
	})
	if err == nil && !done {
		var n need
		n, err = r.gate(t)
		done = n.none
	}
	if done && err == nil {
		r.damaged += h.damaged
	}
	return done, err
}

// fromCube answers from the rollup alone when that is enough: a count, or a page that begins beyond.
func (r *run) fromCube(p *plan, emit emitter) bool {
	cu := p.c.cube
	if !p.cubeAll {
		cu = p.c.merged.of(cu)
	}
	n := cu.count(p.counted)
	switch {
	case n == 0:
		return true
	case emit == nil && r.group != nil:
		return r.group.cube()
	case emit == nil:
		r.matches += n
		return true
	case n <= r.skip:
		r.skip -= n
		if r.q.Ascending {
			r.q.After = p.c.seq(p.to - 1)
		} else {
			r.q.Before = p.c.seq(p.from)
		}
		return true
	}
	return false
}
