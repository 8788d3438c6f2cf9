package httpd

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// foldText maps texts that differ only in case to one: each character becomes the smallest of those that
// simple folding takes for it, as the index does with messages. Bytes that are not UTF-8 stay as they are.
func foldText(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] < utf8.RuneSelf && (s[i] < 'a' || s[i] > 'z')
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i, n := 0, 0; i < len(s); i += n {
		var r rune
		if r, n = utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && n == 1 {
			b.WriteByte(s[i])
			continue
		}
		b.WriteRune(foldRune(r))
	}
	return b.String()
}

func foldRune(r rune) rune {
	if r < utf8.RuneSelf { // those elsewhere that differ only in case from a letter of ASCII are larger than it
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	least := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		least = min(least, o)
	}
	return least
}
