package format

import "math"

// uint takes a number without sign, fraction and exponent.
func (s *scanner) uint() (n uint64, ok bool) {
	s.space()
	start := s.i
	for ; s.i < len(s.b) && isDigit(s.b[s.i]); s.i++ {
		d := uint64(s.b[s.i] - '0')
		if n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if s.i == start || s.b[start] == '0' && s.i > start+1 {
		return 0, false
	}
	return n, true
}

// digits takes one or more digits.
func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && isDigit(s.b[s.i]) {
		s.i++
	}
	return s.i > start
}

// number takes any JSON number.
func (s *scanner) number() bool {
	if s.b[s.i] == '-' {
		s.i++
	}
	zero := s.i < len(s.b) && s.b[s.i] == '0'
	start := s.i
	if !s.digits() || zero && s.i > start+1 {
		return false
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		if s.i++; !s.digits() {
			return false
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		if s.i++; s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		return s.digits()
	}
	return true
}
