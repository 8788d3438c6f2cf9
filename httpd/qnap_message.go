package httpd

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"shiplog/format"
)

// event is one message of the event stream: Category:User[:Timestamp]:JSON.
type event struct {
	category, user string
	ts             int64           // seconds
	members        []format.Member // of the JSON object, in order
	destroyed      bool            // the object was built for a Docker container that is gone
}

// separators keeps the colons that part a message apart from those inside its category and user.
var separators = strings.NewReplacer("%", "%25", ":", "%3A")

// newEvent makes the message of a record. What a Container Station or an import wrote is taken verbatim,
// the rest is built from the record.
func newEvent(f *format.Fields) event {
	e := event{category: f.Category.String(), user: f.User().String(), ts: time.Unix(0, f.Time).Unix()}
	if f.ActorType.Is(format.ActorEngine) {
		e.user = "all"
	}
	var data eventData
	_ = json.Unmarshal(f.Data, &data) // what cannot be read is absent
	if m, ok := objectMembers(data.QNAP); ok {
		e.members = m
		return e
	}
	e.build(f, &data)
	return e
}

// eventData is what a message takes from a record's data.
type eventData struct {
	QNAP      json.RawMessage `json:"qnap"`
	Container string          `json:"container"` // name of the container a network event is about
	Attr      struct {
		Container string `json:"container"` // its id
	} `json:"attr"`
}

// build makes the object of an engine's event.
func (e *event) build(f *format.Fields, data *eventData) {
	action := f.Action.String()
	object, verb, _ := strings.Cut(action, ".")
	typ := "lxc"
	if f.Engine == format.EngineDocker || f.Engine == "" {
		typ = "docker"
	}
	name, id := f.ObjName.String(), f.ObjID.String()
	switch {
	case object == "network":
		e.category = "container"
		e.container(data.Container, data.Attr.Container, typ, "state", verb)
	case action == "container.commit":
		e.category = "image"
		e.add("action", "update").add("category", "local").add("type", typ)
	case e.category == "container" && strings.HasPrefix(verb, "port_"):
		e.container(name, id, typ, "port", strings.TrimPrefix(verb, "port_"))
	case e.category == "container":
		e.destroyed = verb == "destroy" && typ == "docker"
		e.container(name, id, typ, "state", verb)
	case e.category == "image":
		e.image(f, verb, typ)
	default:
		e.task(f, typ)
	}
}

// container builds what all messages about containers hold. LXC containers have no id.
func (e *event) container(name, id, typ, what, value string) {
	if name == "" {
		e.members = append(e.members, format.Member{Name: "container", Value: json.RawMessage("null")})
	} else {
		e.add("container", name)
	}
	e.add(what, value).add("type", typ)
	if typ == "docker" {
		e.add("id", id)
	}
}

func (e *event) image(f *format.Fields, verb, typ string) {
	state := "success"
	if f.Outcome == format.OutcomeFailure {
		state = "error"
	}
	name, tag := f.ObjName.String(), f.ObjTag.String()
	switch verb {
	case "download":
		e.add("name", name).add("repository", "dockerhub").add("state", state).add("tag", tag)
		e.add("action", "download").add("type", typ)
	case "delete":
		e.add("action", "delete").add("state", state).add("type", typ).add("name", name)
	default:
		id := f.ObjID.String()
		if id == "" && tag != "" {
			id = name + ":" + tag
		} else if id == "" {
			id = name
		}
		e.add("action", "update").add("category", "local").add("state", verb).add("type", typ).add("id", id)
	}
}

// task builds the message of an export, import or background task.
func (e *event) task(f *format.Fields, typ string) {
	name, id := f.ObjName.String(), f.ObjID.String()
	if id == "" {
		id = name
	}
	if e.category == "background" {
		_, task, _ := strings.Cut(f.Action.String(), ".")
		e.add("category", task).add("container", name)
	} else {
		e.add("type", typ).add("container", name).add("cid", id).add("path", "")
	}
	state := map[format.Outcome]string{format.OutcomeSuccess: "completed", format.OutcomeFailure: "aborted"}[f.Outcome]
	if state == "" {
		e.add("state", "running")
		return
	}
	result := "0"
	if state == "aborted" {
		result = "1"
	}
	if _, err := strconv.Atoi(f.Code.String()); err == nil {
		result = f.Code.String()
	}
	e.add("state", state)
	e.members = append(e.members, format.Member{Name: "result", Value: json.RawMessage(result)})
}

func (e *event) add(name, value string) *event {
	e.members = append(e.members, format.Member{Name: name, Value: quoteJSON(value)})
	return e
}

// render writes the message in the form of one version.
func (e event) render(v1 bool) string {
	b := []byte(separators.Replace(e.category) + ":" + separators.Replace(e.user) + ":")
	if !v1 {
		b = append(strconv.AppendInt(b, e.ts, 10), ':')
	}
	b = append(b, '{')
	for i, m := range e.versioned(v1) {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, quoteJSON(m.Name)...)
		b = append(b, ": "...)
		b = appendSpaced(b, m.Value)
	}
	return string(append(b, '}'))
}

// versioned renames what the versions name differently: where an image came from, and what a list of images
// that changed is called. Version 2 does not know the name of a Docker container that is gone.
func (e event) versioned(v1 bool) []format.Member {
	if e.destroyed && !v1 {
		e.members[0].Value = json.RawMessage("null")
	}
	if e.category != "image" {
		return e.members
	}
	v2name := ""
	for _, m := range e.members {
		switch {
		case m.Name == "action" && string(m.Value) == `"download"`:
			v2name = "repository"
		case m.Name == "action" && string(m.Value) == `"update"`:
			v2name = "category"
		}
	}
	if v2name == "" {
		return e.members
	}
	from, to, oldValue, newValue := "from", v2name, `"appcenter"`, `"qnap"`
	if v1 {
		from, to, oldValue, newValue = to, from, newValue, oldValue
	}
	for i := range e.members {
		m := &e.members[i]
		if m.Name != from {
			continue
		}
		if m.Name = to; v2name == "repository" && string(m.Value) == oldValue {
			m.Value = json.RawMessage(newValue)
		}
	}
	return e.members
}

// objectMembers takes a JSON object apart, keeping order and values as they are.
func objectMembers(raw []byte) ([]format.Member, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var members []format.Member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, false
		}
		var m format.Member
		m.Name, _ = name.(string)
		if err := dec.Decode(&m.Value); err != nil {
			return nil, false
		}
		members = append(members, m)
	}
	return members, true
}

// appendSpaced appends a JSON value with one space after each comma and colon and no other white space, as
// the seeds show the messages.
func appendSpaced(dst, raw []byte) []byte {
	inString, escaped := false, false
	for _, c := range raw {
		switch {
		case inString:
			dst = append(dst, c)
			if escaped {
				escaped = false
			} else if c == '\\' {
				escaped = true
			} else if c == '"' {
				inString = false
			}
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == ',' || c == ':':
			dst = append(dst, c, ' ')
		default:
			inString = c == '"'
			dst = append(dst, c)
		}
	}
	return dst
}

// quoteJSON returns s as a JSON string; `<`, `>` and `&` stay as they are.
func quoteJSON(s string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
