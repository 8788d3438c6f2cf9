package index

import (
	"bytes"
	"hash/maphash"
	"sort"
)

// dict is the distinct values of a column, one after the other; a value's code is its place.
type dict struct {
	ends []uint32 // where value i ends in blob
	blob []byte
}

func (d *dict) len() int { return len(d.ends) }

func (d *dict) at(code uint32) []byte {
	from := uint32(0)
	if code > 0 {
		from = d.ends[code-1]
	}
	return d.blob[from:d.ends[code]]
}

// having calls fn with the codes of all values that hold part, in rising order. Looking through the whole
// blob first is what makes a value that is not there cost next to nothing.
func (d *dict) having(part []byte, fn func(code uint32, value []byte)) {
	if len(part) == 0 {
		for i := range d.ends {
			fn(uint32(i), d.at(uint32(i)))
		}
		return
	}
	for from := 0; from < len(d.blob); {
		i := bytes.Index(d.blob[from:], part)
		if i < 0 {
			return
		}
		at := uint32(from + i)
		code := sort.Search(len(d.ends), func(k int) bool { return d.ends[k] > at })
		if code == len(d.ends) {
			return
		}
		if v := d.at(uint32(code)); bytes.Contains(v, part) {
			fn(uint32(code), v)
		}
		from = int(d.ends[code])
	}
}

// maxDictBytes bounds one dictionary in memory. A segment of 32 MiB stays far below unless nearly every
// record names something new; then the column saves nothing and is dropped.
const maxDictBytes = 4 << 20

// codesBuilder makes a column of codes row by row.
type codesBuilder struct {
	codes
	seed  maphash.Seed
	slots []slot // the codes by the hash of their values; a power of two of them, at most half of them taken
	last  uint32 // code of the row added last
}

// slot is the upper half of a value's hash and, below, its code plus one; 0: free. The values themselves are in the
// dictionary only: a map would hold them once more, and takes longer.
type slot uint64

const slotCode slot = 1<<32 - 1

func slotOf(h uint64, code int) slot { return slot(h)&^slotCode | slot(code+1) }

func (b *codesBuilder) add(value []byte) {
	if b.lost {
		return
	}
	if 2*b.dict.len() >= len(b.slots) {
		b.grow()
	}
	h := maphash.Bytes(b.seed, value)
	place, code := b.find(h, value)
	if code < 0 {
		if len(b.dict.blob)+len(value) > maxDictBytes {
			b.codes, b.slots = codes{lost: true}, nil
			return
		}
		code = b.dict.len()
		b.slots[place] = slotOf(h, code)
		b.dict.blob = append(b.dict.blob, value...)
		b.dict.ends = append(b.dict.ends, uint32(len(b.dict.blob)))
	}
	b.last = uint32(code)
	b.put(b.last)
}

// find returns the code of value, whose hash is h, or -1 and the place where it belongs.
func (b *codesBuilder) find(h uint64, value []byte) (place, code int) {
	for i := int(h); ; i++ {
		i &= len(b.slots) - 1
		s := b.slots[i]
		if s == 0 {
			return i, -1
		}
		if code := int(s&slotCode) - 1; s == slotOf(h, code) && string(b.dict.at(uint32(code))) == string(value) {
			return i, code
		}
	}
}

// grow makes room for twice as many values.
func (b *codesBuilder) grow() {
	if b.slots == nil {
		b.seed = maphash.MakeSeed()
	}
	b.slots = make([]slot, max(16, 2*len(b.slots)))
	for code := range b.dict.len() {
		value := b.dict.at(uint32(code))
		h := maphash.Bytes(b.seed, value)
		place, _ := b.find(h, value)
		b.slots[place] = slotOf(h, code)
	}
}

// put appends code, widening the column when it does not fit. The narrow slice is left as it was: a reader
// may be looking at it.
func (c *codes) put(code uint32) {
	switch {
	case c.w4 != nil:
		c.w4 = append(c.w4, code)
	case c.w2 != nil && code <= 0xffff:
		c.w2 = append(c.w2, uint16(code))
	case c.w2 != nil:
		c.w4 = append(widen[uint32](c.w2), code)
		c.w2 = nil
	case code <= 0xff:
		if c.w1 == nil {
			c.w1 = make([]uint8, 0, blockRecords)
		}
		c.w1 = append(c.w1, uint8(code))
	default:
		c.w2 = append(widen[uint16](c.w1), uint16(code))
		c.w1 = nil
	}
}

func widen[W uint16 | uint32, N uint8 | uint16](narrow []N) []W {
	wide := make([]W, len(narrow), 2*len(narrow)+1)
	for i, v := range narrow {
		wide[i] = W(v)
	}
	return wide
}
