package index

import (
	"fmt"
	"slices"
)

// gate is what is asked of a sealed segment before its Bleve index is opened: most segments do not hold a
// rare text, and the gate says so in less than a microsecond. It never says no to a text that is there.
type gate struct {
	fives, threes []uint64 // bitmaps of hashes
	words         wordBits
	stop          []uint32 // trigrams that are not in Bleve, sorted
	runs          *runFilter
	docs          []uint16 // block of each Bleve document
	open          []uint16 // blocks whose text is not in Bleve: any text may be in them
}

// The sections of a gate file.
const (
	gateFives = iota
	gateThrees
	gateWords
	gateStop
	gateRuns
	gateDocs
	gateOpen
	gateSections
)

func (g *gate) encode() []byte {
	return encodeSections([][]byte{asBytes(g.fives), asBytes(g.threes), asBytes(g.words), asBytes(g.stop), g.runs.rows, asBytes(g.docs), asBytes(g.open)})
}

// decodeGate reads a gate file of a segment of so many blocks. The gate points into b.
func decodeGate(b []byte, blocks int) (*gate, error) {
	s, err := decodeSections(b, gateSections)
	if err != nil {
		return nil, err
	}
	g := &gate{}
	d := decoder{rows: 1 << fiveBits / 64}
	g.fives = column[uint64](&d, s[gateFives], false)
	d.rows = 1 << threeBits / 64
	g.threes = column[uint64](&d, s[gateThrees], false)
	d.rows = 1 << wordScale
	g.words = column[uint64](&d, s[gateWords], false)
	d.rows = blocks
	g.docs = column[uint16](&d, s[gateDocs], false)
	if g.stop, err = asColumn[uint32](s[gateStop]); err != nil && d.err == nil {
		d.err = err
	}
	if g.open, err = asColumn[uint16](s[gateOpen]); err != nil && d.err == nil {
		d.err = err
	}
	for _, list := range [][]uint16{g.docs, g.open} {
		for _, block := range list {
			if int(block) >= blocks && d.err == nil {
				d.err = fmt.Errorf("%w: block %d of %d", errBadFile, block, blocks)
			}
		}
	}
	if g.runs, err = newRunFilter(s[gateRuns], blocks); err != nil && d.err == nil {
		d.err = err
	}
	return g, d.err
}

// need is what a block must hold to hold a needle.
type need struct {
	blocks blockSet // it is one of these; nil: any
	grams  []uint32 // it has all of them
	either []either // and of each of these, one or the other
	none   bool     // no block can
}

// either is a run at the end of a needle that may be part of a longer run of the text: then the block is one of
// long; or not: then it has all grams.
type either struct {
	grams []uint32
	long  blockSet
}

// needs works out what a block must hold for the folded needle to be in it.
func (g *gate) needs(needle []byte, hashes []uint64) need {
	var n need
	for _, h := range hashes {
		if !hasBit(g.fives, h>>(64-fiveBits)) {
			return need{none: true}
		}
	}
	runs := appendRuns(nil, needle)
	if !g.words.may(needle, runs, hashes) {
		return need{none: true}
	}
	for i := 0; i+3 <= len(needle); i++ {
		if !hasBit(g.threes, threeHash(trigram(needle[i:]))) {
			return need{none: true}
		}
		if !(isRunByte(needle[i]) && isRunByte(needle[i+1]) && isRunByte(needle[i+2])) {
			n.grams = append(n.grams, trigram(needle[i:]))
		}
	}
	var long []uint64 // hashes of runs that are long for certain
	for _, r := range runs {
		run := needle[r.from:r.to]
		left, right := r.from > 0, r.to < len(needle)
		switch {
		case r.long:
			long = appendRunHashes(long, run, left, right)
		case left && right:
			n.grams = appendTrigrams(n.grams, run)
		case len(run) >= 3:
			n.either = append(n.either, either{appendTrigrams(nil, run), g.runs.having(appendRunHashes(nil, run, left, right))})
		}
	}
	if len(long) > 0 {
		n.blocks = g.runs.having(long)
		n.none = n.blocks.empty()
	}
	g.forget(&n)
	return n
}

func appendTrigrams(dst []uint32, text []byte) []uint32 {
	for i := 0; i+3 <= len(text); i++ {
		dst = append(dst, trigram(text[i:]))
	}
	return dst
}

// forget drops the conditions that Bleve cannot answer, as the trigrams are in too many blocks.
func (g *gate) forget(n *need) {
	isStop := func(gram uint32) bool {
		_, found := slices.BinarySearch(g.stop, gram)
		return found
	}
	slices.Sort(n.grams)
	n.grams = slices.DeleteFunc(slices.Compact(n.grams), isStop)
	kept := n.either[:0]
	for _, e := range n.either {
		if e.grams = slices.DeleteFunc(e.grams, isStop); len(e.grams) > 0 {
			kept = append(kept, e)
		}
	}
	n.either = kept
}

// gate is the gate of the segment whose terms t are; docs are still missing.
func (t *terms) gate(stop []uint32) *gate {
	for _, p := range t.seen.slots {
		if p.key != 0 {
			setBit(t.threes, threeHash(p.key-1))
		}
	}
	return &gate{fives: t.fives, threes: t.threes, words: t.words, stop: stop, runs: t.runs.filter(len(t.blocks)), open: t.open()}
}
