package format

import "unicode/utf8"

// Canonical is a line that stands as the writer would write it, but for its numbers: what follows them is what the
// writer makes of the record that ParseLine makes of it. An import takes such a line over and makes no record of it.
type Canonical struct {
	Seq, Eseq uint64
	Data      []byte // the JSON object as it stands in the line; nil when absent

	tail []byte // from the comma before the id to the last brace
}

// maxCanonical bounds the lines that are looked at. Shorter ones are within the limits of a record and of its data.
const maxCanonical = 64 << 10

// ScanCanonical fills c from line, which is without its newline; c points into it. It is false for a line that has
// to go through ParseLine: it is damaged, or not complete (without id, time, obs or stream), or stands otherwise than
// the writer writes, or it would take a closer look to be certain. It does not allocate.
func ScanCanonical(line []byte, c *Canonical) bool {
	const head = `{"v":1,"seq":`
	if len(line) > maxCanonical || len(line) < len(head) || string(line[:len(head)]) != head {
		return false
	}
	*c = Canonical{}
	s := canonicalScanner{scanner: scanner{b: line, i: len(head)}, c: c}
	if !s.numbers() {
		return false
	}
	start := s.i
	if !s.here(',') || !s.members(canonicalLine) || s.i != len(line) || s.found != foundAll {
		return false
	}
	c.tail = line[start:]
	return c.Eseq == 0 || s.event
}

// canonicalScanner walks over a line as the writer writes it: without space, the members in their order, each at
// most once and none empty.
type canonicalScanner struct {
	scanner
	c     *Canonical
	time  []byte // the last one that was found good: obs is often the same
	found uint8  // which of the members that must be there
	event bool   // stream is event
}

// The members that must be there, as bits.
const (
	foundID = 1 << iota
	foundTime
	foundObs
	foundStream
	foundAll = 1<<iota - 1
)

// What a member's value is.
const (
	isText = iota
	isTime
	isStream
	isLevel
	isOutcome
	isGroup
	isData
)

// canonicalMember is what may stand at one place in the order of members.
type canonicalMember struct {
	word  uint64 // its name, see wordOf
	kind  uint8
	found uint8 // its bit, if it must be there
	limit int   // of a text in bytes, as Trim has it: what is longer as it stands needs a closer look
	group []canonicalMember
}

var (
	canonicalLine = []canonicalMember{
		{word: nameID, limit: 36, found: foundID}, {word: nameTime, kind: isTime, found: foundTime},
		{word: nameObs, kind: isTime, found: foundObs}, {word: nameStream, kind: isStream, found: foundStream},
		{word: nameLevel, kind: isLevel}, {word: nameCategory, limit: 64}, {word: nameAction, limit: 256},
		{word: nameOutcome, kind: isOutcome}, {word: nameStatus, limit: 64}, {word: nameCode, limit: 32},
		{word: nameMsg, limit: maxMsg}, {word: nameActor, kind: isGroup, group: canonicalActor},
		{word: nameSrc, kind: isGroup, group: canonicalSrc}, {word: nameObj, kind: isGroup, group: canonicalObj},
		{word: nameEngine, limit: 32}, {word: nameHost, limit: 253}, {word: nameNS, limit: 256},
		{word: nameRepo, limit: 256}, {word: nameProject, limit: 256}, {word: nameReq, limit: 128},
		{word: namePReq, limit: 128}, {word: nameArgs, limit: maxArgs}, {word: nameData, kind: isData},
	}
	canonicalActor = []canonicalMember{{word: nameName, limit: 256}, {word: nameID, limit: 256},
		{word: nameDomain, limit: 256}, {word: nameType, limit: 256}, {word: nameEmail, limit: 256}}
	canonicalSrc = []canonicalMember{{word: nameIP, limit: 45}, {word: nameAgent, limit: 512}}
	canonicalObj = []canonicalMember{{word: nameType, limit: 64}, {word: nameID, limit: 256}, {word: nameName, limit: 512},
		{word: nameImage, limit: 512}, {word: nameTag, limit: 128}}
)

// numbers takes seq and eseq.
func (s *canonicalScanner) numbers() (ok bool) {
	const name = `,"eseq":`
	if s.c.Seq, ok = s.uint(); ok && s.word(name) {
		s.c.Eseq, ok = s.uint()
	}
	return ok && s.c.Seq <= maxSeq && s.c.Eseq <= maxSeq
}

// members takes the members of an object and its end.
func (s *canonicalScanner) members(all []canonicalMember) bool {
	for k := 0; ; k++ {
		start := s.i
		word, key, ok := s.name()
		if !ok || s.i-start != len(key)+len(`"":`) { // space, or escapes in the name
			return false
		}
		for ; k < len(all) && all[k].word != word; k++ {
		}
		if k == len(all) || !s.take(&all[k]) {
			return false
		}
		if !s.here(',') {
			return s.here('}')
		}
	}
}

// take takes the value of a member.
func (s *canonicalScanner) take(m *canonicalMember) bool {
	s.found |= m.found
	switch m.kind {
	case isGroup:
		return s.here('{') && s.members(m.group)
	case isData:
		return s.object()
	}
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return false
	}
	from, to, odd := s.str()
	value := s.b[from:to]
	switch m.kind {
	case isTime:
		return odd == 0 && s.instant(value)
	case isStream:
		s.event = string(value) == string(StreamEvent)
		return s.event || string(value) == string(StreamLog)
	case isLevel:
		return oneOf(value, LevelInfo, LevelWarn, LevelError, LevelDebug)
	case isOutcome:
		return oneOf(value, OutcomeSuccess, OutcomeFailure, OutcomePending, OutcomeUnknown)
	}
	return len(value) > 0 && len(value) <= m.limit && (odd == 0 || canonicalText(value))
}

// object takes the free object, which must stand as appendCompact leaves it.
func (s *canonicalScanner) object() bool {
	start := s.i
	if s.loose = false; start >= len(s.b) || s.b[start] != '{' || !s.skip() || s.loose {
		return false
	}
	s.c.Data = s.b[start:s.i:s.i]
	return true
}

// instant tells whether appendTime writes a time as it stands here, and whether it counts as one: Go's zero time, of the
// year 1, does not.
func (s *canonicalScanner) instant(t []byte) bool {
	if string(t) == string(s.time) {
		return len(t) > 0
	}
	const whole = len("2006-01-02T15:04:05Z")
	if _, ok := parseUTC(t); !ok || t[0] == '0' || len(t) > whole && t[len(t)-2] == '0' {
		return false
	}
	s.time = t
	return true
}

// canonicalText tells whether appendString writes the inside of a string as it stands here. Escapes that can be
// written in several ways are not looked into.
func canonicalText(raw []byte) bool {
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '\\':
			if raw[i+1] == 'u' || raw[i+1] == '/' {
				return false
			}
			i += 2
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(raw[i:])
			if r == utf8.RuneError && n == 1 || misleads(r) {
				return false
			}
			i += n
		}
	}
	return true
}

// oneOf tells whether value is one of names.
func oneOf[T ~string](value []byte, names ...T) bool {
	for _, name := range names {
		if string(value) == string(name) {
			return true
		}
	}
	return false
}
