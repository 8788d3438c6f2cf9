package format

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// line takes the object that is a line.
func (s *scanner) line(f *Fields, x *extras) bool {
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	after, ok := s.written(f)
	for ok {
		if !after {
			word, key, named := s.name()
			if !named || !s.member(f, x, word, key) {
				return false
			}
		}
		after = false
		if s.here(',') || s.next(',') {
			continue
		}
		return s.next('}')
	}
	return false
}

// name takes a member's name and the colon. word is the name as [wordOf] has it.
func (s *scanner) name() (word uint64, key []byte, ok bool) {
	if b := s.b[s.i:]; len(b) >= 11 && b[0] == '"' { // names are short: one look finds the end of most
		x := binary.LittleEndian.Uint64(b[1:])
		m := stops(x)
		n := bits.TrailingZeros64(m) / 8
		if b[1+n] == '"' && b[2+n] == ':' {
			s.i += n + 3
			return x & (m&-m>>7 - 1), b[1 : 1+n], true // all below the byte of the quote
		}
	}
	from, to, odd := s.str()
	if odd&noString != 0 {
		return 0, nil, false
	}
	if key = s.b[from:to]; odd != 0 {
		key = s.value(from, to, odd).Bytes(nil)
	}
	return wordOf(key), key, s.next(':')
}

// member takes the value of one member of a line.
func (s *scanner) member(f *Fields, x *extras, word uint64, key []byte) bool {
	if slot := f.slot(word); slot != nil {
		return s.optional(slot)
	}
	switch word {
	case nameV:
		return s.count(&f.v)
	case nameSeq:
		return s.count(&f.Seq)
	case nameEseq:
		return s.count(&f.Eseq)
	case nameActor:
		f.ActorName, f.ActorID, f.ActorDomain, f.ActorType, f.ActorEmail = Value{}, Value{}, Value{}, Value{}, Value{}
		return s.group(f, x, inActor)
	case nameSrc:
		f.SrcIP, f.SrcAgent = Value{}, Value{}
		return s.group(f, x, inSrc)
	case nameObj:
		f.ObjType, f.ObjID, f.ObjName, f.ObjImage, f.ObjTag = Value{}, Value{}, Value{}, Value{}, Value{}
		return s.group(f, x, inObj)
	case nameData:
		return s.data(f)
	case nameCut:
		return s.cut(x)
	}
	return s.extra(x.of(inLine), key)
}

// null takes a null, which is as good as an absent member.
func (s *scanner) null() bool { return s.peek() == 'n' && s.word("null") }

// count takes a number that counts something.
func (s *scanner) count(n *uint64) bool {
	var ok bool
	if *n, ok = s.uint(); ok {
		return true
	}
	return !isDigit(s.b[s.i-1]) && s.null() // no digit was taken
}

// optional takes a string or null.
func (s *scanner) optional(v *Value) bool {
	if (s.i >= len(s.b) || s.b[s.i] != '"') && s.peek() != '"' {
		*v = Value{}
		return s.null()
	}
	from, to, odd := s.str()
	if odd == 0 {
		*v = Value{raw: s.b[from:to]}
		return true
	}
	*v = s.value(from, to, odd)
	return odd&noString == 0
}

// group takes an object of strings, which is at one of the places.
func (s *scanner) group(f *Fields, x *extras, place int) bool {
	extra := x.of(place)
	if extra != nil {
		*extra = nil
	}
	if s.null() {
		return true
	}
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	for {
		word, key, ok := s.name()
		if !ok {
			return false
		}
		if v := f.slotIn(place, word); v != nil {
			ok = s.optional(v)
		} else {
			ok = s.extra(extra, key)
		}
		if !ok {
			return false
		}
		if s.here(',') || s.next(',') {
			continue
		}
		return s.next('}')
	}
}

// extra takes the value of a member this version does not know.
func (s *scanner) extra(extra *[]Member, key []byte) bool {
	s.space()
	start := s.i
	if !s.skip() {
		return false
	}
	if extra != nil {
		*extra = append(*extra, Member{string(key), slices.Clone(s.b[start:s.i])})
	}
	return true
}

// data takes the free object of a record.
func (s *scanner) data(f *Fields) bool {
	f.Data = nil
	if s.null() {
		return true
	}
	if s.peek() != '{' {
		return false
	}
	start := s.i
	if !s.skip() {
		return false
	}
	f.Data = s.b[start:s.i:s.i]
	return true
}

// cut takes the list of names of truncated members.
func (s *scanner) cut(x *extras) bool {
	if x != nil {
		x.cut = nil
	}
	if s.null() {
		return true
	}
	if !s.next('[') {
		return false
	}
	if s.next(']') {
		return true
	}
	for {
		from, to, odd := s.str()
		if odd&noString != 0 {
			return false
		}
		if x != nil {
			x.cut = append(x.cut, s.value(from, to, odd).String())
		}
		if s.next(',') {
			continue
		}
		return s.next(']')
	}
}

// The objects of a line that may hold members this version does not know.
const (
	inLine = iota
	inActor
	inSrc
	inObj
	places
)

// extras takes what a scan finds beyond Fields.
type extras struct {
	in  [places][]Member
	cut []string
}

// of is where the extra members of one object go; nil when they are not wanted.
func (x *extras) of(place int) *[]Member {
	if x == nil {
		return nil
	}
	return &x.in[place]
}

// settle makes the typed fields of the strings that were scanned.
func (f *Fields) settle() error {
	if f.v > Version {
		return fmt.Errorf("v is %d, this program reads up to %d: %w", f.v, Version, ErrVersion)
	}
	var ok bool
	if !f.time.Empty() {
		if f.at, ok = parseTime(f.time.Bytes(nil)); !ok {
			return fmt.Errorf("time %q is not RFC 3339", f.time.String())
		}
		f.Time = f.at.unixNano()
	}
	if !f.obs.Empty() {
		if f.obsAt, ok = parseTime(f.obs.Bytes(nil)); !ok {
			return fmt.Errorf("obs %q is not RFC 3339", f.obs.String())
		}
	}
	f.Stream, f.Engine = streamOf(f.stream), engineOf(f.engine)
	f.Level, f.Outcome = effective(levelOf(f.level), outcomeOf(f.outcome), f.statusWord())
	return nil
}

// statusWord is the status when an outcome may follow from it, else "": most lines need no string made.
func (f *Fields) statusWord() string {
	if f.Status.Empty() || !f.outcome.Empty() {
		return ""
	}
	return f.Status.String()
}

func streamOf(v Value) Stream {
	switch string(v.raw) {
	case "log":
		return StreamLog
	case "event":
		return StreamEvent
	}
	return Stream(v.String())
}

func levelOf(v Value) Level {
	switch string(v.raw) {
	case "INFO":
		return LevelInfo
	case "WARN":
		return LevelWarn
	case "ERROR":
		return LevelError
	case "DEBUG":
		return LevelDebug
	}
	return Level(v.String())
}

func outcomeOf(v Value) Outcome {
	if v.Empty() {
		return ""
	}
	for _, o := range [...]Outcome{OutcomeSuccess, OutcomeFailure, OutcomePending, OutcomeUnknown} {
		if string(v.raw) == string(o) {
			return o
		}
	}
	return Outcome(v.String())
}

func engineOf(v Value) Engine {
	for _, e := range [...]Engine{EngineDocker, EngineIncus, EngineLXC, EngineLXD} {
		if string(v.raw) == string(e) {
			return e
		}
	}
	return Engine(v.String())
}

// trimmed is line without its end.
func trimmed(line []byte) []byte {
	for n := len(line); n > 0 && (line[n-1] == '\n' || line[n-1] == '\r'); n-- {
		line = line[:n-1]
	}
	return line
}
