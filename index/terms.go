package index

import (
	"encoding/binary"
	"slices"
)

// blockTerms is what one block of 512 records holds, for Bleve.
type blockTerms struct {
	grams []uint32 // distinct trigrams that are not inside a long run
	users []uint32 // distinct codes
	cats  []uint32
	open  bool // its text is not in Bleve: there was too much of it
}

// terms collects what the gate and the Bleve index of a segment are made of, record by record.
type terms struct {
	blocks []blockTerms
	fives  []uint64 // bitmap of the hashes of all 5-grams
	threes []uint64 // bitmap of the hashes of all trigrams
	words  wordBits // of the 5-grams outside of long runs
	runs   *runBits
	kept   int // trigrams of all blocks that are not open, but for the last one

	seen   gramTable // what blocks have in Bleve, and had before they were opened
	grams  []uint32  // of the last block
	cats   codeSet
	users  codeSet
	spans  []textRun // scratch, as all below
	hashes []uint64
	rows   int
	limits limits
}

// limits are what the index of one segment may hold, whatever the records are. What goes beyond is dropped, and what
// is left answers.
type limits struct {
	blockTerms int // trigrams of a block: above, the block is open
	terms      int // of all blocks that are not open: from there on all are open
	batchTerms int // how many Bleve is given at once, or those of one block
	runBytes   int // of the filters of long runs of all blocks: above, they are made smaller
}

// The limits in use. Records of the normal workload stay far from them.
var normalLimits = limits{blockTerms: 1 << 16, terms: 1 << 20, batchTerms: 1 << 17, runBytes: 4 << 20}

const fiveBits, threeBits = 20, 16

func newTerms(l limits) *terms {
	return &terms{fives: make([]uint64, 1<<fiveBits/64), threes: make([]uint64, 1<<threeBits/64), words: newWordBits(), runs: newRunBits(l.runBytes), limits: l}
}

// add takes in the next record: its folded text and its category and user as their columns have them.
func (t *terms) add(text []byte, category, user uint32) {
	if t.rows%blockRecords == 0 {
		t.endBlock()
		t.blocks = append(t.blocks, blockTerms{open: len(t.blocks) >= maxGramBlocks})
	}
	t.rows++
	t.cats.add(category, len(t.blocks)-1)
	t.users.add(user, len(t.blocks)-1)
	t.addFives(text)
	t.spans = appendRuns(t.spans[:0], text)
	t.words.add(text, t.spans)
	from := 0 // of the trigrams that are not inside a long run
	for _, s := range t.spans {
		if s.long {
			t.addGrams(text[from:min(s.from+2, len(text))])
			t.addRun(text[s.from:s.to])
			from = s.to - 2
		}
	}
	t.addGrams(text[from:])
}

// addFives takes in all 5-grams of a text.
func (t *terms) addFives(text []byte) {
	i := 0
	for ; i+8 <= len(text); i++ {
		h := (binary.LittleEndian.Uint64(text[i:]) & mask5) * gramMix >> (64 - fiveBits)
		t.fives[h>>6] |= 1 << (h & 63)
	}
	for ; i+gramLen <= len(text); i++ {
		setBit(t.fives, gramHash(text[i:])>>(64-fiveBits))
	}
}

// addGrams takes in all trigrams of a part of a text. A block with too many of them is left open.
func (t *terms) addGrams(part []byte) {
	if len(part) < 3 {
		return
	}
	n := len(t.blocks) - 1
	b := &t.blocks[n]
	g := uint32(part[0])<<8 | uint32(part[1])
	for _, c := range part[2:] {
		g = g<<8&0xffffff | uint32(c)
		switch {
		case b.open:
			setBit(t.threes, threeHash(g))
		case t.seen.add(g, n):
			t.grams = append(t.grams, g)
		}
	}
	if !b.open && (len(t.grams) > t.limits.blockTerms || max(t.kept+len(t.grams), t.seen.n) > t.limits.terms) {
		t.seen.remove(t.grams)
		b.open, t.grams = true, t.grams[:0]
	}
}

// addRun takes in a long run.
func (t *terms) addRun(run []byte) {
	t.hashes = appendRunHashes(t.hashes[:0], run, true, true)
	t.runs.add(t.hashes)
	for i := 0; i+3 <= len(run); i++ {
		setBit(t.threes, threeHash(trigram(run[i:])))
	}
}

// endBlock ends the last block, if there is one.
func (t *terms) endBlock() {
	n := len(t.blocks)
	if n == 0 {
		return
	}
	b := &t.blocks[n-1]
	b.grams, t.grams = slices.Clone(t.grams), t.grams[:0]
	t.kept += len(b.grams)
	b.cats, b.users = t.cats.take(), t.users.take()
	t.runs.endBlock(n - 1)
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

// stopGrams are the trigrams in more than 60 of 100 blocks, sorted: they tell next to nothing and are most of the
// index. With few blocks there are none, so that small segments are exact.
func (t *terms) stopGrams() (stop []uint32) {
	closed := len(t.blocks) - len(t.open())
	if closed < 8 {
		return nil
	}
	for _, p := range t.seen.slots {
		if int(p.count)*100 > 60*closed {
			stop = append(stop, p.key-1)
		}
	}
	slices.Sort(stop)
	return stop
}

func setBit(bits []uint64, h uint64)      { bits[h>>6] |= 1 << (h & 63) }
func hasBit(bits []uint64, h uint64) bool { return bits[h>>6]>>(h&63)&1 != 0 }

func threeHash(g uint32) uint64 { return uint64(g) * gramMix >> (64 - threeBits) }
