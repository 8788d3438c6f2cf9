package index

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"unsafe"

	"shiplog/format"
)

// Facets are the members of a record that take few values: what it is, whose it is, who did it. A query asks
// once for each combination of them that a segment holds, so what a dialect shows, and to whom, is decided
// without a look at the lines.
type Facets struct {
	Action                          string
	ObjType                         string
	NS, Repo, Project               string         // ownership scopes
	ActorName, ActorType, ActorHome string         // the actor's name, type and domain
	Outcome                         format.Outcome // effective
	HSS                             bool           // data has a member hss: the record came from, or was meant for, that dialect
}

// appendFacets is the dictionary value of a record's facets: a byte for HSS, then the others, each after its
// length, in the order of [Facets].
func appendFacets(dst []byte, f *format.Fields) []byte {
	hss := byte(0)
	if hasHSS(f.Data) {
		hss = 1
	}
	dst = append(dst, hss)
	for _, v := range [...]*format.Value{&f.Action, &f.ObjType, &f.NS, &f.Repo, &f.Project, &f.ActorName, &f.ActorType, &f.ActorDomain} {
		dst = appendValue(dst, v)
	}
	dst = binary.AppendUvarint(dst, uint64(len(f.Outcome)))
	return append(dst, f.Outcome...)
}

// appendValue appends a value after its length.
func appendValue(dst []byte, v *format.Value) []byte {
	b := v.Raw()
	if len(b) == 0 { // many are
		return append(dst, 0)
	}
	if v.Escaped() {
		b = v.Append(nil)
	}
	if len(b) < 0x80 {
		return append(append(dst, byte(len(b))), b...)
	}
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// splitFacets takes a dictionary value apart. Parts of a value that is not whole are empty.
func splitFacets(v string) (f Facets) {
	if v == "" {
		return f
	}
	f.HSS, v = v[0] == 1, v[1:]
	outcome := ""
	for _, part := range [...]*string{&f.Action, &f.ObjType, &f.NS, &f.Repo, &f.Project, &f.ActorName, &f.ActorType, &f.ActorHome, &outcome} {
		n, w := uint64(0), 0
		if v != "" && v[0] < 0x80 { // nearly every one
			n, w = uint64(v[0]), 1
		} else {
			n, w = binary.Uvarint(unsafe.Slice(unsafe.StringData(v), len(v)))
		}
		if w <= 0 || n > uint64(len(v)-w) {
			break
		}
		*part, v = v[w:w+int(n)], v[w+int(n):]
	}
	f.Outcome = format.Outcome(outcome)
	return f
}

// hasHSS tells whether the object data has a member hss. Looking for the bytes first spares nearly every
// record the walk; an escape may spell the name in another way.
func hasHSS(data []byte) bool {
	if !bytes.Contains(data, []byte(`"hss"`)) && !bytes.Contains(data, []byte(`\u`)) {
		return false
	}
	depth, key := 0, false // key: what comes next in the outermost object is a name
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			depth++
			key = depth == 1
		case '}', ']':
			depth--
		case ',':
			key = depth == 1
		case '"':
			end := stringEnd(data, i)
			if key && isHSS(data[i:end]) {
				return true
			}
			key = false
			i = end - 1
		}
	}
	return false
}

// stringEnd is where the string that begins at data[i] ends, after its quote.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// isHSS tells whether a name in its quotes is hss.
func isHSS(quoted []byte) bool {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted) == `"hss"`
	}
	var name string
	return json.Unmarshal(quoted, &name) == nil && name == "hss"
}

// verdicts remembers what [Query.Facets] said of lines, so that it is not asked once for each.
type verdicts struct {
	ask   func(*Facets) bool
	known map[string]bool // by dictionary value
	key   []byte          // reused
}

// maxVerdicts bounds what is remembered: a combination is forgotten when there are that many.
const maxVerdicts = 4096

// of tells whether a line is wanted for its facets.
func (v *verdicts) of(f *format.Fields) bool {
	if v.ask == nil {
		return true
	}
	v.key = appendFacets(v.key[:0], f)
	ok, known := v.known[string(v.key)]
	if known {
		return ok
	}
	if v.known == nil || len(v.known) == maxVerdicts {
		v.known = make(map[string]bool)
	}
	value := string(v.key)
	facets := splitFacets(value)
	ok = v.ask(&facets)
	v.known[value] = ok
	return ok
}

// facetsOf returns the facets of a line.
func facetsOf(f *format.Fields) Facets { return splitFacets(string(appendFacets(nil, f))) }
