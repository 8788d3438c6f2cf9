package cli

import (
	"io"
	"os"
	"strconv"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// isTerminal tells whether a person looks at v.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// appendVisible appends s with everything a terminal could act on made visible: control characters,
// direction marks, line separators and invalid UTF-8. A log line is written by strangers.
func appendVisible(dst, s []byte) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == utf8.RuneError && n == 1:
			dst = appendHex(append(dst, `\x`...), uint32(s[0]), 2)
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case !hidden(r):
			dst = append(dst, s[:n]...)
		case r < 0x80:
			dst = appendHex(append(dst, `\x`...), uint32(r), 2)
		default:
			dst = appendHex(append(dst, `\u`...), uint32(r), 4)
		}
		s = s[n:]
	}
	return dst
}

// hidden tells whether a terminal would act on r instead of showing it.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

func appendHex(dst []byte, v uint32, digits int) []byte {
	h := strconv.FormatUint(uint64(v), 16)
	for n := len(h); n < digits; n++ {
		dst = append(dst, '0')
	}
	return append(dst, h...)
}

// visible passes on what is written to it and makes visible what a terminal could act on, except line
// ends. In JSON text the escapes mean the same as the characters they stand for.
type visible struct {
	w   io.Writer
	buf []byte
}

// Write implements io.Writer.
func (v *visible) Write(p []byte) (int, error) {
	v.buf = v.buf[:0]
	for rest := p; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == '\n', r == '\r' && n < len(rest) && rest[n] == '\n', !hidden(r):
			v.buf = append(v.buf, rest[:n]...)
		default:
			v.buf = appendHex(append(v.buf, `\u`...), uint32(r), 4)
		}
		rest = rest[n:]
	}
	if _, err := v.w.Write(v.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}
