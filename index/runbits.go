package index

import (
	"fmt"
	"math"
	"math/bits"
)

// runBits is which blocks hold which grams of long runs: a Bloom filter for each block, with two bits for each
// hash of appendRunHashes, and all filters of one size. They are kept, and written, with the same bit of all blocks
// side by side, so that a needle of 12 hex digits reads 36 rows of a file and not a place in each of many filters.
type runBits struct {
	block  []uint64 // the filter of the block that is being filled, 1<<maxRunScale bits
	planes [][]byte // for each 8 blocks, the rows: bit i of a byte is that of block i
	scale  int      // there are 1<<scale rows
	grams  float64  // about how many different hashes all blocks have

	maxBytes int // of all planes
}

// minRunScale and maxRunScale bound the size of a filter: 2^17 bits are 16 KiB, for 512 records. With a UUID and a
// SHA-256 in each message 6 of 10 bits are set, and a needle of 12 hex digits passes a block that does not hold it
// once in 3,000 times.
const minRunScale, maxRunScale = 6, 17

// newRunBits makes filters that have no more than so many bytes all together.
func newRunBits(maxBytes int) *runBits {
	return &runBits{block: make([]uint64, 1<<maxRunScale/64), scale: maxRunScale, maxBytes: maxBytes}
}

// runRows are the places of a hash among 1<<scale.
func runRows(h uint64, scale int) (a, b uint64) {
	return h >> (64 - scale), (h ^ h>>32) * 0xff51afd7ed558ccd >> (64 - scale)
}

// add takes in the hashes of a run of the block that is being filled.
func (r *runBits) add(hashes []uint64) {
	for _, h := range hashes {
		a, b := runRows(h, maxRunScale)
		r.block[a>>6&(1<<maxRunScale/64-1)] |= 1 << (a & 63)
		r.block[b>>6&(1<<maxRunScale/64-1)] |= 1 << (b & 63)
	}
}

// endBlock ends the block that is being filled, which is block n.
func (r *runBits) endBlock(n int) {
	if n%8 == 0 {
		for (len(r.planes)+1)<<r.scale > r.maxBytes && r.scale > minRunScale {
			r.fold()
		}
		r.planes = append(r.planes, make([]byte, 1<<r.scale))
	}
	plane, shift, bit, set := r.planes[n/8], maxRunScale-r.scale, byte(1)<<(n%8), 0
	for i, w := range r.block {
		set += bits.OnesCount64(w)
		for ; w != 0; w &= w - 1 {
			plane[(i<<6|bits.TrailingZeros64(w))>>shift] |= bit
		}
		r.block[i] = 0
	}
	const size = 1 << maxRunScale
	r.grams -= size / 2 * math.Log1p(-float64(min(set, size-1))/size)
}

// fold makes all filters half as large: each two neighbouring bits become one.
func (r *runBits) fold() {
	for p, old := range r.planes {
		half := make([]byte, len(old)/2)
		for i := range half {
			half[i] = old[2*i] | old[2*i+1]
		}
		r.planes[p] = half
	}
	r.scale--
}

// filter are the filters of all blocks, of which there are n, made so small that they have four to eight bits for each
// hash of a block.
func (r *runBits) filter(n int) *runFilter {
	f := &runFilter{stride: (n + 7) / 8, scale: r.scale}
	for f.scale > minRunScale && r.grams/float64(n) <= float64(int(1)<<(f.scale-1))/4 {
		f.scale--
	}
	f.rows = make([]byte, f.stride<<f.scale)
	for k, plane := range r.planes {
		for row, b := range plane {
			f.rows[row>>(r.scale-f.scale)*f.stride+k] |= b
		}
	}
	return f
}

// runFilter is the filters of all blocks as they are written: row by row, each with a bit for every block.
type runFilter struct {
	rows   []byte
	stride int // bytes of a row
	scale  int
}

func newRunFilter(rows []byte, blocks int) (*runFilter, error) {
	f := &runFilter{rows: rows, stride: (blocks + 7) / 8}
	if f.stride > 0 {
		f.scale = bits.Len(uint(len(rows)/f.stride)) - 1
	}
	if f.scale < minRunScale || f.scale > maxRunScale || len(rows) != f.stride<<f.scale {
		return nil, fmt.Errorf("%w: %d bytes are no filters of %d blocks", errBadFile, len(rows), blocks)
	}
	return f, nil
}

// having returns the blocks that may hold all of the hashes.
func (f *runFilter) having(hashes []uint64) blockSet {
	set := makeBlockSet(8 * f.stride)
	for i := range f.stride {
		set[i/8] |= 0xff << (i % 8 * 8)
	}
	for _, h := range hashes {
		a, b := runRows(h, f.scale)
		ra, rb := f.rows[int(a)*f.stride:][:f.stride], f.rows[int(b)*f.stride:][:f.stride]
		for i := range ra {
			set[i/8] &^= uint64(^(ra[i] & rb[i])) << (i % 8 * 8)
		}
	}
	return set
}
