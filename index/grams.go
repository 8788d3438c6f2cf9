package index

// gramBlockBytes is the size of the bitmap of one block: 2^16 bits for the 5,000 to 15,000 distinct 5-grams
// of 512 messages, so that a needle of 12 characters passes a block it is not in about once in 10^5.
const gramBlockBytes = 1 << 13

// gramLen is the length of the grams that bitmaps hold: shorter ones occur nearly everywhere.
const gramLen = 5

// blockGrams is, for each full block of an active segment, which 5-grams its messages hold.
type blockGrams struct{ blocks []*[gramBlockBytes / 8]uint64 }

func (g *blockGrams) add(block int, text []byte) {
	for len(g.blocks) <= block {
		g.blocks = append(g.blocks, new([gramBlockBytes / 8]uint64))
	}
	bits := g.blocks[block]
	for i := 0; i+gramLen <= len(text); i++ {
		h := gramHash(text[i:]) >> (64 - 16)
		bits[h>>6] |= 1 << (h & 63)
	}
}

// may tells whether the folded text can stand in a message of block.
func (g *blockGrams) may(block int, hashes []uint64) bool {
	if g == nil || block >= len(g.blocks) {
		return true
	}
	bits := g.blocks[block]
	for _, h := range hashes {
		h >>= 64 - 16
		if bits[h>>6]>>(h&63)&1 == 0 {
			return false
		}
	}
	return true
}

// gramHash spreads the first five bytes of b over 64 bits; the top ones are the best.
func gramHash(b []byte) uint64 {
	v := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32
	return v * 0x9e3779b97f4a7c15
}

// gramHashes are the hashes of all 5-grams of a folded text; none when it is shorter.
func gramHashes(text []byte) []uint64 {
	var hs []uint64
	for i := 0; i+gramLen <= len(text); i++ {
		hs = append(hs, gramHash(text[i:]))
	}
	return hs
}
