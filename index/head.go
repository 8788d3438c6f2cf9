package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// head is what the head of a columns file tells of a segment: all that needs no rows.
type head struct {
	columns        // but for the columns themselves
	last    uint64 // seq of the last row
	dense   bool   // the seqs of the rows follow each other
}

// headSum is the checksum of the head of an encoded columns file.
func headSum(b []byte) *fileSum {
	size := sectionEnd(b, colHead-1)
	return &fileSum{int64(size), crc32.Checksum(b[:size], castagnoli)}
}

// readHead reads the head of the columns file b after holding it against its sum. The head points into b.
func readHead(b []byte, want *fileSum) (*head, error) {
	if want.Size < 0 || want.Size > int64(len(b)) || crc32.Checksum(b[:want.Size], castagnoli) != want.CRC {
		return nil, fmt.Errorf("%w: checksum of the head of %s does not match", errBadFile, columnsFile)
	}
	s, err := decodeSections(b, colSections)
	if err != nil {
		return nil, err
	}
	for i := range colHead {
		if int64(sectionEnd(b, i)) > want.Size {
			return nil, fmt.Errorf("%w: the head of %s reaches further than it should", errBadFile, columnsFile)
		}
	}
	h, err := decodeHead(s)
	if err == nil {
		h.object.lost, h.facets.lost = true, true // as far as the head tells
	}
	return h, err
}

// decodeHead takes over the sections of the head.
func decodeHead(s [][]byte) (*head, error) {
	if len(s[colMeta]) != 8*colMetaWords {
		return nil, fmt.Errorf("%w: meta of %d bytes", errBadFile, len(s[colMeta]))
	}
	m := func(i int) uint64 { return binary.LittleEndian.Uint64(s[colMeta][8*i:]) }
	if m(0) > math.MaxInt32 || m(1) > math.MaxInt64 || m(2) > math.MaxUint64-m(0) {
		return nil, fmt.Errorf("%w: %d rows from %d on in %d bytes", errBadFile, m(0), m(2), m(1))
	}
	flag := func(i int) bool { return m(4)>>i&1 != 0 }
	h := &head{last: m(11), dense: len(s[colSeqs]) == 0}
	c := &h.columns
	c.rows, c.end, c.seq0, c.eseq0, c.eseqLost, c.shuffled = int(m(0)), int64(m(1)), m(2), m(3), flag(0), flag(1)
	c.damaged, c.doubled, c.minTime, c.maxTime, c.minEseq, c.maxEseq = int(m(5)), int(m(6)), int64(m(7)), int64(m(8)), m(9), m(10)
	if c.rows > 0 && (h.last < c.seq0 || h.dense && h.last != c.seq0+uint64(c.rows)-1) {
		return nil, fmt.Errorf("%w: %d rows from %d to %d", errBadFile, c.rows, c.seq0, h.last)
	}
	var d decoder
	for i, k := range c.codeColumns() {
		if k.lost = flag(2 + i); i < headDicts {
			d.dict(k, s[dictSection(i):])
		}
	}
	if d.err != nil {
		return nil, d.err
	}
	if !flag(7) {
		return h, nil
	}
	var err error
	c.cube, err = decodeCube(s[colCube], c)
	c.merged = new(mergedCube)
	return h, err
}

// within tells whether all rows belong to v: their seqs lie between its bounds.
func (h *head) within(v *view) bool {
	return h.rows == 0 || h.seq0 > v.after && (v.below == 0 || h.last < v.below)
}

// planned tells whether a query can be planned by the head.
func (h *head) planned() bool { return h.dense || h.rows == 0 }

// summary is that of v, whose rows are all its own.
func (h *head) summary() summary {
	s := summary{known: true, damaged: h.damaged, minEseq: h.minEseq, maxEseq: h.maxEseq, records: h.rows}
	if h.rows > 0 {
		s.minSeq, s.maxSeq = h.seq0, h.last
	}
	return s
}
