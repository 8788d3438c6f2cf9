package index

import "slices"

// gramSet is a set of trigrams that is filled and emptied for each block.
type gramSet struct {
	slots []uint32 // trigram + 1; 0: free; a power of two of them
	n     int
}

func (s *gramSet) add(g uint32) {
	if 2*s.n >= len(s.slots) {
		old := s.slots
		s.slots, s.n = make([]uint32, max(4096, 2*len(old))), 0
		for _, v := range old {
			if v != 0 {
				s.add(v - 1)
			}
		}
	}
	for i := int(g * 0x9e3779b1 >> 8); ; i++ {
		switch p := &s.slots[i&(len(s.slots)-1)]; *p {
		case g + 1:
			return
		case 0:
			*p = g + 1
			s.n++
			return
		}
	}
}

// take returns the trigrams, sorted, and empties the set.
func (s *gramSet) take() []uint32 {
	out := make([]uint32, 0, s.n)
	for i, v := range s.slots {
		if v != 0 {
			out = append(out, v-1)
			s.slots[i] = 0
		}
	}
	s.n = 0
	slices.Sort(out)
	return out
}

// codeSet is the distinct codes of a column in one block, in the order in which they come.
type codeSet struct {
	in   []uint32 // by code, the block that had it last
	now  uint32   // the block that is being filled, from 1 on
	list []uint32
}

func (s *codeSet) add(code uint32) {
	if s.now == 0 {
		s.now = 1
	}
	if int(code) >= len(s.in) {
		s.in = append(s.in, make([]uint32, int(code)+1-len(s.in))...)
	}
	if s.in[code] != s.now {
		s.in[code] = s.now
		s.list = append(s.list, code)
	}
}

// take returns the codes and begins the next block.
func (s *codeSet) take() []uint32 {
	out := slices.Clone(s.list)
	s.list, s.now = s.list[:0], s.now+1
	return out
}
