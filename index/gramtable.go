package index

import (
	"math"
	"slices"
)

// gramTable is the trigrams of a segment, and in how many of its blocks each is.
type gramTable struct {
	slots []gramSlot // a power of two of them
	n     int
}

type gramSlot struct {
	key   uint32 // trigram + 1; 0: free
	last  uint16 // the block that had it last, counted from 1
	count uint16 // how many blocks have it
}

// maxGramBlocks is how many blocks are told apart.
const maxGramBlocks = math.MaxUint16 - 1

// add takes in a trigram of block n; it is true when the block did not have it before.
func (s *gramTable) add(g uint32, n int) bool {
	if 2*s.n >= len(s.slots) {
		s.grow()
	}
	p := s.find(g)
	if p.key == 0 {
		p.key = g + 1
		s.n++
	}
	if p.last == uint16(n+1) {
		return false
	}
	p.last = uint16(n + 1)
	p.count++
	return true
}

// find is the slot of a trigram, or the free one where it belongs.
func (s *gramTable) find(g uint32) *gramSlot {
	for i := int(g * 0x9e3779b1 >> 8); ; i++ {
		if p := &s.slots[i&(len(s.slots)-1)]; p.key == g+1 || p.key == 0 {
			return p
		}
	}
}

func (s *gramTable) grow() {
	old := s.slots
	s.slots = make([]gramSlot, max(1<<13, 2*len(old)))
	for _, v := range old {
		if v.key != 0 {
			*s.find(v.key - 1) = v
		}
	}
}

// remove takes back that the last block has these trigrams.
func (s *gramTable) remove(grams []uint32) {
	for _, g := range grams {
		s.find(g).count--
	}
}

// codeSet is the distinct codes of a column in one block, in the order in which they come.
type codeSet struct {
	last []uint32 // by code, the block that had it last, counted from 1
	list []uint32
}

// add takes in a code of block n.
func (s *codeSet) add(code uint32, n int) {
	if int(code) >= len(s.last) {
		s.last = append(s.last, make([]uint32, int(code)+1-len(s.last))...)
	}
	if s.last[code] != uint32(n+1) {
		s.last[code] = uint32(n + 1)
		s.list = append(s.list, code)
	}
}

// take returns the codes and begins the next block.
func (s *codeSet) take() []uint32 {
	out := slices.Clone(s.list)
	s.list = s.list[:0]
	return out
}
