package index

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// AppendFold is how [Query.Text] and categories are compared, for whoever must compare other texts alike. It
// appends text to dst with every character replaced by the one that stands for all which differ
// from it only in case: ASCII letters by the small one, others by the smallest code point of their folding
// orbit, or by the ASCII letter in it (the Kelvin sign becomes k, the long s becomes s). Bytes that are not
// UTF-8 stay as they are. The text "ß" does not match "ss": folding is simple, one character by one.
func AppendFold(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		if i+8 <= len(text) {
			if w := binary.LittleEndian.Uint64(text[i:]); w&nonASCII == 0 {
				dst = binary.LittleEndian.AppendUint64(dst, foldASCII(w))
				i += 8
				continue
			}
		}
		c := text[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, foldRune(r))
		}
		i += n
	}
	return dst
}

// nonASCII are the bits that no ASCII character has, in eight bytes.
const nonASCII = 0x8080808080808080

// foldASCII makes the capital letters among eight ASCII characters small.
func foldASCII(w uint64) uint64 {
	const each = 0x0101010101010101
	fromA, aboveZ := w+(0x80-'A')*each, w+(0x80-'Z'-1)*each // the top bit of each byte: it is at least A, it is above Z
	return w | (fromA&^aboveZ&nonASCII)>>2
}

// foldRune is the representative of r's folding orbit.
func foldRune(r rune) rune {
	if '\u3000' <= r && r <= '\u9fff' || '\uac00' <= r && r <= '\ud7ff' {
		return r // East Asian characters have no case: many are spared the search in a table
	}
	least := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		least = min(least, o)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}

// equalFold tells whether text equals the already folded want.
func equalFold(text, want []byte) bool {
	for i, c := range text {
		if c >= utf8.RuneSelf {
			var buf [64]byte
			return bytes.Equal(AppendFold(buf[:0], text[i:]), want[i:])
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if i == len(want) || want[i] != c {
			return false
		}
	}
	return len(text) == len(want)
}
