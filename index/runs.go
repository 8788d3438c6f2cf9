package index

import "encoding/binary"

// A run is a maximal stretch of ASCII digits and small letters in a folded text. A long one, with four or
// more characters and a digit among them, is an id, a number or a version: there are so many different ones
// that their trigrams would be most of an index while selecting little. So only trigrams that do not lie
// inside a long run are indexed in Bleve, and what is inside is known by its hashes, see runBits.
type textRun struct {
	from, to int
	long     bool
}

const minLongRun = 4

// runClass tells the bytes of runs from others, and digits among them.
var runClass = func() (class [256]uint8) {
	for c := '0'; c <= '9'; c++ {
		class[c] = 3
	}
	for c := 'a'; c <= 'z'; c++ {
		class[c] = 1
	}
	return class
}()

func isRunByte(c byte) bool { return runClass[c] != 0 }

// appendRuns appends the runs of a folded text to dst.
func appendRuns(dst []textRun, text []byte) []textRun {
	for i := 0; i < len(text); i++ {
		class := runClass[text[i]]
		if class == 0 {
			continue
		}
		from := i
		for i++; i < len(text) && runClass[text[i]] != 0; i++ {
			class |= runClass[text[i]]
		}
		dst = append(dst, textRun{from, i, class == 3 && i-from >= minLongRun})
	}
	return dst
}

// runEdge stands in for what is before and behind a run: no byte of a run.
const runEdge = '\n'

// appendRunHashes appends the hashes of a run, or of a part of one, to dst: of all its 5-grams and trigrams, and
// of the 5-grams that begin or end with its edge where text tells that it is one: on the left when the run does
// not begin with the text, on the right when it does not end with it. A part has no hash that the whole run lacks.
func appendRunHashes(dst []uint64, run []byte, left, right bool) []uint64 {
	n := len(run)
	i := 0
	for ; i+8 <= n; i++ {
		v := binary.LittleEndian.Uint64(run[i:])
		dst = append(dst, (v&mask5)*gramMix, (v&mask3)*gramMix)
	}
	for ; i+3 <= n; i++ {
		if i+gramLen <= n {
			dst = append(dst, gramHash(run[i:]))
		}
		dst = append(dst, hash5(run[i], run[i+1], run[i+2], 0, 0))
	}
	if left && n >= 4 {
		dst = append(dst, hash5(runEdge, run[0], run[1], run[2], run[3]))
	}
	if right && n >= 4 {
		dst = append(dst, hash5(run[n-4], run[n-3], run[n-2], run[n-1], runEdge))
	}
	return dst
}
