package format

import (
	"encoding/binary"
	"math/bits"
)

// ahead is what is left of a line, and what comes next there.
type ahead struct {
	left []byte
	name uint64 // the eight bytes behind the quote that left begins with, or one of these
}

const (
	unseen = iota // a name may come, but none that is looked at
	behind        // left begins behind a value, and no name follows at once
	broken        // left begins with what cannot be read
)

// written takes the members of a line that stand as AppendLine writes them: in its order and without spaces. To ask
// for one name after the other is a comparison each that nearly always ends as it did with the line before; to find
// out which name comes costs several times as much. It stops at whatever is otherwise, which line takes. after tells
// that a value was taken last, and not the comma behind it.
func (s *scanner) written(f *Fields) (after, ok bool) {
	a := ahead{left: s.b[s.i:]}
	if len(a.left) >= 9 && a.left[0] == '"' {
		a.name = binary.LittleEndian.Uint64(a.left[1:])
	}
	a = a.count(nameV, 1, &f.v).count(nameSeq, 3, &f.Seq).count(nameEseq, 4, &f.Eseq)
	a = a.text(nameID, 2, &f.ID).text(nameTime, 4, &f.time).text(nameObs, 3, &f.obs)
	a = a.text(nameStream, 6, &f.stream).text(nameLevel, 5, &f.level)
	a = a.text(nameCategory, 8, &f.Category).text(nameAction, 6, &f.Action)
	a = a.text(nameOutcome, 7, &f.outcome).text(nameStatus, 6, &f.Status).text(nameCode, 4, &f.Code)
	a = f.writtenGroups(a.text(nameMsg, 3, &f.Msg))
	a = a.text(nameEngine, 6, &f.engine).text(nameHost, 4, &f.Host).text(nameNS, 2, &f.NS)
	a = a.text(nameRepo, 4, &f.Repo).text(nameProject, 7, &f.Project)
	a = a.text(nameReq, 3, &f.Req).text(namePReq, 4, &f.PReq).text(nameArgs, 4, &f.Args)
	s.i = len(s.b) - len(a.left)
	return a.name == behind, a.name != broken
}

// writtenGroups takes the objects of strings.
func (f *Fields) writtenGroups(a ahead) ahead {
	if in := a.open(nameActor, 5); in.name != unseen {
		in = in.text(nameName, 4, &f.ActorName).text(nameID, 2, &f.ActorID).text(nameDomain, 6, &f.ActorDomain)
		a = a.close(in.text(nameType, 4, &f.ActorType).text(nameEmail, 5, &f.ActorEmail))
	}
	if in := a.open(nameSrc, 3); in.name != unseen {
		a = a.close(in.text(nameIP, 2, &f.SrcIP).text(nameAgent, 5, &f.SrcAgent))
	}
	if in := a.open(nameObj, 3); in.name != unseen {
		in = in.text(nameType, 4, &f.ObjType).text(nameID, 2, &f.ObjID).text(nameName, 4, &f.ObjName)
		a = a.close(in.text(nameImage, 5, &f.ObjImage).text(nameTag, 3, &f.ObjTag))
	}
	return a
}

// text takes the string member word when its n letters come next: a name that is longer is left to takeText.
func (a ahead) text(word uint64, n int, v *Value) ahead {
	if (a.name^word)<<(64-8*n) != 0 {
		return a
	}
	return a.takeText(n, v)
}

// count takes the number word when its n letters come next.
func (a ahead) count(word uint64, n int, v *uint64) ahead {
	if (a.name^word)<<(64-8*n) != 0 {
		return a
	}
	return a.takeCount(n, v)
}

// takeText takes the member whose name of n letters comes next, unless it is longer or no string follows it at once.
func (a ahead) takeText(n int, v *Value) ahead {
	p := a.left
	if len(p) < n+5 || binary.LittleEndian.Uint32(p[n+1:])&0xffffff != '"'|':'<<8|'"'<<16 {
		return ahead{left: p}
	}
	inside := p[n+4:]
	for q := inside; len(q) > 8; q = q[8:] {
		m := stops(binary.LittleEndian.Uint64(q))
		if m == 0 {
			continue
		}
		if q = q[bits.TrailingZeros64(m)>>3:]; q[0] != '"' {
			break
		}
		*v = Value{raw: inside[:len(inside)-len(q)]}
		return goOn(q)
	}
	s := scanner{b: p, i: n + 3}
	if !s.optional(v) {
		return ahead{p[s.i:], broken}
	}
	return goOn(p[s.i-1:])
}

// takeCount takes the member whose name of n letters comes next, unless it is longer or no number follows it at once.
func (a ahead) takeCount(n int, v *uint64) ahead {
	p := a.left
	if len(p) < n+4 || p[n+1] != '"' || p[n+2] != ':' || !isDigit(p[n+3]) {
		return ahead{left: p}
	}
	s := scanner{b: p, i: n + 3}
	if !s.count(v) {
		return ahead{p[s.i:], broken}
	}
	return goOn(p[s.i-1:])
}

// goOn is what is ahead in p, which begins with the last byte of a value.
func goOn(p []byte) ahead {
	if len(p) > 11 && binary.LittleEndian.Uint16(p[1:]) == ','|'"'<<8 {
		return ahead{p[2:], binary.LittleEndian.Uint64(p[3:])}
	}
	return ahead{p[1:], behind}
}

// open is what is ahead in the object word when its n letters come next; else unseen.
func (a ahead) open(word uint64, n int) ahead {
	if p := a.left; (a.name^word)<<(64-8*n) == 0 && len(p) >= n+13 &&
		binary.LittleEndian.Uint32(p[n+1:]) == '"'|':'<<8|'{'<<16|'"'<<24 {
		return ahead{p[n+4:], binary.LittleEndian.Uint64(p[n+5:])}
	}
	return ahead{}
}

// close is what is ahead behind the object that begins here, of which in is left. When something else stands in it,
// line is to take all of it.
func (a ahead) close(in ahead) ahead {
	switch p := in.left; {
	case in.name == broken:
		return in
	case in.name == behind && len(p) > 0 && p[0] == '}':
		return goOn(p)
	}
	return ahead{left: a.left}
}
