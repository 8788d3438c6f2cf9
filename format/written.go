package format

import (
	"encoding/binary"
	"math/bits"
)

// behind is what scanner.ahead is when a value was taken and no name follows it at once.
const behind = 1

// written takes the members of a line that stand as AppendLine writes them: in its order and without spaces. To ask
// for one name after the other is a comparison each that nearly always ends as it did with the line before; to find
// out which name comes costs several times as much. It stops at whatever is otherwise, which line takes. after tells
// that a value was taken last, and not the comma behind it.
func (s *scanner) written(f *Fields) (after, ok bool) {
	if len(s.b)-s.i >= 9 && s.b[s.i] == '"' {
		s.ahead = binary.LittleEndian.Uint64(s.b[s.i+1:])
	}
	ok = s.ifCount(nameV, 1, &f.v) && s.ifCount(nameSeq, 3, &f.Seq) && s.ifCount(nameEseq, 4, &f.Eseq) &&
		s.ifText(nameID, 2, &f.ID) && s.ifText(nameTime, 4, &f.time) && s.ifText(nameObs, 3, &f.obs) &&
		s.ifText(nameStream, 6, &f.stream) && s.ifText(nameLevel, 5, &f.level) &&
		s.ifText(nameCategory, 8, &f.Category) && s.ifText(nameAction, 6, &f.Action) &&
		s.ifText(nameOutcome, 7, &f.outcome) && s.ifText(nameStatus, 6, &f.Status) && s.ifText(nameCode, 4, &f.Code) &&
		s.ifText(nameMsg, 3, &f.Msg) && s.writtenGroups(f) &&
		s.ifText(nameEngine, 6, &f.engine) && s.ifText(nameHost, 4, &f.Host) && s.ifText(nameNS, 2, &f.NS) &&
		s.ifText(nameRepo, 4, &f.Repo) && s.ifText(nameProject, 7, &f.Project) && s.ifText(nameReq, 3, &f.Req) &&
		s.ifText(namePReq, 4, &f.PReq) && s.ifText(nameArgs, 4, &f.Args)
	return s.ahead == behind, ok
}

// writtenGroups takes the objects of strings.
func (s *scanner) writtenGroups(f *Fields) bool {
	if at := s.i; s.opens(nameActor, 5) {
		if !s.ifText(nameName, 4, &f.ActorName) || !s.ifText(nameID, 2, &f.ActorID) ||
			!s.ifText(nameDomain, 6, &f.ActorDomain) || !s.ifText(nameType, 4, &f.ActorType) ||
			!s.ifText(nameEmail, 5, &f.ActorEmail) {
			return false
		}
		s.closes(at)
	}
	if at := s.i; s.opens(nameSrc, 3) {
		if !s.ifText(nameIP, 2, &f.SrcIP) || !s.ifText(nameAgent, 5, &f.SrcAgent) {
			return false
		}
		s.closes(at)
	}
	if at := s.i; s.opens(nameObj, 3) {
		if !s.ifText(nameType, 4, &f.ObjType) || !s.ifText(nameID, 2, &f.ObjID) || !s.ifText(nameName, 4, &f.ObjName) ||
			!s.ifText(nameImage, 5, &f.ObjImage) || !s.ifText(nameTag, 3, &f.ObjTag) {
			return false
		}
		s.closes(at)
	}
	return true
}

// ifText takes the string member word when its n letters come next: a name that is longer is left to text.
func (s *scanner) ifText(word uint64, n int, v *Value) bool {
	return s.ahead<<(64-8*n) != word<<(64-8*n) || s.text(n, v)
}

// ifCount takes the number word, of n letters, when it comes next.
func (s *scanner) ifCount(word uint64, n int, v *uint64) bool {
	return s.ahead<<(64-8*n) != word<<(64-8*n) || s.counted(n, v)
}

// text takes the member whose name of n letters comes next, unless it is longer or no string follows it at once.
func (s *scanner) text(n int, v *Value) bool {
	p := s.b[s.i+n+1:]
	if len(p) < 4 || binary.LittleEndian.Uint32(p)&0xffffff != '"'|':'<<8|'"'<<16 {
		s.ahead = 0
		return true
	}
	p = p[3:]
	inside := p
	for len(p) > 8 {
		m := stops(binary.LittleEndian.Uint64(p))
		if m == 0 {
			p = p[8:]
			continue
		}
		if p = p[bits.TrailingZeros64(m)>>3:]; p[0] != '"' {
			break
		}
		*v = Value{raw: inside[:len(inside)-len(p)]}
		s.lookAhead(p)
		return true
	}
	s.i += n + 3
	if !s.optional(v) {
		return false
	}
	s.lookAhead(s.b[s.i-1:])
	return true
}

// counted takes the member whose name of n letters comes next, unless it is longer or no number follows it at once.
func (s *scanner) counted(n int, v *uint64) bool {
	b, i := s.b, s.i+n+1
	if len(b)-i < 3 || b[i] != '"' || b[i+1] != ':' || !isDigit(b[i+2]) {
		s.ahead = 0
		return true
	}
	s.i = i + 2
	if !s.count(v) {
		return false
	}
	s.lookAhead(s.b[s.i-1:])
	return true
}

// lookAhead goes on in what follows, which begins with the last byte of a value: to the name of the next member if it
// comes at once.
func (s *scanner) lookAhead(p []byte) {
	s.i, s.ahead = len(s.b)-len(p)+1, behind
	if len(p) > 11 && binary.LittleEndian.Uint16(p[1:]) == ','|'"'<<8 {
		s.i++
		s.ahead = binary.LittleEndian.Uint64(p[3:])
	}
}

// opens goes to the first name in the object word, of n letters, when it comes next.
func (s *scanner) opens(word uint64, n int) bool {
	if s.ahead<<(64-8*n) != word<<(64-8*n) {
		return false
	}
	b, i := s.b, s.i+n+1
	if len(b)-i < 12 || b[i] != '"' || b[i+1] != ':' || b[i+2] != '{' || b[i+3] != '"' {
		s.ahead = 0
		return false
	}
	s.i, s.ahead = i+3, binary.LittleEndian.Uint64(b[i+4:])
	return true
}

// closes goes on behind the object whose name is at i. When something else stands in it, line is to take all of it.
func (s *scanner) closes(i int) {
	if s.ahead == behind && s.i < len(s.b) && s.b[s.i] == '}' {
		s.lookAhead(s.b[s.i:])
		return
	}
	s.i, s.ahead = i, 0
}
