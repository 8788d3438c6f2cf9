package format

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// maxDepth bounds how deep arrays and objects may nest inside one member of a line.
const maxDepth = 128

// scanner walks once over the bytes of one JSON text. It accepts what encoding/json accepts, but for the
// bound on nesting. A failure leaves i where it was met.
type scanner struct {
	b     []byte
	i     int
	loose bool   // space between tokens or a string above ASCII was seen: the text cannot be copied as it is
	ahead uint64 // in a line: eight bytes behind the quote at i that begins a name; 0: no name that is looked at
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stops marks the first byte of x (in its lowest set bit) that ends a run of plain string bytes: quote, backslash,
// control character or a byte above ASCII. Less 2 in the bits, a quote is the next after the control characters: one
// subtraction finds both.
func stops(x uint64) uint64 {
	return (((x ^ ones*2) - ones*0x21) | ((x ^ ones*'\\') - ones) | x) & highs
}

// space passes over white space.
func (s *scanner) space() {
	for s.i < len(s.b) && s.b[s.i] <= ' ' {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
			s.loose = true
		default:
			return
		}
	}
}

// next passes over white space and takes the byte c.
func (s *scanner) next(c byte) bool {
	return s.here(c) || s.after(c)
}

// here takes the byte c where no white space comes first, as in what the writer writes.
func (s *scanner) here(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// after is next where white space comes first; kept out of line so that next itself is inlined.
//
//go:noinline
func (s *scanner) after(c byte) bool {
	s.space()
	return s.here(c)
}

// peek passes over white space and returns the byte that follows, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// What is odd about a string.
const (
	escapes    = 1 << iota // it holds some
	aboveASCII             // it holds such bytes, which may be invalid
	noString               // it is none
)

// str takes a string and returns where its inside begins and ends, and what is odd about it. It looks at eight
// bytes at a time: this loop is half the cost of reading a log.
func (s *scanner) str() (from, to int, odd uint8) {
	b, i := s.b, s.i
	if i >= len(b) || b[i] != '"' {
		if s.peek() != '"' {
			return 0, 0, noString
		}
		i = s.i
	}
	i++
	from = i
	for len(b)-i >= 8 {
		m := stops(binary.LittleEndian.Uint64(b[i:]))
		if m == 0 {
			i += 8
			continue
		}
		if i += bits.TrailingZeros64(m) / 8; b[i] == '"' {
			s.i = i + 1
			return from, i, 0
		}
		break
	}
	return s.oddStr(from, i)
}

// oddStr is str from byte i on, where something else than plain bytes or the end of the text may stand.
func (s *scanner) oddStr(from, i int) (_, to int, odd uint8) {
	b := s.b
	var seen uint64
	for {
		for len(b)-i >= 8 {
			x := binary.LittleEndian.Uint64(b[i:])
			m := stops(x&^highs) &^ x // of bytes above ASCII none ends a string
			if m == 0 {
				seen |= x
				i += 8
				continue
			}
			seen |= x & (m&-m - 1)
			i += bits.TrailingZeros64(m) / 8
			break
		}
		for ; i < len(b) && b[i] >= 0x20 && b[i] != '"' && b[i] != '\\'; i++ {
			seen |= uint64(b[i])
		}
		if i < len(b) && b[i] == '"' {
			break
		}
		s.i = i
		if i == len(b) || b[i] != '\\' || !s.escape() {
			return 0, 0, noString
		}
		odd = escapes
		i = s.i
	}
	s.i = i + 1
	if seen&highs != 0 {
		odd |= aboveASCII
		s.loose = true
	}
	return from, i, odd
}

// value is a string that str has taken, ready to be decoded.
func (s *scanner) value(from, to int, odd uint8) Value {
	raw := s.b[from:to]
	return Value{raw, odd != 0 && (odd&escapes != 0 || !utf8.Valid(raw))}
}

// escape takes one escape sequence.
func (s *scanner) escape() bool {
	if s.i+1 >= len(s.b) {
		return false
	}
	switch s.b[s.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i += 2
		return true
	case 'u':
		if s.i+6 > len(s.b) || hex4(s.b[s.i+2:]) < 0 {
			return false
		}
		s.i += 6
		return true
	}
	return false
}

// hex4 reads four hexadecimal digits; -1 when there are none.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// word takes one of null, true and false.
func (s *scanner) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

// scalar takes a value that is neither array nor object; c is its first byte.
func (s *scanner) scalar(c byte) bool {
	switch c {
	case '"':
		_, _, odd := s.str()
		return odd&noString == 0
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number()
	}
	return false
}

// skip takes any value, at most maxDepth deep, without recursion.
func (s *scanner) skip() bool {
	var object [maxDepth / 64]uint64 // one bit for each open bracket: it is an object's
	depth := 0
	for {
		c := s.peek()
		switch c {
		case '{', '[':
			if depth == maxDepth {
				return false
			}
			s.i++
			bit := uint64(1) << (depth & 63)
			if c == '{' {
				object[depth/64] |= bit
			} else {
				object[depth/64] &^= bit
			}
			depth++
			if p := s.peek(); p == c+2 { // an empty one: ] follows [ by 2 in ASCII, as } does {
				s.i++
				depth--
				break
			}
			if c == '{' && !s.key() {
				return false
			}
			continue
		default:
			if !s.scalar(c) {
				return false
			}
		}
		for { // a value ended: what it is in goes on or ends too
			if depth == 0 {
				return true
			}
			inObject := object[(depth-1)/64]&(1<<((depth-1)&63)) != 0
			c := s.peek()
			if c == ',' {
				s.i++
				if inObject && !s.key() {
					return false
				}
				break
			}
			if inObject && c != '}' || !inObject && c != ']' {
				return false
			}
			s.i++
			depth--
		}
	}
}

// key takes a member's name and the colon.
func (s *scanner) key() bool {
	_, _, odd := s.str()
	return odd&noString == 0 && s.next(':')
}

// end passes over white space and tells whether the text ends there.
func (s *scanner) end() bool {
	s.space()
	return s.i == len(s.b)
}

// failure says what stood where the scan stopped.
func (s *scanner) failure() error {
	if s.i >= len(s.b) {
		return fmt.Errorf("unexpected end of line: %w", ErrTorn)
	}
	return fmt.Errorf("unexpected byte %#02x at column %d", s.b[s.i], s.i+1)
}
