package index

import (
	"math"
	"slices"

	"shiplog/format"
)

// builder makes the columns of one segment line by line, in the order of the file.
type builder struct {
	c     columns // but for the columns of codes
	cat   codesBuilder
	act   codesBuilder
	user  codesBuilder
	obj   codesBuilder
	fac   codesBuilder
	buf   []byte // scratch
	text  []byte // the last line's folded msg, if that is wanted
	fold  bool   // it is
	seqHi uint64 // highest seq so far
}

// newBuilder makes a builder; with grams it also collects the bitmaps that let a text search pass over blocks.
func newBuilder(grams bool) *builder {
	b := &builder{fold: true}
	if grams {
		b.c.grams = &blockGrams{}
	}
	return b
}

// add takes in one intact line that begins at byte offset of its segment and ends before byte end.
// It is false when the line before had the same seq.
func (b *builder) add(f *format.Fields, offset, end int64) bool {
	c := &b.c
	c.end = end
	if c.rows > 0 && f.Seq == b.seqHi {
		c.doubled++
		return false
	}
	b.addSeq(f.Seq)
	c.noteTime(f.Time)
	c.times = append(c.times, f.Time)
	b.addOffset(offset)
	c.bits = append(c.bits, packBits(f))
	b.addEseq(f.Eseq)
	b.cat.add(b.value(f.Category))
	b.act.add(b.value(f.Action))
	b.user.add(b.value(f.User()))
	b.buf = appendObject(b.buf[:0], f)
	b.obj.add(b.buf)
	b.buf = appendFacets(b.buf[:0], f)
	b.fac.add(b.buf)
	b.addText(f)
	c.rows++
	return true
}

func (b *builder) value(v format.Value) []byte {
	if !v.Escaped() {
		return v.Raw()
	}
	b.buf = v.Bytes(b.buf)
	return b.buf
}

func (b *builder) addSeq(seq uint64) {
	c := &b.c
	switch {
	case c.rows == 0:
		c.seq0 = seq
	case c.seqs == nil && seq != c.seq0+uint64(c.rows):
		c.seqs = make([]uint64, c.rows, 2*c.rows+blockRecords)
		for i := range c.seqs {
			c.seqs[i] = c.seq0 + uint64(i)
		}
	}
	if c.seqs != nil {
		c.seqs = append(c.seqs, seq)
	}
	if seq < b.seqHi {
		c.shuffled = true
	}
	b.seqHi = max(b.seqHi, seq)
}

func (b *builder) addOffset(offset int64) {
	c := &b.c
	if c.offTop == nil && offset > math.MaxUint32 {
		c.offTop = make([]uint8, c.rows, 2*c.rows+blockRecords)
	}
	if c.offTop != nil {
		c.offTop = append(c.offTop, uint8(offset>>32))
	}
	c.offLow = append(c.offLow, uint32(offset))
}

func (b *builder) addEseq(eseq uint64) {
	c := &b.c
	if eseq != 0 {
		if c.maxEseq == 0 {
			c.minEseq = eseq
		}
		c.minEseq, c.maxEseq = min(c.minEseq, eseq), max(c.maxEseq, eseq)
	}
	if c.eseqLost || eseq == 0 && c.eseqs == nil {
		return
	}
	if c.eseqs == nil {
		c.eseq0 = eseq
		c.eseqs = make([]uint32, c.rows, 2*c.rows+blockRecords)
	}
	if eseq != 0 && (eseq < c.eseq0 || eseq-c.eseq0 >= math.MaxUint32) {
		c.eseqLost, c.eseqs = true, nil
		return
	}
	code := uint32(0)
	if eseq != 0 {
		code = uint32(eseq-c.eseq0) + 1
	}
	c.eseqs = append(c.eseqs, code)
}

func (b *builder) addText(f *format.Fields) {
	c := &b.c
	block := c.rows / blockRecords
	if block>>6 >= len(c.odd) {
		c.odd = append(c.odd, 0)
	}
	raw := f.Msg.Bytes(b.buf)
	if f.Msg.Escaped() {
		b.buf = raw
	}
	if oddText(f.Msg, raw) {
		odd := slices.Clone(c.odd) // a reader may be looking at the old one
		odd[block>>6] |= 1 << (block & 63)
		c.odd = odd
	}
	if !b.fold {
		return
	}
	b.text = AppendFold(b.text[:0], raw)
	if c.grams != nil {
		c.grams.add(block, b.text)
	}
}

// view is the columns as they are now. They stay as they are while the builder goes on.
func (b *builder) view() *columns {
	c := b.c
	c.category, c.action, c.user, c.object, c.facets = b.cat.codes, b.act.codes, b.user.codes, b.obj.codes, b.fac.codes
	if c.grams != nil {
		// The last block still changes.
		c.grams = &blockGrams{blocks: c.grams.blocks[:min(len(c.grams.blocks), c.rows/blockRecords)]}
	}
	if c.shuffled {
		c.sort()
	}
	return &c
}

// sort brings rows that a tool shuffled or doubled into the order of seq, each seq once: the line that stands
// first in the file. What belongs to blocks of lines is dropped.
func (c *columns) sort() {
	rows := make([]int, c.rows)
	for i := range rows {
		rows[i] = i
	}
	slices.SortStableFunc(rows, func(a, b int) int {
		switch {
		case c.seqs[a] < c.seqs[b]:
			return -1
		case c.seqs[a] > c.seqs[b]:
			return 1
		}
		return 0
	})
	once := slices.CompactFunc(slices.Clone(rows), func(a, b int) bool { return c.seqs[a] == c.seqs[b] })
	c.doubled += len(rows) - len(once)
	c.rows = len(once)
	c.seqs, c.times, c.bits = pick(c.seqs, once), pick(c.times, once), pick(c.bits, once)
	c.offLow, c.offTop, c.eseqs = pick(c.offLow, once), pick(c.offTop, once), pick(c.eseqs, once)
	for _, k := range c.codeColumns() {
		k.w1, k.w2, k.w4 = pick(k.w1, once), pick(k.w2, once), pick(k.w4, once)
	}
	c.seq0, c.grams, c.live, c.zones = c.seqs[0], nil, nil, nil
	c.odd = make([]uint64, len(c.odd))
	for i := range c.odd {
		c.odd[i] = math.MaxUint64
	}
}

// pick returns the given rows of a column; nil stays nil.
func pick[T any](column []T, rows []int) []T {
	if column == nil {
		return nil
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = column[r]
	}
	return out
}
