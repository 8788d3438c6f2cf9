package agent

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"shiplog/format"
)

// IncusOptions configures an [IncusMapper]. The zero value is Incus.
type IncusOptions struct {
	Engine  format.Engine // EngineIncus (default) or EngineLXD
	LogExec bool          // write a log line for exec, console and file access too
}

// IncusMapper turns the event stream of Incus or LXD into records: each event that is kept becomes a raw
// record, and from it come the messages Container Station would have sent and the lines people read. It is
// used by the live source and by import alike; all times come from the events. Not safe for concurrent use.
type IncusMapper struct {
	o      IncusOptions
	engine format.Engine
	w      window
	certs  map[string]string
	images imageNames
	tasks  tasks
	asked  apiRequests
	out    []Mapped
	ahead  []*incusEvent // leave the window together with the event being mapped, after it

	synth   *bounds           // set while unseen changes are mapped
	observe func(*incusEvent) // told each event in order; nil: nobody
}

// NewIncusMapper returns a mapper that has seen nothing yet.
func NewIncusMapper(o IncusOptions) *IncusMapper {
	m := &IncusMapper{o: o, engine: o.Engine}
	if m.engine == "" {
		m.engine = format.EngineIncus
	}
	m.images.names = make(map[string]string)
	m.tasks.running = make(map[string]*task)
	return m
}

// SetCertificates gives the names of the TLS clients by their certificate's fingerprint, so that lines show
// a name where the engine only tells a fingerprint.
func (m *IncusMapper) SetCertificates(byFingerprint map[string]string) { m.certs = byFingerprint }

// SetImage tells the alias of an image that existed before the first event.
func (m *IncusMapper) SetImage(fingerprint, alias string) { m.images.set(fingerprint, alias) }

// Event takes one frame and returns the records that are ready: of this frame, of older ones that waited
// for their order, or none. It fails on what cannot be decoded; the mapper stays usable.
func (m *IncusMapper) Event(raw []byte) ([]Mapped, error) {
	return m.received(bytes.Clone(raw), time.Time{})
}

// received is Event for a frame that arrived at obs; it takes over raw.
func (m *IncusMapper) received(raw []byte, obs time.Time) ([]Mapped, error) {
	e, err := decodeIncus(raw)
	if err != nil {
		return nil, err
	}
	e.obs = obs
	return m.mapAll(m.w.put(e)), nil
}

// Pending tells whether events wait for their order, that is whether Tick has something to do.
func (m *IncusMapper) Pending() bool { return len(m.w.held) > 0 }

// Tick returns the records of the events that have waited long enough at now.
func (m *IncusMapper) Tick(now time.Time) []Mapped { return m.mapAll(m.w.tick(now)) }

// Flush returns the records of all waiting events, and of each operation that is still running its newest
// event. It is for the end of a stream: an operation seen again afterwards counts as a new one.
func (m *IncusMapper) Flush() []Mapped {
	out := m.mapAll(m.w.all())
	m.tasks.flush(m, nil)
	out = append(out, m.take()...)
	return out
}

func (m *IncusMapper) mapAll(events []*incusEvent) []Mapped {
	for i, e := range events {
		m.ahead = events[i+1:]
		if m.observe != nil {
			m.observe(e)
		}
		switch {
		case e.life != nil:
			m.lifecycle(e)
		case e.op != nil:
			m.operation(e)
		case e.log != nil:
			m.logging(e)
		default:
			r := m.raw(e, "system", "incus."+e.kind)
			m.keep(r)
		}
	}
	m.ahead = nil
	return m.take()
}

func (m *IncusMapper) take() []Mapped {
	out := m.out
	m.out = nil
	return out
}

// keep appends a raw record.
func (m *IncusMapper) keep(r *format.Record) { m.out = append(m.out, Mapped{Record: r}) }

// raw starts the record of e itself: the frame, without its secrets, is in data.raw.
func (m *IncusMapper) raw(e *incusEvent, category, action string) *format.Record {
	r := &format.Record{
		Time:     e.at,
		Obs:      e.obs.UTC(),
		Stream:   format.StreamEvent,
		Category: category,
		Action:   action,
		Actor:    format.Actor{Type: format.ActorEngine},
		Engine:   m.engine,
		Host:     e.location,
		NS:       defaultNS,
		Project:  e.project,
		Data:     object(m.frameName(), json.RawMessage(redactJSON(e.raw))),
	}
	m.mark(r)
	return r
}

// frameName is the member of data that holds the frame: only what an engine sent is called raw.
func (m *IncusMapper) frameName() string {
	if m.synth != nil {
		return "event"
	}
	return "raw"
}

// defaultNS is the namespace of everything an image reference does not place elsewhere.
const defaultNS = "default"

// message appends one Container Station event that is no raw event itself.
func (m *IncusMapper) message(ref *format.Record, category, action string, actor format.Actor, qnap json.RawMessage) *format.Record {
	r := &format.Record{
		Eseq:     format.NextEseq,
		Time:     ref.Time,
		Stream:   format.StreamEvent,
		Category: category,
		Action:   action,
		Actor:    actor,
		Obj:      ref.Obj,
		Engine:   m.engine,
		Host:     ref.Host,
		NS:       ref.NS,
		Project:  ref.Project,
		Req:      ref.Req,
		Data:     object("qnap", qnap),
	}
	m.mark(r)
	m.out = append(m.out, Mapped{Record: r, Ref: ref})
	return r
}

// line appends one line for people.
func (m *IncusMapper) line(ref *format.Record, level format.Level, category, action, msg string, who asker) *format.Record {
	r := &format.Record{
		Time:     ref.Time,
		Stream:   format.StreamLog,
		Level:    level,
		Category: category,
		Action:   action,
		Outcome:  format.OutcomeSuccess,
		Msg:      msg,
		Actor:    who.actor,
		Src:      who.src,
		Obj:      ref.Obj,
		Engine:   m.engine,
		Host:     ref.Host,
		NS:       ref.NS,
		Project:  ref.Project,
		Req:      ref.Req,
	}
	if level == format.LevelError {
		r.Outcome = format.OutcomeFailure
	}
	m.mark(r)
	m.out = append(m.out, Mapped{Record: r, Ref: ref})
	return r
}

// asker is who asked for something, and from where.
type asker struct {
	actor format.Actor
	src   format.Src
}

// nobody stands for what was asked by no one that is known; people read "system".
func nobody() asker { return asker{actor: format.Actor{Type: format.ActorSystem}} }

func (a asker) known() bool { return a.actor.Name != "" }

// asker names the requestor of a lifecycle event.
func (m *IncusMapper) asker(r *incusRequestor) asker {
	if r == nil || r.Username == "" {
		return nobody()
	}
	a := asker{actor: format.Actor{Name: r.Username, Domain: r.Protocol, Type: format.ActorUser}}
	if r.Protocol == "tls" {
		a.actor.ID = r.Username
		if name := m.certs[r.Username]; name != "" {
			a.actor.Name = name
		}
	}
	if r.Address != "@" {
		a.src.IP = r.Address
	}
	return a
}

// logging maps a daemon's log line: warnings and errors are kept, requests tell who asked for what follows,
// all else is debug output.
func (m *IncusMapper) logging(e *incusEvent) {
	switch e.log.Level {
	case "warning", "warn", "error":
		r := m.raw(e, "system", "engine.log")
		r.Level = format.LevelWarn
		r.Status = e.log.Level
		r.Msg = redactText(e.log.Message)
		m.keep(r)
	default:
		m.asked.note(e)
	}
}

// object is a JSON object of the given names and values, in their order. It is for values that cannot fail.
func object(pairs ...any) json.RawMessage {
	b := []byte{'{'}
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, pairs[i].(string))
		b = append(b, ':')
		b = append(b, jsonValue(pairs[i+1])...)
	}
	return append(b, '}')
}

// jsonValue writes v without escaping <, > and &.
func jsonValue(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte("null")
	}
	return bytes.TrimRight(buf.Bytes(), "\n")
}

// words turns an engine's dashed action into words: storage-volume-created, Storage volume created.
func words(action string) string {
	s := strings.ReplaceAll(action, "-", " ")
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
