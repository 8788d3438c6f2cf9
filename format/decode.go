package format

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnescaped appends what the inside of a JSON string means. raw has passed a scanner. Invalid UTF-8 and
// lone surrogates become U+FFFD, as encoding/json does.
func appendUnescaped(dst, raw []byte) []byte {
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return appendValid(dst, raw)
		}
		var n int
		dst, n = appendEscape(appendValid(dst, raw[:i]), raw[i:])
		raw = raw[i+n:]
	}
	return dst
}

// appendValid appends text with each byte of invalid UTF-8 replaced by U+FFFD.
func appendValid(dst, text []byte) []byte {
	if utf8.Valid(text) {
		return append(dst, text...)
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}

// appendEscape appends what the escape sequence at the start of raw means and returns its length.
func appendEscape(dst, raw []byte) ([]byte, int) {
	if len(raw) < 2 {
		return dst, len(raw)
	}
	switch c := raw[1]; c {
	case 'b':
		return append(dst, '\b'), 2
	case 'f':
		return append(dst, '\f'), 2
	case 'n':
		return append(dst, '\n'), 2
	case 'r':
		return append(dst, '\r'), 2
	case 't':
		return append(dst, '\t'), 2
	case 'u':
		r := hex4(raw[2:])
		if utf16.IsSurrogate(r) {
			if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
				if full := utf16.DecodeRune(r, hex4(raw[8:])); full != utf8.RuneError {
					return utf8.AppendRune(dst, full), 12
				}
			}
			r = utf8.RuneError
		}
		return utf8.AppendRune(dst, r), min(6, len(raw))
	default:
		return append(dst, c), 2
	}
}
