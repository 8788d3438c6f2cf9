package index

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"shiplog/format"
)

// Two characters have one representative exactly when strings.EqualFold takes them for one.
func TestFoldIsSimpleFolding(t *testing.T) {
	for r := rune(0); r < 0x1f000; r++ {
		got := foldRune(r)
		if r < 0x80 {
			got = []rune(string(AppendFold(nil, []byte(string(r)))))[0]
		}
		if !strings.EqualFold(string(got), string(r)) && string(r) != "\ufffd" {
			t.Fatalf("%U is folded to %U, which is another character", r, got)
		}
		for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
			if foldRune(o) != foldRune(r) {
				t.Fatalf("%U and %U are folded to %U and %U", r, o, foldRune(r), foldRune(o))
			}
		}
	}
	if got := AppendFold(nil, []byte("A\xffB\xc3")); string(got) != "a\xffb\xc3" {
		t.Errorf("bytes that are no UTF-8 became %q", got)
	}
}

// However a writer escapes a message, what is in it is found in the raw line, or the line is marked odd.
func TestFinderFindsWhatIsThere(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	escapers := []func(c rune) string{
		func(c rune) string { return string(c) },
		func(c rune) string { return fmt.Sprintf(`\u%04x`, min(c, 0xfffd)) },
		func(c rune) string { return fmt.Sprintf(`\u%04X`, min(c, 0xfffd)) },
	}
	found, looked := 0, 0
	for range 6000 {
		var raw strings.Builder
		raw.WriteString(`{"v":1,"seq":9,"msg":"`)
		strange := r.IntN(3) == 0
		for _, c := range words[r.IntN(len(words))] + words[r.IntN(len(words))] {
			switch {
			case c == '"' || c == '\\' || c == '/' && r.IntN(2) == 0:
				raw.WriteString(`\` + string(c))
			case c < ' ' || strange && r.IntN(4) == 0:
				raw.WriteString(escapers[1+r.IntN(2)](c))
			case strings.ContainsRune("<>&'\u2028", c) || c > 0x7f && strange:
				raw.WriteString(escapers[r.IntN(3)](c))
			default:
				raw.WriteRune(c)
			}
		}
		raw.WriteString(`"}`)
		var f format.Fields
		if err := format.ScanLine([]byte(raw.String()), &f); err != nil {
			t.Fatalf("%s: %v", raw.String(), err)
		}
		msg := f.Msg.String()
		q := Query{Text: randomNeedle(r, msg)}
		find := newFinder(AppendFold(nil, []byte(q.Text)))
		if find == nil || q.Text == "" || oddText(f.Msg, []byte(msg)) || !q.Match(&f) {
			continue
		}
		looked++
		ok := false
		find.all(f.Line, func(at int) int { ok = true; return len(f.Line) })
		if !ok {
			t.Fatalf("%q is in the message of %s, but its part %q is not found", q.Text, raw.String(), find.part)
		}
		found++
	}
	if looked < 500 {
		t.Errorf("only %d needles were looked for", looked)
	}
}

// The finder's candidates are those of a plain search.
func TestFinderAgreesWithPlainSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	for range 5000 {
		hay := make([]byte, r.IntN(60))
		for i := range hay {
			hay[i] = "aAbB4 "[r.IntN(6)]
		}
		part := make([]byte, 2+r.IntN(4))
		for i := range part {
			part[i] = "ab4 "[r.IntN(4)]
		}
		var got, want []int
		newFinder(part).all(hay, func(at int) int { got = append(got, at); return at + 1 })
		low := bytes.ToLower(hay)
		for i := 0; i+len(part) <= len(low); i++ {
			if bytes.HasPrefix(low[i:], part) {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q in %q: found at %v, want %v", part, hay, got, want)
		}
	}
}

// What a block holds never fails the conditions that its own needles put.
func TestGateNeverRefusesWhatIsThere(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	const alphabet = "ab1- zk9."
	text := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return b
	}
	for range 30 {
		terms := newTerms(normalLimits)
		var msgs [][]byte
		for range 600 {
			m := text(5 + r.IntN(40))
			msgs = append(msgs, m)
			terms.add(m, 0, 0)
		}
		terms.endBlock()
		g := terms.gate([]uint32{trigram([]byte("ab1"))})
		for range 50 {
			i := r.IntN(len(msgs))
			m := msgs[i]
			at := r.IntN(len(m))
			needle := m[at : at+1+r.IntN(len(m)-at)]
			n := g.needs(needle, gramHashes(needle))
			if !n.allows(i/blockRecords, &terms.blocks[i/blockRecords]) {
				t.Fatalf("%q is in %q, but its block is refused: %+v", needle, m, n)
			}
		}
	}
}

// allows tells whether block i, which is b, has what is needed.
func (n *need) allows(i int, b *blockTerms) bool {
	hasAll := func(grams []uint32) bool {
		return !slices.ContainsFunc(grams, func(g uint32) bool { return !slices.Contains(b.grams, g) })
	}
	if n.none || !n.blocks.has(i) || !hasAll(n.grams) {
		return false
	}
	for _, e := range n.either {
		if !hasAll(e.grams) && !e.long.has(i) {
			return false
		}
	}
	return true
}
