package index

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"shiplog/format"
)

// finder looks for the part of a folded text that every JSON writer leaves as it is, in the raw bytes of
// many lines at once. What it finds are candidates; Match decides. A nil finder cannot look for anything.
type finder struct {
	part   []byte // folded, safe characters only
	rare   int    // where in part the bytes to look for begin
	pair   []byte // two or more bytes that have no case; nil: look for one byte in both cases
	lo, up byte   // that byte, the one least common in lines, and its other case (the same when it has none)
	spans  int    // that were looked through, see learn
}

// newFinder makes the finder for a folded text; nil when no part of it is long enough to be worth looking for.
func newFinder(text []byte) *finder {
	var best []byte
	from := 0
	for i := 0; i <= len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if i < len(text) && isPlain(r, n) {
			i += n
			continue
		}
		if i-from > len(best) {
			best = text[from:i]
		}
		i += max(n, 1)
		from = i
	}
	if len(best) < 2 {
		return nil
	}
	f := &finder{part: best}
	if at, n := caseless(best); n >= 2 {
		f.rare, f.pair = at, best[at:at+n]
		return f
	}
	f.lookFor(commonness)
	return f
}

// lookFor makes the byte of part that is least common what is looked for.
func (f *finder) lookFor(common func(c byte) int) {
	f.rare = 0
	least := common(f.part[0])
	for i, c := range f.part {
		if n := common(c); n < least {
			f.rare, least = i, n
		}
	}
	f.lo = f.part[f.rare]
	f.up = upper(f.lo)
}

// upper is the other case of a folded byte; c when it has none.
func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}

const (
	learnAfter = 8        // spans: what ends sooner takes less than to learn
	learnBytes = 16 << 10 // of a span
)

// learn is told of each span before it is looked through. Who looks through many learns once from their bytes which of
// part is the least common: in lines full of hex digits it is another than in prose.
func (f *finder) learn(b []byte) {
	if f.spans++; f.spans != learnAfter || f.pair != nil {
		return
	}
	var counts [256]int
	for _, c := range b[:min(len(b), learnBytes)] {
		counts[c]++
	}
	f.lookFor(func(c byte) int {
		if other := upper(c); other != c {
			return counts[c] + counts[other]
		}
		return counts[c]
	})
}

// caseless is the longest stretch of part without ASCII letters.
func caseless(part []byte) (at, n int) {
	from := 0
	for i := 0; i <= len(part); i++ {
		if i < len(part) && (part[i] < 'a' || part[i] > 'z') {
			continue
		}
		if i-from > n {
			at, n = from, i-from
		}
		from = i + 1
	}
	return at, n
}

// isPlain tells whether JSON writers leave r as it is, and all that folds to r is one byte long or r itself.
// Blocks in which a writer did otherwise are marked odd, see oddText.
func isPlain(r rune, n int) bool {
	switch {
	case r == utf8.RuneError && n <= 1, r < ' ', r == 0x7f, r == '\u2028', r == '\u2029':
		return false
	case r < utf8.RuneSelf:
		return !strings.ContainsRune(`"\/<>&'`, r)
	}
	return unicode.SimpleFold(r) == r
}

// oddText tells whether the raw bytes of a line must not be searched for plain characters of its msg: a
// plain character is written as an escape, or a character stands in it that folds to an ASCII letter.
func oddText(raw format.Value, msg []byte) bool {
	if bytes.Contains(msg, []byte("\u212a")) || bytes.Contains(msg, []byte("\u017f")) { // Kelvin sign, long s
		return true
	}
	if !raw.Escaped() {
		return false
	}
	b := raw.Raw()
	if !utf8.Valid(b) {
		return true
	}
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 >= len(b) {
			return false
		}
		if b[i+1] == 'u' {
			r, ok := hexRune(b[i+2:])
			if !ok || isPlain(r, utf8.RuneLen(r)) {
				return true
			}
		}
		b = b[i+2:]
	}
}

// hexRune reads four hex digits.
func hexRune(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// commonness ranks bytes by how often they stand in a line; roughly is enough.
func commonness(c byte) int {
	const order = `jqxzkwvybfpgh JQXZKWVY_%+*#@!?=;~^|()[]$` // rarest first, then digits and the rest
	if i := strings.IndexByte(order, c); i >= 0 {
		return i
	}
	switch {
	case c >= utf8.RuneSelf:
		return 0
	case '0' <= c && c <= '9':
		return 60
	case c == '"' || c == ',' || c == ':':
		return 90
	}
	return 70
}

// all calls fn with the place of every candidate in b, in rising order; fn returns from where to go on.
func (f *finder) all(b []byte, fn func(at int) (next int)) {
	if f.pair != nil {
		f.allPairs(b, fn)
		return
	}
	lo, up := -1, -1 // next place of either case at or after from; -1: not looked for yet
	for from := f.rare; from < len(b); {
		if lo < from {
			lo = nextByte(b, from, f.lo)
		}
		if up < from {
			up = lo
			if f.up != f.lo {
				up = nextByte(b, from, f.up)
			}
		}
		hit := min(lo, up)
		at := hit - f.rare
		if hit == len(b) || at+len(f.part) > len(b) {
			return
		}
		if f.matchAt(b[at : at+len(f.part)]) {
			from = max(fn(at)+f.rare, hit+1)
		} else {
			from = hit + 1
		}
	}
}

func (f *finder) allPairs(b []byte, fn func(at int) (next int)) {
	for from := f.rare; from < len(b); {
		i := bytes.Index(b[from:], f.pair)
		if i < 0 {
			return
		}
		at := from + i - f.rare
		if at+len(f.part) > len(b) {
			return
		}
		from += i + 1
		if f.matchAt(b[at : at+len(f.part)]) {
			from = max(fn(at)+f.rare, from)
		}
	}
}

func nextByte(b []byte, from int, c byte) int {
	if i := bytes.IndexByte(b[from:], c); i >= 0 {
		return from + i
	}
	return len(b)
}

func (f *finder) matchAt(b []byte) bool {
	for i, c := range f.part {
		d := b[i]
		if 'A' <= d && d <= 'Z' {
			d += 'a' - 'A'
		}
		if c != d {
			return false
		}
	}
	return true
}
