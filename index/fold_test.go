package index

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// A text is folded character by character, whatever stands beside a character.
func TestFoldTakesEachCharacterByItself(t *testing.T) {
	r := rand.New(rand.NewPCG(91, 92))
	letters := []string{"A", "Z", "@", "[", "a", "z", "`", "{", "0", "\x7f", "\x00", "É", "ſ", "K", "世", "界", "한", "\xff", "\xc3"}
	for range 20000 {
		var text, want []byte
		for range r.IntN(20) {
			c := letters[r.IntN(len(letters))]
			if r.IntN(3) > 0 {
				c = string(rune(r.IntN(0x80)))
			}
			text = append(text, c...)
		}
		for _, c := range splitRunes(text) {
			if len(c) == 1 && 'A' <= c[0] && c[0] <= 'Z' {
				c = []byte{c[0] + 'a' - 'A'}
			} else if utf8.Valid(c) && len(c) > 1 {
				u, _ := utf8.DecodeRune(c)
				c = utf8.AppendRune(nil, foldRune(u))
			}
			want = append(want, c...)
		}
		if got := AppendFold(nil, text); !bytes.Equal(got, want) {
			t.Fatalf("AppendFold(%q) = %q, want %q", text, got, want)
		}
	}
}

// splitRunes takes a text apart; a byte that is no part of a character is one of its own.
func splitRunes(text []byte) (parts [][]byte) {
	for len(text) > 0 {
		_, n := utf8.DecodeRune(text)
		parts, text = append(parts, text[:n]), text[n:]
	}
	return parts
}
