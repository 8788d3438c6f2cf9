package agent

import (
	"fmt"
	"strings"
	"time"

	"shiplog/format"
)

// DockerInfo is what a mapper may ask the engine about a container.
type DockerInfo struct {
	Name   string
	Error  string   // State.Error: why the last start failed
	Ports  bool     // ports are published now
	Health []string // Config.Healthcheck.Test; empty: no check of its own
	Shell  []string // Config.Shell; empty: /bin/sh -c
}

// MapperOptions configure a mapper.
type MapperOptions struct {
	LogExec bool // a human line for each command executed in a container

	// Container and Image look something up in the running engine. Nil, as in an import: what the events
	// do not say stays unknown. An image's names are those it has now.
	Container func(id string) (DockerInfo, bool)
	Image     func(ref string) (id string, names []string, ok bool)
}

// DockerMapper makes records of Docker events: of each event its own record and from it the Container Station
// message and the human line. Its clock is that of the events, so that an import gives what the live capture
// gave. Not safe for concurrent use.
type DockerMapper struct {
	opts       MapperOptions
	clock      time.Time // newest event
	containers map[string]*dockerContainer
	images     dockerImages
	volumes    map[string]bool

	volumesChanged time.Time // newest volume event
	held           []*heldLine
	execs          execs
	filtered       uint64          // executions of health checks
	later          func() []Mapped // see rest
}

// maxContainers bounds what is remembered; the longest silent is forgotten first.
const maxContainers = 10_000

// NewDockerMapper makes a mapper that knows nothing yet.
func NewDockerMapper(o MapperOptions) *DockerMapper {
	return &DockerMapper{opts: o, containers: map[string]*dockerContainer{}, volumes: map[string]bool{}, images: newDockerImages()}
}

// Event maps one event as Docker sent it. Lines held back by earlier events come first when their time has
// come. An execution of a health check gives no record at all.
func (m *DockerMapper) Event(raw []byte) ([]Mapped, error) {
	e, err := parseDocker(raw)
	if err != nil {
		return nil, err
	}
	ms := m.handle(e, nil)
	if rest := m.rest(); rest != nil {
		ms = append(ms, rest()...)
	}
	return ms, nil
}

// rest is what the last event becomes beyond what handle returned, for which the engine has to be asked: it comes next
// in the log, but who waits for the event need not wait for the engine. nil: there is no more. It is to be called
// before the next event is handled.
func (m *DockerMapper) rest() func() []Mapped {
	rest := m.later
	m.later = nil
	return rest
}

// Tick returns the lines whose time has come when now is the time of the engine's clock.
func (m *DockerMapper) Tick(now time.Time) []Mapped { return m.release(now) }

// Flush returns all lines that are held.
func (m *DockerMapper) Flush() []Mapped {
	var ms []Mapped
	for len(m.held) > 0 {
		ms = append(ms, m.release(m.held[0].due)...)
	}
	return ms
}

// Due is the time, by the engine's clock, at which Tick has something to return; zero: nothing is held.
func (m *DockerMapper) Due() time.Time {
	if len(m.held) == 0 {
		return time.Time{}
	}
	return m.held[0].due
}

// handle maps e. stored is its record when it is in the log already, else nil.
func (m *DockerMapper) handle(e *dockerEvent, stored *format.Record) []Mapped {
	if m.healthExec(e) {
		m.filtered++
		return nil
	}
	out := &mapping{m: m, e: e}
	if e.made == nil && e.At.Before(m.clock.Add(-clockStep)) {
		// The engine's clock was set back: what is held was due by the clock before.
		out.ms, m.clock = m.Flush(), e.At
	}
	out.ms = append(out.ms, m.release(e.At)...)
	m.clock = later(m.clock, e.At)
	out.raw = stored
	if stored == nil {
		out.raw = e.record(m.containerName(e))
		out.ms = append(out.ms, Mapped{Record: out.raw})
	}
	switch e.Type {
	case "container":
		m.container(out)
	case "network":
		m.network(out)
	case "image":
		m.image(out)
	case "volume":
		m.volume(out)
	case "daemon":
		if e.Verb == "reload" {
			out.system("Daemon reloaded (docker)")
		}
	default:
		if e.Verb == "prune" {
			out.prune()
		}
	}
	return out.ms
}

// mapping collects what one event becomes.
type mapping struct {
	m   *DockerMapper
	e   *dockerEvent
	raw *format.Record
	ms  []Mapped
}

func (o *mapping) add(ms ...Mapped) { o.ms = append(o.ms, ms...) }

// shown makes the raw record a message of the Container Station event list.
func (o *mapping) shown() {
	if o.raw.Seq == 0 {
		o.raw.Eseq = format.NextEseq
	}
}

// line makes a human line derived from the event.
func (o *mapping) line(level format.Level, category, msg string, obj format.Object) Mapped {
	return Mapped{Ref: o.raw, Record: &format.Record{
		Time: o.e.At, Stream: format.StreamLog, Level: level, Category: category, Action: o.raw.Action, Code: o.raw.Code,
		Msg: msg, Actor: format.Actor{Type: format.ActorSystem}, Obj: obj, Engine: format.EngineDocker, Data: o.derived(nil),
	}}
}

// message makes a message of the event list that is not the event itself.
func (o *mapping) message(category, action string, actor string, obj format.Object, qnap any) Mapped {
	return Mapped{Ref: o.raw, Record: &format.Record{
		Time: o.e.At, Stream: format.StreamEvent, Eseq: format.NextEseq, Category: category, Action: action,
		Actor: format.Actor{Type: actor}, Obj: obj, Engine: format.EngineDocker, Data: o.derived(qnap),
	}}
}

// derived is data of a derived record; the reference to the raw record is added when that has its number.
func (o *mapping) derived(qnap any) []byte {
	return marshal(struct {
		Made    bool   `json:"synthetic,omitempty"`
		Compose string `json:"compose,omitempty"`
		QNAP    any    `json:"qnap,omitempty"`
	}{o.e.made != nil, o.e.Attr["com.docker.compose.project"], qnap})
}

func (o *mapping) system(msg string) {
	o.add(o.line(format.LevelInfo, "system", msg, o.raw.Obj))
}

func (o *mapping) prune() {
	o.system(fmt.Sprintf("Prune (docker, %s, reclaimed=%s)", o.e.Type, o.e.Attr["reclaimed"]))
}

// volume maps volume events. Docker says create again for each container that uses an existing volume.
func (m *DockerMapper) volume(o *mapping) {
	m.volumesChanged = later(m.volumesChanged, o.e.At)
	switch o.e.Verb {
	case "create":
		if !m.volumes[o.e.ID] {
			o.system(fmt.Sprintf("Volume created (docker, %s)", o.e.ID))
		}
		if len(m.volumes) < maxContainers {
			m.volumes[o.e.ID] = true
		}
	case "destroy":
		delete(m.volumes, o.e.ID)
		o.system(fmt.Sprintf("Volume removed (docker, %s)", o.e.ID))
	case "prune":
		o.prune()
	}
}

func shortID(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(len(id), 12)]
}
