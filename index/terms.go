package index

import (
	"maps"
	"slices"
)

// blockTerms is what one block of 512 records holds, for Bleve.
type blockTerms struct {
	grams []uint32        // distinct trigrams
	runs  map[string]bool // long runs, cut
	users map[uint32]bool
	cats  map[uint32]bool
	open  bool // its text is not in Bleve: there was too much of it
}

// terms collects what the gate and the Bleve index of a segment are made of, record by record.
type terms struct {
	blocks []blockTerms
	fives  []uint64        // bitmap of the hashes of all 5-grams
	threes []uint64        // bitmap of the hashes of all trigrams
	runs   map[string]bool // all long runs, whole; nil when they are too many to keep
	bytes  int             // of runs
	kept   int             // trigrams and long runs of all blocks that are not open, but for the last one

	seen   gramSet
	tmp    []textRun
	rows   int
	limits limits
}

// limits are what the index of one segment may hold, whatever the records are. What goes beyond is dropped,
// and what is left answers.
type limits struct {
	runBytes   int // of all long runs: above, the list of them is dropped
	blockTerms int // trigrams and long runs of a block: above, the block is open
	terms      int // of all blocks that are not open: from there on all are open
	batchTerms int // how many Bleve is given at once, or those of one block
}

// The limits in use. Records of the normal workload stay far from them but for batchTerms.
var normalLimits = limits{runBytes: 4 << 20, blockTerms: 1 << 16, terms: 1 << 20, batchTerms: 1 << 17}

const fiveBits, threeBits = 20, 16

func newTerms(l limits) *terms {
	return &terms{fives: make([]uint64, 1<<fiveBits/64), threes: make([]uint64, 1<<threeBits/64), runs: make(map[string]bool), limits: l}
}

// add takes in the next record: its folded text and its category and user as their columns have them.
func (t *terms) add(text []byte, category, user uint32) {
	if t.rows%blockRecords == 0 {
		t.endBlock()
		t.blocks = append(t.blocks, blockTerms{runs: make(map[string]bool), users: make(map[uint32]bool), cats: make(map[uint32]bool)})
	}
	t.rows++
	b := &t.blocks[len(t.blocks)-1]
	b.cats[category], b.users[user] = true, true
	for i := 0; i+gramLen <= len(text); i++ {
		setBit(t.fives, gramHash(text[i:])>>(64-fiveBits))
	}
	for i := 0; i+3 <= len(text); i++ {
		setBit(t.threes, threeHash(trigram(text[i:])))
	}
	t.tmp = appendRuns(t.tmp[:0], text)
	t.addTerms(b, text)
}

// addTerms takes in the trigrams and long runs of a text. A block with too many of them is left open.
func (t *terms) addTerms(b *blockTerms, text []byte) {
	for _, r := range t.tmp {
		if r.long {
			t.addRun(b, text[r.from:r.to])
		}
	}
	if b.open {
		return
	}
	eachTrigram(text, t.tmp, func(g uint32) { t.seen.add(g) })
	if n := t.seen.n + len(b.runs); n > t.limits.blockTerms || t.kept+n > t.limits.terms {
		b.open, b.runs = true, nil
		t.seen = gramSet{}
	}
}

func (t *terms) addRun(b *blockTerms, run []byte) {
	if cut := cutRun(run); !b.open && !b.runs[string(cut)] {
		b.runs[string(cut)] = true
	}
	if t.runs == nil || t.runs[string(run)] {
		return
	}
	if t.bytes += len(run) + 1; t.bytes > t.limits.runBytes {
		t.runs = nil
		return
	}
	t.runs[string(run)] = true
}

func (t *terms) endBlock() {
	if n := len(t.blocks); n > 0 && !t.blocks[n-1].open {
		b := &t.blocks[n-1]
		b.grams = t.seen.take()
		t.kept += len(b.grams) + len(b.runs)
	}
}

// open are the blocks whose text is not in Bleve.
func (t *terms) open() []uint16 {
	var open []uint16
	for i := range t.blocks {
		if t.blocks[i].open {
			open = append(open, uint16(i))
		}
	}
	return open
}

// stopGrams are the trigrams in more than 60 of 100 blocks: they tell next to nothing and are most of the
// index. With few blocks there are none, so that small segments are exact.
func (t *terms) stopGrams() map[uint32]bool {
	counts := make(map[uint32]int)
	for i := range t.blocks {
		for _, g := range t.blocks[i].grams {
			counts[g]++
		}
	}
	closed := len(t.blocks) - len(t.open())
	maps.DeleteFunc(counts, func(_ uint32, n int) bool { return n*100 <= 60*closed || closed < 8 })
	stop := make(map[uint32]bool, len(counts))
	for g := range counts {
		stop[g] = true
	}
	return stop
}

// blob is the list of all long runs, sorted, each between two newlines; nil when they were too many.
func (t *terms) blob() []byte {
	if t.runs == nil {
		return nil
	}
	b := make([]byte, 1, t.bytes+1)
	b[0] = '\n'
	for _, r := range slices.Sorted(maps.Keys(t.runs)) {
		b = append(b, r...)
		b = append(b, '\n')
	}
	return b
}

func setBit(bits []uint64, h uint64)      { bits[h>>6] |= 1 << (h & 63) }
func hasBit(bits []uint64, h uint64) bool { return bits[h>>6]>>(h&63)&1 != 0 }

func threeHash(g uint32) uint64 { return uint64(g) * 0x9e3779b97f4a7c15 >> (64 - threeBits) }

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
