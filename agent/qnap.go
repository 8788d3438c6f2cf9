package agent

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"shiplog/format"
)

// qnapLog makes the record of one line of a Container Station log. The message is kept as it is; what it
// says about a container also fills action and object.
func qnapLog(t time.Time, level, category, user, msg string) (*format.Record, error) {
	if category == "" {
		return nil, fmt.Errorf("no category")
	}
	r := &format.Record{
		Time:     t.UTC(),
		Stream:   format.StreamLog,
		Category: category,
		Msg:      msg,
		Actor:    qnapActor(user),
	}
	switch l := strings.ToUpper(level); l {
	case "INFO", "WARN", "ERROR", "DEBUG":
		r.Level = format.Level(l)
	case "WARNING":
		r.Level = format.LevelWarn
	case "CRITICAL", "FATAL":
		r.Level = format.LevelError
	default:
		return nil, fmt.Errorf("level %q unknown (INFO, WARN, ERROR)", short(level))
	}
	qnapObject(r)
	return r, nil
}

// qnapActor tells the service itself and an unauthenticated caller from users, by the names that
// Container Station shows for them.
func qnapActor(user string) format.Actor {
	switch user {
	case "", "system":
		return format.Actor{Name: "system", Type: format.ActorSystem}
	case "Anonymous":
		return format.Actor{Name: user, Type: format.ActorAnonymous}
	case "all":
		return format.Actor{Type: format.ActorEngine}
	}
	return format.Actor{Name: user, Type: format.ActorUser}
}

// qnapObject fills action and object of a line such as "Create container (docker, d59bf8a8b229, dtest)"
// or "Stop container (lxc, utest)". Any other text leaves r as it is.
func qnapObject(r *format.Record) {
	verb, rest, ok := strings.Cut(r.Msg, " container (")
	if !ok || strings.ContainsAny(verb, " (,") || !strings.HasSuffix(rest, ")") {
		return
	}
	part := strings.Split(strings.TrimSuffix(rest, ")"), ", ")
	action := "container." + strings.ToLower(verb)
	switch {
	case len(part) == 2 && (part[0] == "lxc" || part[0] == "lxd"):
		r.Engine = format.Engine(part[0])
		r.Obj = format.Object{Type: "container", Name: part[1]}
	case len(part) == 3 && part[0] == "docker" && verb == "commit":
		r.Engine = format.EngineDocker
		r.Obj = format.Object{Type: "container", ID: part[1], Image: part[2]}
	case len(part) == 3 && part[0] == "docker":
		r.Engine = format.EngineDocker
		r.Obj = format.Object{Type: "container", ID: part[1], Name: part[2]}
	default:
		return
	}
	r.Action = action
}

// qnapMessage is what the JSON object of an event message may hold (seeds 000 and 001, "Response format").
type qnapMessage struct {
	Action, State, Port, Type, ID    string
	Container, CID, Name, Tag, Image string
	Category                         string
	Result                           *json.Number
}

// qnapEvent makes the record of one event message: "category:user:seconds:{...}" (v2) or
// "category:user:{...}" (v1, which does not say when; its record has no time).
func qnapEvent(msg string) (*format.Record, error) {
	category, rest, ok := strings.Cut(msg, ":")
	user, rest, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || category == "" {
		return nil, fmt.Errorf("event %q, want category:user:time:{...}", short(msg))
	}
	r := &format.Record{
		Stream:   format.StreamEvent,
		Eseq:     format.NextEseq,
		Category: unescapeColon.Replace(category),
		Actor:    qnapActor(unescapeColon.Replace(user)),
	}
	v1 := strings.HasPrefix(rest, "{")
	if !v1 {
		ts, obj, ok := strings.Cut(rest, ":")
		t, err := epoch(json.Number(ts))
		if !ok || err != nil {
			return nil, fmt.Errorf("event %q, want category:user:time:{...}", short(msg))
		}
		r.Time, rest = t, obj
	}
	var m qnapMessage
	if err := json.Unmarshal([]byte(rest), &m); err != nil {
		return nil, fmt.Errorf("event %q: %w", short(msg), err)
	}
	if v1 && category == "image" {
		var err error
		if rest, err = newNames(rest, m.Action); err != nil {
			return nil, err
		}
	}
	r.Data = json.RawMessage(`{"qnap":` + rest + `}`)
	m.fill(r)
	return r, nil
}

// unescapeColon undoes how a colon is written inside a category or a user.
var unescapeColon = strings.NewReplacer("%3A", ":", "%3a", ":", "%25", "%")

// fill sets the envelope from the message's members.
func (m *qnapMessage) fill(r *format.Record) {
	switch m.Type {
	case "docker", "lxc", "lxd":
		r.Engine = format.Engine(m.Type)
	}
	r.Obj.Type = r.Category
	verb := m.State
	switch r.Category {
	case "image":
		verb, r.Status = m.Action, m.State
		r.Obj.Name, r.Obj.Tag = m.Name, m.Tag
		if m.Name == "" {
			r.Obj.ID = m.ID
		}
	case "container":
		if m.Port != "" {
			verb = "port_" + m.Port
		}
		r.Obj.ID, r.Obj.Name = m.ID, m.Container
	case "export", "import":
		r.Obj.Type, r.Status = "container", m.State
		verb = m.State
		r.Obj.Name, r.Obj.ID = m.Container, m.CID
		if m.Container == "" {
			r.Obj.Name, r.Obj.ID = m.CID, ""
		}
	default:
		r.Status = m.State
		r.Obj.Name = m.Container
	}
	r.Action = r.Category + "." + verb
	if m.Result != nil {
		r.Code = m.Result.String()
	}
}

// newNames renames the v1 member "from" of an image message to what v2 calls it, and the store appcenter
// to qnap: records hold the v2 form, v1 is made of it when it is read.
func newNames(obj, action string) (string, error) {
	dec := json.NewDecoder(strings.NewReader(obj))
	if _, err := dec.Token(); err != nil {
		return "", err
	}
	out := []byte{'{'}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return "", err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return "", err
		}
		if key == "from" && action == "update" {
			key = "category"
		} else if key == "from" {
			key = "repository"
			if string(value) == `"appcenter"` {
				value = json.RawMessage(`"qnap"`)
			}
		}
		name, err := json.Marshal(key)
		if err != nil {
			return "", err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return string(append(out, '}')), nil
}

// epoch reads seconds since 1970 with or without a fraction, exactly.
func epoch(n json.Number) (time.Time, error) {
	whole, frac, _ := strings.Cut(n.String(), ".")
	sec, err := json.Number(whole).Int64()
	if err != nil || sec < 0 || sec > 1<<38 || len(frac) > 9 {
		return time.Time{}, fmt.Errorf("time %q, want seconds since 1970", short(n.String()))
	}
	var nsec int64
	if frac != "" {
		if nsec, err = json.Number(frac + strings.Repeat("0", 9-len(frac))).Int64(); err != nil {
			// a leading zero is fine for Int64; anything else is not a fraction
			return time.Time{}, fmt.Errorf("time %q, want seconds since 1970", short(n.String()))
		}
	}
	return time.Unix(sec, nsec).UTC(), nil
}
