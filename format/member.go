package format

import (
	"bytes"
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
	for {
		key, ok := s.name()
		if !ok || !s.member(f, x, key) {
			return false
		}
		if s.next(',') {
			continue
		}
		return s.next('}')
	}
}

// name takes a member's name and the colon.
func (s *scanner) name() ([]byte, bool) {
	if b := s.b[s.i:]; len(b) >= 11 && b[0] == '"' { // names are short: one look finds the end of most
		x := binary.LittleEndian.Uint64(b[1:])
		n := bits.TrailingZeros64(stops(x)) / 8
		if x&highs == 0 && b[1+n] == '"' && b[2+n] == ':' {
			s.i += n + 3
			return b[1 : 1+n], true
		}
	}
	from, to, odd := s.str()
	key := s.b[from:to]
	if odd != 0 {
		if odd&noString != 0 {
			return nil, false
		}
		key = s.value(from, to, odd).Bytes(nil)
	}
	return key, s.next(':')
}

// member takes the value of one member of a line.
func (s *scanner) member(f *Fields, x *extras, key []byte) bool {
	switch string(key) {
	case "v":
		return s.count(&f.v)
	case "seq":
		return s.count(&f.Seq)
	case "eseq":
		return s.count(&f.Eseq)
	case "actor":
		f.ActorName, f.ActorID, f.ActorDomain, f.ActorType, f.ActorEmail = Value{}, Value{}, Value{}, Value{}, Value{}
		return s.group(x.of(inActor), func(key []byte) *Value { return f.actorSlot(key) })
	case "src":
		f.SrcIP, f.SrcAgent = Value{}, Value{}
		return s.group(x.of(inSrc), func(key []byte) *Value { return f.srcSlot(key) })
	case "obj":
		f.ObjType, f.ObjID, f.ObjName, f.ObjImage, f.ObjTag = Value{}, Value{}, Value{}, Value{}, Value{}
		return s.group(x.of(inObj), func(key []byte) *Value { return f.objSlot(key) })
	case "data":
		return s.data(f)
	case "cut":
		return s.cut(x)
	}
	if slot := f.slot(key); slot != nil {
		return s.optional(slot)
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
	*v = s.value(from, to, odd)
	return odd&noString == 0
}

// group takes an object of strings. slot says where each goes.
func (s *scanner) group(extra *[]Member, slot func([]byte) *Value) bool {
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
		key, ok := s.name()
		if !ok {
			return false
		}
		if v := slot(key); v != nil {
			ok = s.optional(v)
		} else {
			ok = s.extra(extra, key)
		}
		if !ok {
			return false
		}
		if s.next(',') {
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
func trimmed(line []byte) []byte { return bytes.TrimRight(line, "\r\n") }
