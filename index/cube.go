package index

import (
	"slices"
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
