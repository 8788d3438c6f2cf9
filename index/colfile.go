package index

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// The sections of a columns file.
const (
	colMeta = iota // fixed numbers, see putMeta
	colSeqs
	colTimes
	colOffLow
	colOffTop
	colBits
	colEseqs
	colOdd
	colCube
	colCodes     // five columns, each: codes, ends, blob
	colSections  = colCodes + 3*5
	colMetaWords = 13
)

func (c *columns) codeColumns() []*codes {
	return []*codes{&c.category, &c.action, &c.user, &c.object, &c.facets}
}

// encode makes the columns file.
func (c *columns) encode() []byte {
	s := make([][]byte, colSections)
	s[colMeta] = c.putMeta()
	s[colSeqs], s[colTimes] = asBytes(c.seqs), asBytes(c.times)
	s[colOffLow], s[colOffTop] = asBytes(c.offLow), asBytes(c.offTop)
	s[colBits], s[colEseqs], s[colOdd] = asBytes(c.bits), asBytes(c.eseqs), asBytes(c.odd)
	s[colCube] = c.cube.encode()
	for i, k := range c.codeColumns() {
		part := s[colCodes+3*i:]
		switch {
		case k.w1 != nil:
			part[0] = asBytes(k.w1)
		case k.w2 != nil:
			part[0] = asBytes(k.w2)
		default:
			part[0] = asBytes(k.w4)
		}
		part[1], part[2] = asBytes(k.dict.ends), k.dict.blob
	}
	return encodeSections(s)
}

func (c *columns) putMeta() []byte {
	flags := uint64(0)
	for i, on := range []bool{c.eseqLost, c.shuffled, c.category.lost, c.action.lost, c.user.lost, c.object.lost, c.facets.lost, c.cube != nil} {
		if on {
			flags |= 1 << i
		}
	}
	var b []byte
	for _, v := range [colMetaWords]uint64{uint64(c.rows), uint64(c.end), c.seq0, c.eseq0, flags, uint64(c.damaged), uint64(c.doubled),
		uint64(c.minTime), uint64(c.maxTime), c.minEseq, c.maxEseq} {
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
	if len(s[colMeta]) != 8*colMetaWords {
		return nil, fmt.Errorf("%w: meta of %d bytes", errBadFile, len(s[colMeta]))
	}
	m := func(i int) uint64 { return binary.LittleEndian.Uint64(s[colMeta][8*i:]) }
	if m(0) > math.MaxInt32 || m(1) > math.MaxInt64 {
		return nil, fmt.Errorf("%w: %d rows in %d bytes", errBadFile, m(0), m(1))
	}
	flag := func(i int) bool { return m(4)>>i&1 != 0 }
	c := &columns{rows: int(m(0)), end: int64(m(1)), seq0: m(2), eseq0: m(3), eseqLost: flag(0), shuffled: flag(1),
		damaged: int(m(5)), doubled: int(m(6)), minTime: int64(m(7)), maxTime: int64(m(8)), minEseq: m(9), maxEseq: m(10)}
	c.zones = new(timeZones)
	d := decoder{rows: c.rows}
	c.seqs, c.times = column[uint64](&d, s[colSeqs], true), column[int64](&d, s[colTimes], false)
	c.offLow, c.offTop = column[uint32](&d, s[colOffLow], false), column[uint8](&d, s[colOffTop], true)
	c.bits, c.eseqs = column[uint8](&d, s[colBits], false), column[uint32](&d, s[colEseqs], true)
	c.odd = column[uint64](&decoder{rows: (c.blocks() + 63) / 64, err: d.err}, s[colOdd], false)
	for i, k := range c.codeColumns() {
		d.codes(k, s[colCodes+3*i:], flag(2+i))
	}
	if d.err != nil {
		return nil, d.err
	}
	if len(c.odd) < (c.blocks()+63)/64 || !c.rising() {
		return nil, fmt.Errorf("%w: rows out of order", errBadFile)
	}
	if flag(7) {
		c.cube, err = decodeCube(s[colCube], c)
		c.merged = new(mergedCube)
	}
	return c, err
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

func (d *decoder) codes(k *codes, s [][]byte, lost bool) {
	if k.lost = lost; lost || d.err != nil {
		return
	}
	if k.dict.ends, d.err = asColumn[uint32](s[1]); d.err != nil {
		return
	}
	k.dict.blob = s[2]
	last := uint32(0)
	for _, e := range k.dict.ends {
		if e < last || uint64(e) > uint64(len(k.dict.blob)) {
			d.err = fmt.Errorf("%w: dictionary out of order", errBadFile)
			return
		}
		last = e
	}
	if d.rows == 0 {
		return
	}
	highest := uint32(0)
	switch len(s[0]) / d.rows {
	case 1:
		k.w1 = column[uint8](d, s[0], false)
		highest = highestOf(k.w1)
	case 2:
		k.w2 = column[uint16](d, s[0], false)
		highest = highestOf(k.w2)
	default:
		k.w4 = column[uint32](d, s[0], false)
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
	for i := range c.rows {
		end := c.end
		if i+1 < c.rows && !c.shuffled {
			end = c.offset(i + 1)
		}
		if c.offset(i) >= end {
			return false
		}
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
