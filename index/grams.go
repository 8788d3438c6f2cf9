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

// gramMix spreads what it is multiplied with over 64 bits; the top ones are the best.
const gramMix = 0x9e3779b97f4a7c15

// mask5 and mask3 leave the first five or three bytes of eight.
const mask5, mask3 = 1<<40 - 1, 1<<24 - 1

// gramHash is the hash of the first five bytes of b.
func gramHash(b []byte) uint64 { return hash5(b[0], b[1], b[2], b[3], b[4]) }

// hash5 is the hash of five bytes; of fewer when the last ones are 0.
func hash5(a, b, c, d, e byte) uint64 {
	return (uint64(a) | uint64(b)<<8 | uint64(c)<<16 | uint64(d)<<24 | uint64(e)<<32) * gramMix
}

// gramHashes are the hashes of all 5-grams of a folded text; none when it is shorter.
func gramHashes(text []byte) []uint64 {
	var hs []uint64
	for i := 0; i+gramLen <= len(text); i++ {
		hs = append(hs, gramHash(text[i:]))
	}
	return hs
}

func trigram(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }
