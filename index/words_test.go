package index

import (
	"math/rand/v2"
	"testing"
)

// mayHold is how newWordBits with these texts answers for a needle.
func mayHold(needle string, texts ...string) bool {
	w := newWordBits()
	for _, text := range texts {
		w.add([]byte(text), appendRuns(nil, []byte(text)))
	}
	return w.may([]byte(needle), appendRuns(nil, []byte(needle)), gramHashes([]byte(needle)))
}

func TestWordBitsTellWhatIsNotThere(t *testing.T) {
	for _, test := range []struct {
		name, text, needle string
		want               bool
	}{
		{"parts that meet in no text", "stop container, disconnect", "container disconnect", false},
		{"the same parts where they meet", "stop container disconnect", "container disconnect", true},
		{"a needle of fewer than five bytes", "stop", "kill", true},
		{"a word between others that is not there", "stop the container", "stop a container", false},
		{"a number inside that is another one", "stop 1234995678, then", "stop 1234005678, then", true},
		{"the edge of a number that is another one", "stop 12345678, then", "stop 92345678", false},
		{"letters at the begin that may belong to an id", "pulled 12abcdefgh, then", "abcdefgh, then", true},
		{"letters at the end that may belong to an id", "pulled abcdefgh12, then", "pulled abcdefgh", true},
		{"nothing but letters that may belong to an id", "12abcdefgh34", "abcdefgh", true},
		{"letters between others belong to no id", "pulled 12abcdefgh34, then", "-abcdefgh-", false},
		{"an id between ids", "a1b2c3d4/a1b2c3d4e5/a1b2c3", "d4/a1b2c3d4e5/a1", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mayHold(test.needle, test.text); got != test.want {
				t.Errorf("may(%q) of %q = %v, want %v", test.needle, test.text, got, test.want)
			}
		})
	}
}

// Every part of every text is let through, and few needles are that are in none.
func TestWordBitsHaveWhatWasAdded(t *testing.T) {
	r := rand.New(rand.NewPCG(103, 104))
	random := func() []byte {
		b := make([]byte, 1+r.IntN(60))
		for i := range b {
			b[i] = "abcdefghijklmnop0123 ,-\xc3"[r.IntN(24)]
		}
		return b
	}
	w, texts := newWordBits(), make([][]byte, 3000)
	for i := range texts {
		texts[i] = random()
		w.add(texts[i], appendRuns(nil, texts[i]))
	}
	for range 20_000 {
		text := texts[r.IntN(len(texts))]
		from := r.IntN(len(text))
		needle := text[from : from+1+r.IntN(len(text)-from)]
		if !w.may(needle, appendRuns(nil, needle), gramHashes(needle)) {
			t.Fatalf("may(%q) = false, want true: it is in %q", needle, text)
		}
	}
	others := 0
	for range 2000 {
		needle := append(append([]byte(" -"), random()...), " -"...)
		if len(needle) > 12 && w.may(needle, appendRuns(nil, needle), gramHashes(needle)) {
			others++
		}
	}
	if others > 60 {
		t.Errorf("may(needles that are not there) = true for %d of 2000, want at most 60", others)
	}
}
