package format

import (
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. HTML is left alone. Escaped are, beside what JSON demands,
// characters above ASCII that would make a terminal or a line-wise tool show or split the line otherwise than
// it is: C1 controls, U+2028, U+2029 and the marks that turn the direction of writing.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	i, start := 0, 0
	for len(s)-i >= 8 && stops(wordAt(s, i)) == 0 {
		i += 8
	}
	for i < len(s) {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = appendEscaped(dst, c)
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || misleads(r) {
			dst = appendRune(append(dst, s[start:i]...), r)
			start = i + n
		}
		i += n
	}
	return append(append(dst, s[start:]...), '"')
}

// wordAt is the eight bytes of s from i on, the first lowest.
func wordAt(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// appendRune appends a character above ASCII, escaped when it misleads.
func appendRune(dst []byte, r rune) []byte {
	if misleads(r) {
		return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
	}
	return utf8.AppendRune(dst, r)
}

// misleads tells the characters above ASCII that do not stand in a line as they are. All are below U+10000.
func misleads(r rune) bool {
	switch {
	case 0x80 <= r && r <= 0x9f: // C1 controls: some terminals obey them
	case r == 0x61c, r == 0x200e, r == 0x200f: // marks of direction
	case 0x2028 <= r && r <= 0x202e: // line and paragraph separator, then embeddings and overrides
	case 0x2066 <= r && r <= 0x2069: // isolates
	case r == 0xfeff: // byte order mark
	default:
		return false
	}
	return true
}

// appendCompact appends one JSON value on one line, its numbers and escapes as they are, and tells whether
// src was one value, nested at most maxDepth deep.
func appendCompact(dst, src []byte) ([]byte, bool) {
	s := scanner{b: src}
	if !s.skip() || !s.end() {
		return dst, false
	}
	if !s.loose {
		return append(dst, src...), true
	}
	for i := 0; i < len(src); {
		switch c := src[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			s.i = i
			from, to, _ := s.str()
			dst = appendRaw(append(dst, '"'), src[from:to])
			dst = append(dst, '"')
			i = s.i
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst, true
}

// appendRaw appends the inside of a JSON string, which stays as it is but for invalid UTF-8 and what misleads.
func appendRaw(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if raw[i] < utf8.RuneSelf {
			dst = append(dst, raw[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(raw[i:])
		dst = appendRune(dst, r)
		i += n
	}
	return dst
}

// validUTF8 is s with each byte of invalid UTF-8 replaced by U+FFFD.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}
