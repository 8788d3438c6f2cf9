package index

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// gate is what is asked of a sealed segment before its Bleve index is opened: most segments do not hold a
// rare text, and the gate says so in less than a microsecond. It never says no to a text that is there.
type gate struct {
	fives, threes []uint64 // bitmaps of hashes
	stop          []uint32 // trigrams that are not in Bleve, sorted
	blob          []byte   // long runs, see terms.blob; nil: unknown
	docs          []uint16 // block of each Bleve document
	open          []uint16 // blocks whose text is not in Bleve: any text may be in them
}

// The sections of a gate file.
const (
	gateFives = iota
	gateThrees
	gateStop
	gateBlob
	gateDocs
	gateOpen
	gateSections
)

func (g *gate) encode() []byte {
	return encodeSections([][]byte{asBytes(g.fives), asBytes(g.threes), asBytes(g.stop), g.blob, asBytes(g.docs), asBytes(g.open)})
}

// decodeGate reads a gate file of a segment of so many blocks. The gate points into b.
func decodeGate(b []byte, blocks int) (*gate, error) {
	s, err := decodeSections(b, gateSections)
	if err != nil {
		return nil, err
	}
	g := &gate{blob: s[gateBlob]}
	d := decoder{rows: 1 << fiveBits / 64}
	g.fives = column[uint64](&d, s[gateFives], false)
	d.rows = 1 << threeBits / 64
	g.threes = column[uint64](&d, s[gateThrees], false)
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
	if len(g.blob) == 0 {
		g.blob = nil
	}
	return g, d.err
}

// need is what a block must hold to hold a needle: all of grams, one run of each of runs, one of either.
type need struct {
	grams  []uint32
	runs   [][]string // of each list, one (cut) run
	either []either
	none   bool // no block can
}

// either is a run at the end of a needle that may be part of a longer run of the text: then one of runs is
// there; or not: then all grams are.
type either struct {
	grams []uint32
	runs  []string
}

// maxRuns is how many long runs one end of a needle may stand for before it is no condition.
const maxRuns = 256

// needs works out what a block must hold for the folded needle to be in it.
func (g *gate) needs(needle []byte, hashes []uint64) need {
	var n need
	for _, h := range hashes {
		if !hasBit(g.fives, h>>(64-fiveBits)) {
			return need{none: true}
		}
	}
	for i := 0; i+3 <= len(needle); i++ {
		if !hasBit(g.threes, threeHash(trigram(needle[i:]))) {
			return need{none: true}
		}
	}
	runs := appendRuns(nil, needle)
	for i := 0; i+3 <= len(needle); i++ {
		if !(isRunByte(needle[i]) && isRunByte(needle[i+1]) && isRunByte(needle[i+2])) {
			n.add(trigram(needle[i:]))
		}
	}
	for _, r := range runs {
		text := needle[r.from:r.to]
		atStart, atEnd := r.from == 0, r.to == len(needle)
		switch {
		case !atStart && !atEnd && r.long:
			n.runs = append(n.runs, []string{string(cutRun(text))})
		case !atStart && !atEnd:
			for i := 0; i+3 <= len(text); i++ {
				n.add(trigram(text[i:]))
			}
		default:
			g.edge(&n, text, r.long, atStart, atEnd)
		}
		if n.none {
			return n
		}
	}
	g.forget(&n)
	return n
}

func (n *need) add(gram uint32) { n.grams = append(n.grams, gram) }

// edge adds the condition of a run at an end of the needle.
func (g *gate) edge(n *need, run []byte, long, atStart, atEnd bool) {
	found, ok := g.find(run, atStart, atEnd)
	if !ok {
		return
	}
	if long {
		if n.none = len(found) == 0; !n.none {
			n.runs = append(n.runs, found)
		}
		return
	}
	if len(run) < 3 {
		return
	}
	e := either{runs: found}
	for i := 0; i+3 <= len(run); i++ {
		e.grams = append(e.grams, trigram(run[i:]))
	}
	n.either = append(n.either, e)
}

// find returns the (cut) long runs of the segment that hold run, ending with it when it does not reach the
// needle's end, beginning with it when it does not begin with the needle. It is not ok when there are too many.
func (g *gate) find(run []byte, atStart, atEnd bool) (cut []string, ok bool) {
	if g.blob == nil {
		return nil, false
	}
	part := run
	if !atStart {
		part = append([]byte{'\n'}, part...)
	}
	if !atEnd {
		part = append(slices.Clone(part), '\n')
	}
	for from := 0; from < len(g.blob); {
		i := bytes.Index(g.blob[from:], part)
		if i < 0 {
			break
		}
		i += from
		if g.blob[i] == '\n' {
			i++
		}
		begin := bytes.LastIndexByte(g.blob[:i], '\n') + 1
		end := i + bytes.IndexByte(g.blob[i:], '\n')
		if end < i {
			return nil, false // not as it was written
		}
		cut = append(cut, string(cutRun(g.blob[begin:end])))
		if len(cut) > maxRuns {
			return nil, false
		}
		from = end
	}
	return slices.Compact(cut), true // sorted: the list is
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
func (t *terms) gate(stop map[uint32]bool) *gate {
	return &gate{fives: t.fives, threes: t.threes, stop: slices.Sorted(maps.Keys(stop)), blob: t.blob(), open: t.open()}
}
