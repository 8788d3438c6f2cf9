package index

import "encoding/binary"

// wordBits is which 5-grams a segment has that are not wholly inside a long run: a Bloom filter in which all bits of
// a gram are in one word, so that a gram is one access to memory. The bitmap of all 5-grams has but one bit for each, and
// ids fill it: with 50,000 containers it lets a needle through in one of seven segments whose parts are all there, but
// for the one gram where two of them meet. Then the whole segment is read. With this filter it is one in about a
// thousand; with twice the bits it would be one in some thousands, for 2 bytes a record more.
type wordBits []uint64

// wordScale is how many words there are: 2^20 bits for the 60,000 to 80,000 different grams of a busy host.
const wordScale = 14

func newWordBits() wordBits { return make(wordBits, 1<<wordScale) }

// wordPlace is the word of a gram with the hash h, and its bits there.
func wordPlace(h uint64) (at, mask uint64) {
	h = (h ^ h>>32) * 0xff51afd7ed558ccd
	return h >> (64 - wordScale), 1<<(h>>44&63) | 1<<(h>>38&63) | 1<<(h>>32&63) | 1<<(h>>26&63)
}

// has tells whether a gram with the hash h may be there.
func (w wordBits) has(h uint64) bool {
	at, mask := wordPlace(h)
	return w[at]&mask == mask
}

// add takes in the 5-grams of a text that are not wholly inside one of its long runs.
func (w wordBits) add(text []byte, runs []textRun) {
	from := 0
	for _, r := range runs {
		if r.long {
			w.addFrom(text, from, r.from)
			from = r.to - (gramLen - 1)
		}
	}
	w.addFrom(text, from, len(text))
}

// addFrom takes in the 5-grams of a text that begin at from to to-1.
func (w wordBits) addFrom(text []byte, from, to int) {
	words := w[:1<<wordScale]
	for ; from < min(to, len(text)-7); from++ {
		at, mask := wordPlace((binary.LittleEndian.Uint64(text[from:]) & mask5) * gramMix)
		words[at&(1<<wordScale-1)] |= mask
	}
	for ; from < min(to, len(text)-(gramLen-1)); from++ {
		at, mask := wordPlace(gramHash(text[from:]))
		words[at] |= mask
	}
}

// may tells whether a text with the folded needle can be there, whose runs and whose hashes of 5-grams are given. Of a
// run that is long, or may be part of a longer one, nothing that is inside is asked.
func (w wordBits) may(needle []byte, runs []textRun, hashes []uint64) bool {
	from := 0
	for _, r := range runs {
		if !r.long && r.from > 0 && r.to < len(needle) {
			continue
		}
		for ; from < r.from && from < len(hashes); from++ {
			if !w.has(hashes[from]) {
				return false
			}
		}
		from = max(from, r.to-(gramLen-1))
	}
	for ; from < len(hashes); from++ {
		if !w.has(hashes[from]) {
			return false
		}
	}
	return true
}
