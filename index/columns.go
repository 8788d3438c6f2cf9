package index

import (
	"math"
	"sort"

	"shiplog/format"
)

// blockRecords is how many consecutive records share one bitmap and one Bleve document. 512 was the best of
// 128 to 2048: larger blocks cost little less CPU and several times the latency of a rare text.
const blockRecords = 512

// columns is what is known of the records of one segment without looking at their lines: row i is the i-th
// record by seq. It never changes; the rows of an active segment are seen through a fresh copy of the slice
// headers. The slices lie in memory or in a mapped file.
type columns struct {
	rows int
	end  int64 // byte after the last line looked at

	seq0    uint64   // seq of row 0
	seqs    []uint64 // nil: dense, row i is seq0+i
	times   []int64  // Unix ns
	offLow  []uint32 // byte at which the line begins, low half
	offTop  []uint8  // bits 32 to 39; nil: all zero
	offBase []uint32 // of each group of rows, see nearOffsets
	offNear []uint16 // behind that; not nil: instead of offLow and offTop
	bits    []uint8  // level, stream, engine: see packBits

	eseqs    []uint32 // eseq - eseq0 + 1; 0: none; nil: no row has one
	eseq0    uint64
	eseqLost bool // an eseq did not fit: ask the line

	category, action, user, object, facets codes

	odd      []uint64 // bit b: the raw text of block b must not be searched, see oddText
	grams    *blockGrams
	shuffled bool // offsets do not rise with seq
	damaged  int  // lines that are no record
	doubled  int  // lines whose seq was there already

	minTime, maxTime int64
	minEseq, maxEseq uint64      // 0: no row has one
	cube             cube        // nil: not counted
	merged           *mergedCube // of a cube that will be asked often; nil: ask the cube
	live             *liveRollup // of a segment that still grows; nil: none
	zones            *timeZones
}

// codes is one column of values out of a dictionary.
type codes struct {
	w1   []uint8
	w2   []uint16
	w4   []uint32
	dict dict
	lost bool // too many distinct values: no column, ask the line
}

func (c *codes) at(i int) uint32 {
	switch {
	case c.w1 != nil:
		return uint32(c.w1[i])
	case c.w2 != nil:
		return uint32(c.w2[i])
	}
	return c.w4[i]
}

func (c *columns) seq(i int) uint64 {
	if c.seqs != nil {
		return c.seqs[i]
	}
	return c.seq0 + uint64(i)
}

func (c *columns) eseq(i int) uint64 {
	if c.eseqs == nil || c.eseqs[i] == 0 {
		return 0
	}
	return c.eseq0 + uint64(c.eseqs[i]) - 1
}

// rowAfter is the first row with a seq above seq.
func (c *columns) rowAfter(seq uint64) int {
	if c.rows == 0 || seq < c.seq0 {
		return 0
	}
	if c.seqs == nil {
		return int(min(seq-c.seq0+1, uint64(c.rows)))
	}
	return sort.Search(c.rows, func(i int) bool { return c.seqs[i] > seq })
}

func (c *columns) blocks() int { return (c.rows + blockRecords - 1) / blockRecords }

func (c *columns) isOdd(block int) bool { return c.odd[block>>6]>>(block&63)&1 != 0 }

// thin is the columns without the columns: the rollup and what it takes to ask it. It answers counts and
// tells segments without a match while an index is still being made. nil: there is no rollup.
func (c *columns) thin() *columns {
	if c.cube == nil || c.seqs != nil {
		return nil
	}
	t := &columns{rows: c.rows, end: c.end, seq0: c.seq0, eseq0: c.eseq0, damaged: c.damaged, doubled: c.doubled,
		minTime: c.minTime, maxTime: c.maxTime, minEseq: c.minEseq, maxEseq: c.maxEseq, cube: c.cube}
	t.category.dict, t.user.dict = c.category.dict, c.user.dict
	t.action.lost, t.object.lost, t.facets.lost = true, true, true
	return t
}

// memory is about how many bytes of heap the columns hold.
func (c *columns) memory() int {
	n := 8*len(c.seqs) + 8*len(c.times) + 4*len(c.offLow) + len(c.offTop) + 4*len(c.offBase) + 2*len(c.offNear) + len(c.bits) + 4*len(c.eseqs)
	for _, k := range c.codeColumns() {
		n += len(k.w1) + 2*len(k.w2) + 4*len(k.w4) + 2*len(k.dict.blob) + 4*len(k.dict.ends)
	}
	if c.grams != nil {
		n += len(c.grams.blocks) * gramBlockBytes
	}
	return n + len(c.cube)*cubeRowBytes
}

// The byte of level, stream and engine. Zero in a part means "none of the known": ask the line.
const (
	levelMask, streamShift, streamMask, engineShift = 7, 3, 3, 5
)

var (
	levelNames  = []format.Level{"", format.LevelDebug, format.LevelInfo, format.LevelWarn, format.LevelError}
	streamNames = []format.Stream{"", format.StreamLog, format.StreamEvent}
	engineNames = []format.Engine{"?", "", format.EngineDocker, format.EngineLXC, format.EngineLXD, format.EngineIncus}
)

func packBits(f *format.Fields) uint8 {
	return place(levelNames, f.Level) | place(streamNames, f.Stream)<<streamShift | place(engineNames, f.Engine)<<engineShift
}

// place is the position of name in names; 0 when it is none of the later ones.
func place[T ~string](names []T, name T) uint8 {
	for i := 1; i < len(names); i++ {
		if names[i] == name {
			return uint8(i)
		}
	}
	return 0
}

func (c *columns) noteTime(t int64) {
	if c.rows == 0 {
		c.minTime, c.maxTime = math.MaxInt64, math.MinInt64
	}
	c.minTime, c.maxTime = min(c.minTime, t), max(c.maxTime, t)
}

const dayNanos = 86400 * 1e9

// dayOf is the UTC day of t, counted from 1970.
func dayOf(t int64) int32 {
	d := t / dayNanos
	if t%dayNanos < 0 {
		d--
	}
	return int32(d)
}
