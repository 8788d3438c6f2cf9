package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"shiplog/format"
)

const (
	maxDockerEvent = 1 << 20  // bytes of one event; the stream's reader skips the rest of a longer line
	maxAttr        = 4 << 10  // bytes of one attribute that are kept
	maxAttrs       = 40 << 10 // bytes of all attributes that are kept
	maxUndecoded   = 4 << 10  // bytes kept of what is no event
)

// dockerEvent is one event of /events, decoded and without secrets.
type dockerEvent struct {
	Type, Verb string // container, start
	Arg        string // what follows ": " in the action: the command of an exec, the status of a health check
	ID         string // Actor.ID
	Attr       map[string]string
	Scope      string
	At         time.Time
	Extra      map[string]json.RawMessage // members this version does not know
	Cut        bool                       // attributes were cut

	made *madeUp // not observed
}

// madeUp are the bounds of the time of an event that was not observed but follows from comparing state.
type madeUp struct{ Min, Max time.Time }

// dockerKey identifies an event among those of one daemon. The time alone does nearly; it was never seen
// twice, but nothing promises that.
type dockerKey struct {
	Nano           int64
	Type, Verb, ID string
}

func (e *dockerEvent) key() dockerKey { return dockerKey{e.At.UnixNano(), e.Type, e.Verb, e.ID} }

// dockerWire is an event as it comes. Status, ID and From repeat Action, Actor.ID and the image; newer
// engines leave them out.
type dockerWire struct {
	Status, ID, From json.RawMessage
	Type, Action     string
	Actor            struct {
		ID         string
		Attributes map[string]string
	}
	Scope    string `json:"scope"`
	Time     int64  `json:"time"`
	TimeNano int64  `json:"timeNano"`
}

// parseDocker decodes an event and takes the secrets out of it.
func parseDocker(raw []byte) (*dockerEvent, error) {
	var in dockerWire
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	more := dec.Decode(&in) != nil || dec.More()
	if more {
		in = dockerWire{}
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, fmt.Errorf("decode docker event: %w", err)
		}
	}
	if in.Type == "" || in.Action == "" {
		return nil, errors.New("decode docker event: no type or no action")
	}
	verb, arg, _ := strings.Cut(in.Action, ": ")
	e := &dockerEvent{Type: in.Type, Verb: strings.TrimSpace(verb), Arg: strings.TrimSpace(arg), ID: in.Actor.ID, Scope: in.Scope}
	switch {
	case in.TimeNano != 0:
		e.At = time.Unix(0, in.TimeNano).UTC()
	case in.Time != 0:
		e.At = time.Unix(in.Time, 0).UTC()
	default:
		return nil, errors.New("decode docker event: no time")
	}
	if more {
		e.keepUnknown(raw)
	}
	e.redact(in.Actor.Attributes)
	return e, nil
}

// keepUnknown keeps the members that this version does not know.
func (e *dockerEvent) keepUnknown(raw []byte) {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return
	}
	for _, name := range []string{"status", "id", "from", "Type", "Action", "scope", "time", "timeNano"} {
		delete(all, name)
	}
	var actor map[string]json.RawMessage
	if json.Unmarshal(all["Actor"], &actor) == nil {
		delete(all, "Actor")
		delete(actor, "ID")
		delete(actor, "Attributes")
		for name, v := range actor {
			all["Actor."+name] = v
		}
	}
	e.Extra = make(map[string]json.RawMessage, len(all))
	for name, v := range all {
		e.Extra[name] = redactMember(name, v)
	}
}

func (e *dockerEvent) redact(attr map[string]string) {
	e.ID = redactValue(e.ID)
	switch e.Verb {
	case "exec_create", "exec_start":
		e.Arg = redactJoined(e.Arg)
	default:
		e.Arg = redactText(e.Arg)
	}
	if len(attr) == 0 {
		return
	}
	e.Attr = make(map[string]string, len(attr))
	for k, v := range attr {
		e.Attr[k] = redactPair(k, v)
	}
	e.trim()
}

// trim keeps the attributes within what a record can hold. Labels are bounded by nobody else.
func (e *dockerEvent) trim() {
	total := len(e.Arg)
	for k, v := range e.Attr {
		if len(v) > maxAttr {
			v, e.Cut = strings.ToValidUTF8(v[:maxAttr], ""), true
			e.Attr[k] = v
		}
		total += len(k) + len(v)
	}
	if len(e.Arg) > maxAttr {
		e.Arg, e.Cut = strings.ToValidUTF8(e.Arg[:maxAttr], ""), true
	}
	if total <= maxAttrs {
		return
	}
	e.Cut = true
	names := slices.SortedFunc(maps.Keys(e.Attr), func(a, b string) int { // longest first
		return len(b) + len(e.Attr[b]) - len(a) - len(e.Attr[a])
	})
	for _, k := range names {
		if total <= maxAttrs {
			return
		}
		if k == "name" || k == "image" || k == "container" || k == "exitCode" || k == "signal" || k == "execID" {
			continue
		}
		total -= len(k) + len(e.Attr[k])
		delete(e.Attr, k)
	}
}

// dockerData is the member data of an event's record.
type dockerData struct {
	Container string                     `json:"container,omitempty"` // of a network event: its container's name
	Exec      string                     `json:"exec,omitempty"`
	Attr      map[string]string          `json:"attr,omitempty"`
	Scope     string                     `json:"scope,omitempty"`
	Event     map[string]json.RawMessage `json:"event,omitempty"`
	Made      bool                       `json:"synthetic,omitempty"`
	Cause     string                     `json:"cause,omitempty"`
	Min       time.Time                  `json:"ts_min,omitzero"`
	Max       time.Time                  `json:"ts_max,omitzero"`
}

// record makes the record of the event itself. container is the name of a network event's container.
func (e *dockerEvent) record(container string) *format.Record {
	r := &format.Record{
		Time: e.At, Stream: format.StreamEvent, Category: e.Type, Action: e.Type + "." + e.Verb,
		Engine: format.EngineDocker, Actor: format.Actor{Type: format.ActorEngine},
		Obj:  format.Object{Type: e.Type, ID: e.ID, Name: e.Attr["name"], Image: e.Attr["image"]},
		Code: e.Attr["exitCode"],
	}
	d := dockerData{Container: container, Attr: e.Attr, Scope: e.Scope, Event: e.Extra}
	switch e.Verb {
	case "health_status":
		r.Status = e.Arg
		if e.Arg == "unhealthy" {
			r.Level = format.LevelWarn
		}
	case "oom":
		r.Level = format.LevelError
	default:
		d.Exec = e.Arg
	}
	if e.made != nil {
		d.Made, d.Cause, d.Min, d.Max = true, "reconcile", e.made.Min.UTC(), e.made.Max.UTC()
	}
	if e.Cut {
		r.Cut = append(r.Cut, "data")
	}
	r.Data = marshal(d)
	return r
}

// dockerEventOf is the reverse of record.
func dockerEventOf(r *format.Record) (*dockerEvent, bool) {
	typ, verb, ok := strings.Cut(r.Action, ".")
	if !ok || r.Engine != format.EngineDocker || r.Stream != format.StreamEvent {
		return nil, false
	}
	var d struct {
		dockerData
		Ref  uint64          `json:"ref"`
		QNAP json.RawMessage `json:"qnap"`
	}
	if len(r.Data) > 0 && json.Unmarshal(r.Data, &d) != nil || d.Ref != 0 || d.QNAP != nil {
		return nil, false // a message derived from another record
	}
	e := &dockerEvent{Type: typ, Verb: verb, Arg: d.Exec, ID: r.Obj.ID, Attr: d.Attr, Scope: d.Scope, At: r.Time, Extra: d.Event}
	if verb == "health_status" {
		e.Arg = r.Status
	}
	if d.Made {
		e.made = &madeUp{d.Min, d.Max}
	}
	return e, true
}

// undecodable is the record of bytes that should have been an event: bounded, without secrets.
func undecodable(e format.Engine, raw []byte, obs time.Time, cause error) Mapped {
	cut := len(raw) > maxUndecoded
	if cut {
		raw = raw[:maxUndecoded]
	}
	text := strings.ToValidUTF8(string(redactJSON(raw)), "\uFFFD")
	r := systemRecord(e, format.LevelWarn, "engine.undecodable",
		fmt.Sprintf("An event of container engine %s could not be read", e), obs, map[string]any{"raw": text, "error": cause.Error()})
	if cut {
		r.Cut = []string{"data"}
	}
	return Mapped{Record: r}
}

func redactMember(name string, v json.RawMessage) json.RawMessage {
	var out bytes.Buffer
	dec := json.NewDecoder(bytes.NewReader(v))
	dec.UseNumber()
	if redactAny(dec, &out, name, secretObject(name), 0) != nil {
		return json.RawMessage(`"` + redacted + `"`)
	}
	return out.Bytes()
}

// marshal is json.Marshal without the escapes meant for HTML. v must be something that always encodes.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return nil
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
