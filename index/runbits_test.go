package index

import (
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"
)

// A filter lets each part of a run through to the block that holds it, however often the filters were made smaller,
// and to few others when there was room for them.
func TestRunFilterHasWhatWasAdded(t *testing.T) {
	for _, test := range []struct {
		name     string
		blocks   int
		maxBytes int
		others   int // of 100 other blocks, at most so many
	}{
		{"one block", 1, 4 << 20, 0},
		{"the last byte of a row is not full", 13, 4 << 20, 1},
		{"filters made smaller while blocks come", 70, 128 << 10, 40},
		{"no room at all", 20, 0, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(101, 102))
			bits := newRunBits(test.maxBytes)
			runs := make([][]byte, test.blocks)
			for i := range runs {
				for range 200 {
					runs[i] = hex.AppendEncode(nil, []byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
					bits.add(appendRunHashes(nil, runs[i], true, true))
				}
				bits.endBlock(i)
			}
			written := bits.filter(test.blocks)
			f, err := newRunFilter(written.rows, test.blocks)
			if err != nil || f.scale != written.scale || len(f.rows) > max(test.maxBytes, f.stride<<minRunScale) {
				t.Fatalf("newRunFilter(%d bytes) = %+v, %v, want scale %d and at most %d bytes", len(written.rows), f, err, written.scale, test.maxBytes)
			}
			others := 0
			for i, run := range runs {
				from := r.IntN(5)
				to := len(run) - r.IntN(5)
				part := appendRunHashes(nil, run[from:to], from == 0, to == len(run))
				if !f.having(part).has(i) {
					t.Fatalf("having(%q of %q) leaves out block %d", run[from:to], run, i)
				}
				set := f.having(appendRunHashes(nil, run, true, true))
				for k := range runs {
					if k != i && set.has(k) {
						others++
					}
				}
			}
			if n := test.blocks * (test.blocks - 1); others*100 > test.others*n {
				t.Errorf("%d of %d blocks are let through that do not hold the run, want at most %d %%", others, n, test.others)
			}
		})
	}
}

// A trigram in more than 60 of 100 blocks is a stop gram; blocks that were opened do not count.
func TestStopGrams(t *testing.T) {
	terms := newTerms(limits{blockTerms: 40, terms: 1 << 20})
	for i := range 11 * blockRecords {
		block, text := i/blockRecords, ""
		switch row := i % blockRecords; {
		case row == 0:
			text = "---"
		case row == 1 && block < 7:
			text = "+++"
		case row == 2 && (block < 6 || block == 10):
			text = "///"
		case row == 3 && block == 10: // too much for one block
			text = "the quick brown fox jumps over the lazy dog and runs away"
		}
		terms.add([]byte(text), 0, 0)
	}
	terms.endBlock()
	var want []uint32
	for _, s := range []string{"+++", "---"} {
		want = append(want, trigram([]byte(s)))
	}
	if got := terms.stopGrams(); !slices.Equal(got, want) {
		t.Errorf("stopGrams() = %x, want %x", got, want)
	}
}
