package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"reflect"
	"strconv"
	"time"

	"shiplog/format"
)

// ClientRecord reads a record that another program sent and fills in what it left out: the stream (log),
// the time (now), the category (system), the actor (the user uid, when it is not negative), level and
// outcome. What looks like a secret is redacted, all else stays as it was sent. The numbers seq and eseq
// are shiplog's to give, and an engine speaks for itself: a record that has one, or actor type engine, is refused. An event of a category that Container Station
// shows gets its position.
func ClientRecord(line []byte, uid int, now time.Time) (*format.Record, error) {
	r := new(format.Record)
	if err := format.ParseLine(line, r); err != nil {
		return nil, fmt.Errorf("not a record: %w", err)
	}
	if err := mayClaim(r); err != nil {
		return nil, err
	}
	if r.Msg == "" && r.Action == "" && len(r.Data) == 0 {
		return nil, errors.New("record says nothing: give it a msg, an action or data")
	}
	r.Obs = time.Time{}
	if r.Stream == "" {
		r.Stream = format.StreamLog
	}
	if r.Time.IsZero() {
		r.Time = now.UTC()
	}
	if r.Category == "" {
		r.Category = "system"
	}
	defaultActor(r, uid)
	Redact(r)
	r.Level = r.EffectiveLevel()
	if o := r.EffectiveOutcome(); o != format.OutcomeUnknown {
		r.Outcome = o
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Stream == format.StreamEvent && shownCategories[r.Category] {
		r.Eseq = format.NextEseq
	}
	return r, nil
}

// mayClaim refuses a record from outside that says of itself what only capture and the writer may say.
func mayClaim(r *format.Record) error {
	if r.Seq != 0 || r.Eseq != 0 {
		return errors.New("seq and eseq are given by shiplog; leave them out")
	}
	if r.Actor.Type == format.ActorEngine {
		return errors.New("actor type engine is for what shiplog sees itself; use system, robot or user")
	}
	return nil
}

// Redact replaces what looks like a secret in what a client says: the message, arguments, data and members that
// are not known. All else keeps its bytes.
func Redact(r *format.Record) {
	r.Msg = redactText(r.Msg)
	r.Args = string(redactSame([]byte(r.Args)))
	r.Data = redactSame(r.Data)
	for i, m := range r.Extra {
		if r.Extra[i].Value = redactSame(m.Value); secretName(m.Name) {
			r.Extra[i].Value = jsonValue(redacted)
		}
	}
}

// shownCategories are the categories of Container Station's events.
var shownCategories = map[string]bool{"container": true, "image": true, "export": true, "import": true, "background": true}

// defaultActor names the user at the other end where the client named nobody. A client may speak for
// somebody else, as a backup program does; then src.agent keeps who really sent it.
func defaultActor(r *format.Record, uid int) {
	if uid < 0 {
		return
	}
	id := strconv.Itoa(uid)
	name := id
	if u, err := user.LookupId(id); err == nil {
		name = u.Username
	}
	if r.Actor.Name == "" && r.Actor.ID == "" && (r.Actor.Type == "" || r.Actor.Type == format.ActorUser) {
		r.Actor.Name, r.Actor.ID = name, id
		if r.Actor.Type == "" {
			r.Actor.Type = format.ActorUser
		}
		return
	}
	if r.Actor.Type == "" && r.Actor.Name != "" {
		r.Actor.Type = format.ActorUser
	}
	if r.Src.Agent == "" && r.Actor.Name != name {
		r.Src.Agent = "sent by " + name + " (uid " + id + ")"
	}
}

// redactSame redacts JSON text, or any other. Text without a secret keeps its bytes.
func redactSame(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	out := redactJSON(b)
	var plain bytes.Buffer
	if err := json.Compact(&plain, b); err != nil || !json.Valid(out) {
		return out
	}
	if sameJSON(plain.Bytes(), out) {
		return b
	}
	return out
}

// sameJSON compares two texts by what they say, numbers by their text.
func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	for _, t := range []struct {
		text []byte
		to   *any
	}{{a, &x}, {b, &y}} {
		d := json.NewDecoder(bytes.NewReader(t.text))
		d.UseNumber()
		if d.Decode(t.to) != nil {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}
