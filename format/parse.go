package format

import (
	"bytes"
	"fmt"
	"slices"
)

// ScanLine fills f with what line holds, in one pass and without allocating. The line may end in a newline.
// It accepts exactly the lines ParseLine accepts; of members that stand more than once the last one counts.
// A line of a newer format fails with ErrVersion, an incomplete one with ErrTorn.
func ScanLine(line []byte, f *Fields) error { return scanLine(line, f, nil) }

// Clone returns a copy that stays valid when the reader moves on.
func (f *Fields) Clone() Fields {
	var c Fields
	if ScanLine(bytes.Clone(f.Line), &c) != nil {
		c = *f // never scanned, so not pointing into a line either
	}
	return c
}

// ParseLine reads one line, with or without its newline, into r, whatever r held before. Members it does not
// know are kept in Extra and written again by AppendLine.
func ParseLine(line []byte, r *Record) error {
	var f Fields
	var x extras
	if err := scanLine(line, &f, &x); err != nil {
		return fmt.Errorf("parse line: %w", err)
	}
	text := text{line: f.Line, copied: string(f.Line)}
	*r = Record{
		V: max(int(f.v), 1), Seq: f.Seq, Eseq: f.Eseq, ID: text.of(f.ID),
		Stream: f.Stream, Level: levelOf(f.level), Outcome: outcomeOf(f.outcome),
		Category: text.of(f.Category), Action: text.of(f.Action), Status: text.of(f.Status), Code: text.of(f.Code),
		Msg: text.of(f.Msg),
		Actor: Actor{Name: text.of(f.ActorName), ID: text.of(f.ActorID), Domain: text.of(f.ActorDomain),
			Type: text.of(f.ActorType), Email: text.of(f.ActorEmail), Extra: x.in[inActor]},
		Src: Src{IP: text.of(f.SrcIP), Agent: text.of(f.SrcAgent), Extra: x.in[inSrc]},
		Obj: Object{Type: text.of(f.ObjType), ID: text.of(f.ObjID), Name: text.of(f.ObjName),
			Image: text.of(f.ObjImage), Tag: text.of(f.ObjTag), Extra: x.in[inObj]},
		Engine: f.Engine, Host: text.of(f.Host), NS: text.of(f.NS), Repo: text.of(f.Repo), Project: text.of(f.Project),
		Req: text.of(f.Req), PReq: text.of(f.PReq), Args: text.of(f.Args),
		Data: slices.Clone(f.Data), Cut: x.cut, Extra: x.in[inLine],
	}
	if !f.time.Empty() {
		r.Time = f.at.time()
	}
	if !f.obs.Empty() {
		r.Obs = f.obsAt.time()
	}
	return nil
}

// text turns values into strings that share one copy of their line.
type text struct {
	line   []byte
	copied string
}

func (t text) of(v Value) string {
	if v.esc {
		return v.String()
	}
	if len(v.raw) == 0 {
		return ""
	}
	at := cap(t.line) - cap(v.raw) // both slices end where the line's array ends
	return t.copied[at : at+len(v.raw)]
}

// scanLine is the one reader of lines; x is nil when only the fields are wanted.
func scanLine(line []byte, f *Fields, x *extras) error {
	line = trimmed(line)
	*f = Fields{} // and not with Line in it: that would be made elsewhere and copied, a kilobyte each time
	f.Line = line
	s := scanner{b: line}
	if !s.line(f, x) || !s.end() {
		return s.failure()
	}
	return f.settle()
}
