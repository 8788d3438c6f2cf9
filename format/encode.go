package format

import (
	"encoding/json"
	"slices"
	"strconv"
)

// AppendLine appends r as one line, newline included, to dst. Whatever r holds, the result is one line of
// valid JSON that ParseLine reads back: members stand in the order of the table in the package's document,
// times are UTC, invalid UTF-8 becomes U+FFFD. Data and extra members that are not JSON are left out and named
// in cut, as are extra members that bear the name of a known one.
func AppendLine(dst []byte, r *Record) []byte {
	return appendTail(appendHead(dst, r.V, r.Seq, r.Eseq), r)
}

// appendHead appends what stands before a record's id: the part only the writer can know.
func appendHead(dst []byte, v int, seq, eseq uint64) []byte {
	dst = append(dst, `{"v":`...)
	dst = strconv.AppendInt(dst, int64(max(v, 1)), 10)
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendUint(dst, seq, 10)
	if eseq != 0 {
		dst = append(dst, `,"eseq":`...)
		dst = strconv.AppendUint(dst, eseq, 10)
	}
	return dst
}

// appendTail appends the rest of the line, from the comma before the id to the newline.
func appendTail(dst []byte, r *Record) []byte {
	dst = appendMember(dst, `,"id":`, r.ID)
	if !r.Time.IsZero() {
		dst = append(appendTime(append(dst, `,"time":"`...), r.Time), '"')
	}
	if !r.Obs.IsZero() {
		dst = append(appendTime(append(dst, `,"obs":"`...), r.Obs), '"')
	}
	dst = appendMember(dst, `,"stream":`, string(r.Stream))
	dst = appendMember(dst, `,"level":`, string(r.Level))
	dst = appendMember(dst, `,"category":`, r.Category)
	dst = appendMember(dst, `,"action":`, r.Action)
	dst = appendMember(dst, `,"outcome":`, string(r.Outcome))
	dst = appendMember(dst, `,"status":`, r.Status)
	dst = appendMember(dst, `,"code":`, r.Code)
	dst = appendMember(dst, `,"msg":`, r.Msg)
	cut := r.Cut
	dst = r.appendGroups(dst, &cut)
	dst = appendMember(dst, `,"engine":`, string(r.Engine))
	dst = appendMember(dst, `,"host":`, r.Host)
	dst = appendMember(dst, `,"ns":`, r.NS)
	dst = appendMember(dst, `,"repo":`, r.Repo)
	dst = appendMember(dst, `,"project":`, r.Project)
	dst = appendMember(dst, `,"req":`, r.Req)
	dst = appendMember(dst, `,"preq":`, r.PReq)
	dst = appendMember(dst, `,"args":`, r.Args)
	if len(r.Data) > 0 {
		dst = appendData(dst, r.Data, &cut)
	}
	dst = appendExtras(dst, r.Extra, inLine, "extra", &cut)
	if len(cut) > 0 {
		dst = appendCut(dst, cut)
	}
	return append(dst, "}\n"...)
}

// appendGroups appends the members that are objects of their own.
func (r *Record) appendGroups(dst []byte, cut *[]string) []byte {
	mark := len(dst)
	dst = append(dst, `,"actor":`...)
	start := len(dst)
	dst = appendMember(dst, `,"name":`, r.Actor.Name)
	dst = appendMember(dst, `,"id":`, r.Actor.ID)
	dst = appendMember(dst, `,"domain":`, r.Actor.Domain)
	dst = appendMember(dst, `,"type":`, r.Actor.Type)
	dst = appendMember(dst, `,"email":`, r.Actor.Email)
	dst = appendExtras(dst, r.Actor.Extra, inActor, "actor.extra", cut)
	dst = closeGroup(dst, mark, start)

	mark = len(dst)
	dst = append(dst, `,"src":`...)
	start = len(dst)
	dst = appendMember(dst, `,"ip":`, r.Src.IP)
	dst = appendMember(dst, `,"agent":`, r.Src.Agent)
	dst = appendExtras(dst, r.Src.Extra, inSrc, "src.extra", cut)
	dst = closeGroup(dst, mark, start)

	mark = len(dst)
	dst = append(dst, `,"obj":`...)
	start = len(dst)
	dst = appendMember(dst, `,"type":`, r.Obj.Type)
	dst = appendMember(dst, `,"id":`, r.Obj.ID)
	dst = appendMember(dst, `,"name":`, r.Obj.Name)
	dst = appendMember(dst, `,"image":`, r.Obj.Image)
	dst = appendMember(dst, `,"tag":`, r.Obj.Tag)
	dst = appendExtras(dst, r.Obj.Extra, inObj, "obj.extra", cut)
	return closeGroup(dst, mark, start)
}

// closeGroup makes an object of the members that begin at start, each with its comma: the first comma becomes
// the brace. Without members the name goes too, from mark on.
func closeGroup(dst []byte, mark, start int) []byte {
	if len(dst) == start {
		return dst[:mark]
	}
	dst[start] = '{'
	return append(dst, '}')
}

// appendMember appends a string member unless it is empty. name is `,"name":`.
func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(append(dst, name...), value)
}

// appendData appends the free object.
func appendData(dst []byte, data json.RawMessage, cut *[]string) []byte {
	mark := len(dst)
	dst = append(dst, `,"data":`...)
	start := len(dst)
	dst, ok := appendCompact(dst, data)
	if !ok || dst[start] != '{' {
		*cut = withName(*cut, "data")
		return dst[:mark]
	}
	return dst
}

// appendExtras appends the members of an object that this version does not know; place is which object.
func appendExtras(dst []byte, extra []Member, place int, name string, cut *[]string) []byte {
	for _, m := range extra {
		mark := len(dst)
		dst = append(appendString(append(dst, ','), m.Name), ':')
		var ok bool
		if dst, ok = appendCompact(dst, m.Value); !ok || known(place, validUTF8(m.Name)) {
			*cut = withName(*cut, name)
			dst = dst[:mark]
		}
	}
	return dst
}

// withName returns names with name in it, without writing to the caller's array.
func withName(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names[:len(names):len(names)], name)
}

func appendCut(dst []byte, cut []string) []byte {
	dst = append(dst, `,"cut":[`...)
	for i, name := range cut {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
	}
	return append(dst, ']')
}
