package index

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// The sections of a columns file. Those before colHead are its head, which has a checksum of its own: it tells what most
// segments are asked, and is all of the file that is read until rows are needed.
const (
	colMeta     = iota // fixed numbers, see putMeta
	colCube            // rollup
	colHeadDict        // dictionaries of category, action and user, each: ends, blob
	colHead     = colHeadDict + 2*headDicts
)

const (
	colSeqs = colHead + iota
	colTimes
	colOffLow // both empty when there are the other two
	colOffTop
	colOffBase
	colOffNear
	colBits
	colEseqs
	colOdd
	colCodes                    // of the five columns
	colDict      = colCodes + 5 // dictionaries of object and facets
	colSections  = colDict + 2*(5-headDicts)
	colMetaWords = 13
	headDicts    = 3
)

// codeColumns are the columns of codes; the dictionaries of the first headDicts of them are in the head.
func (c *columns) codeColumns() []*codes {
	return []*codes{&c.category, &c.action, &c.user, &c.object, &c.facets}
}

// dictSection is the first of the two sections of the dictionary of column i.
func dictSection(i int) int {
	if i < headDicts {
		return colHeadDict + 2*i
	}
	return colDict + 2*(i-headDicts)
}

// encode makes the columns file.
func (c *columns) encode() []byte {
	s := make([][]byte, colSections)
	s[colMeta] = c.putMeta()
	s[colSeqs], s[colTimes] = asBytes(c.seqs), asBytes(c.times)
	if base, near := c.nearOffsets(); near != nil {
		s[colOffBase], s[colOffNear] = asBytes(base), asBytes(near)
	} else {
		s[colOffLow], s[colOffTop] = asBytes(c.offLow), asBytes(c.offTop)
	}
	s[colBits], s[colEseqs], s[colOdd] = asBytes(c.bits), asBytes(c.eseqs), asBytes(c.odd)
	s[colCube] = c.cube.encode()
	for i, k := range c.codeColumns() {
		switch {
		case k.w1 != nil:
			s[colCodes+i] = asBytes(k.w1)
		case k.w2 != nil:
			s[colCodes+i] = asBytes(k.w2)
		default:
			s[colCodes+i] = asBytes(k.w4)
		}
		at := dictSection(i)
		s[at], s[at+1] = asBytes(k.dict.ends), k.dict.blob
	}
	return encodeSections(s)
}

func (c *columns) putMeta() []byte {
	flags, last := uint64(0), c.seq0
	for i, on := range []bool{c.eseqLost, c.shuffled, c.category.lost, c.action.lost, c.user.lost, c.object.lost, c.facets.lost, c.cube != nil} {
		if on {
			flags |= 1 << i
		}
	}
	if c.rows > 0 {
		last = c.seq(c.rows - 1)
	}
	var b []byte
	for _, v := range [colMetaWords]uint64{uint64(c.rows), uint64(c.end), c.seq0, c.eseq0, flags, uint64(c.damaged), uint64(c.doubled),
		uint64(c.minTime), uint64(c.maxTime), c.minEseq, c.maxEseq, last} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// decodeColumns reads a columns file. The columns point into b. Whatever b holds, using the result leads to
// no panic: codes and places are checked here, once.
func decodeColumns(b []byte) (*columns, error) {
	s, err := decodeSections(b, colSections)
	if err != nil {
		return nil, err
	}
	h, err := decodeHead(s)
	if err != nil {
		return nil, err
	}
	c := h.columns
	c.zones = new(timeZones)
	d := decoder{rows: c.rows}
	c.seqs, c.times = column[uint64](&d, s[colSeqs], true), column[int64](&d, s[colTimes], false)
	d.offsets(&c, s)
	c.bits, c.eseqs = column[uint8](&d, s[colBits], false), column[uint32](&d, s[colEseqs], true)
	c.odd = column[uint64](&decoder{rows: (c.blocks() + 63) / 64, err: d.err}, s[colOdd], false)
	for i, k := range c.codeColumns() {
		if i >= headDicts {
			d.dict(k, s[dictSection(i):])
		}
		d.codes(k, s[colCodes+i])
	}
	if d.err != nil {
		return nil, d.err
	}
	if len(c.odd) < (c.blocks()+63)/64 || !c.rising() || c.rows > 0 && c.seq(c.rows-1) != h.last {
		return nil, fmt.Errorf("%w: rows out of order", errBadFile)
	}
	return &c, nil
}

// decoder remembers the first thing that was wrong.
type decoder struct {
	rows int
	err  error
}

// column takes over one section as a column of as many rows as there are, or of none when it may be absent.
func column[T number](d *decoder, b []byte, mayLack bool) []T {
	col, err := asColumn[T](b)
	if err == nil && len(col) != d.rows && !(mayLack && len(col) == 0) {
		err = fmt.Errorf("%w: column of %d rows, want %d", errBadFile, len(col), d.rows)
	}
	if err != nil && d.err == nil {
		d.err = err
	}
	return col
}

// dict takes over the two sections of a dictionary.
func (d *decoder) dict(k *codes, s [][]byte) {
	if k.lost || d.err != nil {
		return
	}
	if k.dict.ends, d.err = asColumn[uint32](s[0]); d.err != nil {
		return
	}
	k.dict.blob = s[1]
	last := uint32(0)
	for _, e := range k.dict.ends {
		if e < last || uint64(e) > uint64(len(k.dict.blob)) {
			d.err = fmt.Errorf("%w: dictionary out of order", errBadFile)
			return
		}
		last = e
	}
}

// codes takes over the section of a column whose dictionary is known.
func (d *decoder) codes(k *codes, s []byte) {
	if k.lost || d.err != nil || d.rows == 0 {
		return
	}
	highest := uint32(0)
	switch len(s) / d.rows {
	case 1:
		k.w1 = column[uint8](d, s, false)
		highest = highestOf(k.w1)
	case 2:
		k.w2 = column[uint16](d, s, false)
		highest = highestOf(k.w2)
	default:
		k.w4 = column[uint32](d, s, false)
		highest = highestOf(k.w4)
	}
	if d.err == nil && int(highest) >= k.dict.len() {
		d.err = fmt.Errorf("%w: code %d of %d", errBadFile, highest, k.dict.len())
	}
}

func highestOf[T uint8 | uint16 | uint32](col []T) uint32 {
	var highest T
	for _, v := range col {
		highest = max(highest, v)
	}
	return uint32(highest)
}

// rising tells whether rows are in the order of seq, and lines in the order that shuffled says.
func (c *columns) rising() bool {
	for i := 1; i < len(c.seqs); i++ {
		if c.seqs[i] <= c.seqs[i-1] {
			return false
		}
	}
	if len(c.seqs) > 0 && c.seqs[0] != c.seq0 || c.rows > 0 && c.seq0 > math.MaxUint64-uint64(c.rows) {
		return false
	}
	before := int64(-1)
	for i := range c.rows {
		at := c.offset(i)
		if at >= c.end || at <= before && !c.shuffled {
			return false
		}
		before = at
	}
	return true
}

// encode is the rollup as it lies in memory.
func (cu cube) encode() []byte {
	if len(cu) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(cu))), len(cu)*cubeRowBytes)
}

// decodeCube sees a section as the rollup of c.
func decodeCube(b []byte, c *columns) (cube, error) {
	words, err := asColumn[uint32](b)
	if err != nil || len(b)%cubeRowBytes != 0 {
		return nil, fmt.Errorf("%w: rollup of %d bytes", errBadFile, len(b))
	}
	if len(b) == 0 {
		return cube{}, nil
	}
	cu, sum := unsafe.Slice((*cubeRow)(unsafe.Pointer(unsafe.SliceData(words))), len(b)/cubeRowBytes), uint64(0)
	for i := range cu {
		r := &cu[i]
		if int(r.category) >= c.category.dict.len() || int(r.user) >= c.user.dict.len() {
			return nil, fmt.Errorf("%w: rollup names what is not there", errBadFile)
		}
		sum += uint64(r.count)
	}
	if sum != uint64(c.rows) {
		return nil, fmt.Errorf("%w: rollup of %d records, want %d", errBadFile, sum, c.rows)
	}
	return cu, nil
}
