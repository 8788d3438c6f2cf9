package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Limits in bytes. What is longer is cut.
const (
	maxMsg    = 32 << 10
	maxArgs   = 64 << 10
	maxData   = 64 << 10
	maxRecord = 256 << 10 // one line, newline included
)

// maxSeq bounds the numbers that are read and restored, so that there is always a next one.
const maxSeq = math.MaxInt64

// Validate says what keeps r from being written. Too long is no such thing: see [Record.Trim].
func (r *Record) Validate() error {
	switch r.Stream {
	case StreamLog, StreamEvent:
	default:
		return fmt.Errorf("record: stream %q unknown (log, event)", r.Stream)
	}
	switch r.Level {
	case "", LevelDebug, LevelInfo, LevelWarn, LevelError:
	default:
		return fmt.Errorf("record: level %q unknown (DEBUG, INFO, WARN, ERROR)", r.Level)
	}
	switch r.Outcome {
	case "", OutcomeSuccess, OutcomeFailure, OutcomePending, OutcomeUnknown:
	default:
		return fmt.Errorf("record: outcome %q unknown (success, failure, pending, unknown)", r.Outcome)
	}
	if r.V > Version {
		return fmt.Errorf("record: v is %d, this program writes %d: %w", r.V, Version, ErrVersion)
	}
	if r.Eseq != 0 && r.Stream != StreamEvent {
		return errors.New("record: only a record of stream event has an eseq")
	}
	return nil
}

// Trim cuts each member at its limit and the whole at 256 KiB, at a UTF-8 boundary, and names in Cut what was
// cut. Data loses its largest members; when it is no JSON object, all of it. Invalid UTF-8 becomes U+FFFD.
// The slices r came with are not written to.
func (r *Record) Trim() {
	t := trimming{r: r}
	t.record()
	engine := string(r.Engine)
	t.text("engine", &engine, 32)
	r.Engine = Engine(engine)
	if len(r.Data) > maxData/3 { // at most three bytes are written for one: AppendLine judges the others
		r.trimData(maxData)
	}
	if r.bound(t.size) > maxRecord {
		r.trimWhole()
	}
}

// trimming is one call of Trim.
type trimming struct {
	r    *Record
	size int // bytes of the texts that are done
}

func (t *trimming) record() {
	r := t.r
	t.text("id", &r.ID, 36)
	t.text("category", &r.Category, 64)
	t.text("action", &r.Action, 256)
	t.text("status", &r.Status, 64)
	t.text("code", &r.Code, 32)
	t.text("msg", &r.Msg, maxMsg)
	t.text("actor.name", &r.Actor.Name, 256)
	t.text("actor.id", &r.Actor.ID, 256)
	t.text("actor.domain", &r.Actor.Domain, 256)
	t.text("actor.type", &r.Actor.Type, 256)
	t.text("actor.email", &r.Actor.Email, 256)
	t.text("src.ip", &r.Src.IP, 45)
	t.text("src.agent", &r.Src.Agent, 512)
	t.text("obj.type", &r.Obj.Type, 64)
	t.text("obj.id", &r.Obj.ID, 256)
	t.text("obj.name", &r.Obj.Name, 512)
	t.text("obj.image", &r.Obj.Image, 512)
	t.text("obj.tag", &r.Obj.Tag, 128)
	t.text("host", &r.Host, 253)
	t.text("ns", &r.NS, 256)
	t.text("repo", &r.Repo, 256)
	t.text("project", &r.Project, 256)
	t.text("req", &r.Req, 128)
	t.text("preq", &r.PReq, 128)
	t.text("args", &r.Args, maxArgs)
}

// text trims one text; most are empty, and this is inlined.
func (t *trimming) text(name string, text *string, limit int) {
	if *text != "" {
		t.some(name, text, limit)
	}
}

func (t *trimming) some(name string, text *string, limit int) {
	if len(*text) > limit || !utf8.ValidString(*text) {
		s := cutText(*text, limit)
		if len(s) < len(*text) {
			t.r.Cut = withName(t.r.Cut, name)
		}
		*text = s
	}
	t.size += len(*text)
}

// cutText returns valid UTF-8 of at most limit bytes.
func cutText(s string, limit int) string {
	if len(s) <= limit && utf8.ValidString(s) {
		return s
	}
	if len(s) > limit+utf8.UTFMax {
		s = s[:limit+utf8.UTFMax] // what is beyond cannot matter; s may be megabytes
	}
	s = validUTF8(s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// trimData makes the written form of Data at most limit bytes long.
func (r *Record) trimData(limit int) {
	compact, ok := appendCompact(nil, r.Data)
	switch {
	case !ok || len(compact) == 0 || compact[0] != '{':
		r.Data = nil
	case len(compact) > limit:
		r.Data = shrinkObject(compact, limit)
	default:
		r.Data = compact
		return
	}
	r.Cut = withName(r.Cut, "data")
}

// bound is no less than the length of r's line, of whose texts there are so many bytes: one becomes at most six.
func (r *Record) bound(texts int) int {
	n := 512 + 3*len(r.Data) + 6*texts
	for _, list := range [][]Member{r.Extra, r.Actor.Extra, r.Src.Extra, r.Obj.Extra} {
		for _, m := range list {
			n += 6*len(m.Name) + 3*len(m.Value) + 4
		}
	}
	for _, c := range r.Cut {
		n += 6*len(c) + 3
	}
	return n
}

// trimWhole drops or shortens the large members until the line fits: what is free text first gives way.
func (r *Record) trimWhole() {
	over := func() int { return len(appendTail(nil, r)) + maxHead - maxRecord } // seq may not be given yet
	if over() <= 0 {
		return
	}
	if len(r.Extra)+len(r.Actor.Extra)+len(r.Src.Extra)+len(r.Obj.Extra) > 0 {
		r.Extra, r.Actor.Extra, r.Src.Extra, r.Obj.Extra = nil, nil, nil, nil
		r.Cut = withName(r.Cut, "extra")
	}
	if len(r.Cut) > 64 {
		r.Cut = r.Cut[:64:64]
	}
	for i, c := range r.Cut {
		if len(c) > 64 {
			r.Cut = slices.Clone(r.Cut)
			r.Cut[i] = cutText(c, 64)
		}
	}
	for n := over(); n > 0 && r.Args != ""; n = over() {
		r.Args = cutText(r.Args, max(0, min(len(r.Args)-n/6, len(r.Args)*3/4)))
		r.Cut = withName(r.Cut, "args")
	}
	if n := over(); n > 0 {
		r.trimData(max(len(r.Data)-n-16, 2))
	}
}

// shrinkObject returns obj, a compact JSON object, at most limit bytes long: the smallest members are kept,
// of those that do not fit objects and strings are shrunk, and the rest is left out.
func shrinkObject(obj json.RawMessage, limit int) json.RawMessage {
	members := splitObject(obj)
	order := make([]int, len(members))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return members[a].size() - members[b].size() })
	left := limit - len(`{}`)
	for k, i := range order {
		m := &members[i]
		if m.size() > left {
			m.shrink(left / (len(order) - k)) // the others are no smaller: each gets its share
		}
		if m.key != nil {
			left -= m.size()
		}
	}
	out := []byte{'{'}
	for _, m := range members {
		if m.key == nil {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, m.key...), ':'), m.value...)
	}
	return append(out, '}')
}

// rawMember is a member of an object as it stands in the text, the name with its quotes.
type rawMember struct{ key, value []byte }

// shrink makes the member at most limit bytes large, or takes its key away.
func (m *rawMember) shrink(limit int) {
	room := limit - m.size() + len(m.value)
	switch {
	case room >= 32 && m.value[0] == '{':
		m.value = shrinkObject(m.value, room)
	case room >= 32 && m.value[0] == '"':
		m.value = shrinkString(m.value, room)
	default:
		m.key = nil
	}
}

func (m rawMember) size() int { return len(m.key) + len(m.value) + 2 }

// splitObject lists the members of a compact JSON object that has passed the scanner.
func splitObject(obj []byte) (members []rawMember) {
	s := scanner{b: obj, i: 1}
	for s.i < len(obj)-1 {
		start := s.i
		if !s.key() {
			break
		}
		colon := s.i - 1
		if !s.skip() {
			break
		}
		members = append(members, rawMember{obj[start:colon], obj[colon+1 : s.i]})
		s.i++ // the comma
	}
	return members
}

// shrinkString cuts a JSON string, quotes included, to at most limit bytes, not inside an escape or a character.
func shrinkString(str []byte, limit int) []byte {
	s := scanner{b: str, i: 1}
	keep := 1
	for s.i < len(str)-1 && s.i < limit {
		keep = s.i
		if str[s.i] == '\\' {
			high := str[s.i+1] == 'u' && hex4(str[s.i+2:])&^0x3ff == 0xd800 // a character may take two escapes
			if !s.escape() || high && str[s.i] == '\\' && !s.escape() {
				break
			}
			continue
		}
		_, n := utf8.DecodeRune(str[s.i:])
		s.i += n
	}
	if s.i < limit {
		keep = s.i
	}
	return append(slices.Clone(str[:keep]), '"')
}
