package agent

import (
	"fmt"
	"strings"
	"time"

	"shiplog/format"
)

type containerStatus int

const (
	statusUnknown containerStatus = iota
	statusCreated
	statusRunning
	statusDead
)

// dockerContainer is what the events have told of one container.
type dockerContainer struct {
	id, name, image string
	status          containerStatus
	paused          bool
	ports           bool // published when it started

	created, started, died, last time.Time            // of the newest such event; zero: not seen
	killed                       time.Time            // newest signal that ends a process, since the last start
	connects                     int                  // since the last create, die or failed start
	failed                       time.Time            // a failed start was told
	networks                     map[string]string    // connected now: id to name
	netKnown                     bool                 // networks was listed once, so that it is complete
	unplugged                    map[string]time.Time // newest disconnect by network, since the last connect

	restarts []time.Time // without a user's doing, in the last minute
	looping  bool        // that it keeps restarting was told
	exit     string      // newest exit code

	health     string // command of the health check as an exec shows it
	knowsExec  bool   // health is known, or known to be none
	lastExec   string // command of the newest exec that ended, and when
	lastExecAt time.Time
}

func (c *dockerContainer) label() string {
	return fmt.Sprintf("(docker, %s, %s)", shortID(c.id), c.name)
}

func (c *dockerContainer) obj() format.Object {
	return format.Object{Type: "container", ID: c.id, Name: c.name, Image: c.image}
}

// of returns the container with this id, new or known.
func (m *DockerMapper) of(id string, at time.Time) *dockerContainer {
	c := m.containers[id]
	if c == nil {
		if len(m.containers) >= maxContainers {
			m.forgetOldest()
		}
		c = &dockerContainer{id: id, networks: map[string]string{}, unplugged: map[string]time.Time{}}
		m.containers[id] = c
	}
	if at.After(c.last) {
		c.last = at
	}
	return c
}

func (m *DockerMapper) forgetOldest() {
	var oldest *dockerContainer
	for _, c := range m.containers {
		if oldest == nil || c.last.Before(oldest.last) {
			oldest = c
		}
	}
	delete(m.containers, oldest.id)
}

// containerName is the last known name of the container a network event speaks of.
func (m *DockerMapper) containerName(e *dockerEvent) string {
	id := e.Attr["container"]
	if e.Type != "network" || id == "" {
		return ""
	}
	c := m.of(id, e.At)
	if c.name == "" && m.opts.Container != nil && e.made == nil {
		if info, ok := m.opts.Container(id); ok {
			c.name = info.Name
		}
	}
	return c.name
}

// container maps the events of a container.
func (m *DockerMapper) container(o *mapping) {
	e := o.e
	if e.Verb == "prune" {
		o.prune()
		return
	}
	c := m.of(e.ID, e.At)
	if n := e.Attr["name"]; n != "" {
		c.name = n
	}
	if i := e.Attr["image"]; i != "" {
		c.image = i
	}
	o.raw.NS, o.raw.Repo = m.images.owner(c.image)
	switch e.Verb {
	case "create":
		o.shown()
		c.status, c.created, c.connects = statusCreated, e.At, 0
		o.tell(c, format.LevelInfo, "Create container "+c.label())
	case "start":
		m.started(o, c)
	case "die":
		m.died(o, c)
	case "stop":
		o.shown()
		m.drop(c.id, heldKill, heldExit)
		m.endLoop(c)
		o.add(m.releaseOf(c.id)...)
		m.hold(&heldLine{due: e.At.Add(stopWaits), kind: heldStop, of: c.id,
			ms: []Mapped{o.line(format.LevelInfo, "container", "Stop container "+c.label(), c.obj())}})
	case "restart":
		o.shown()
		m.drop(c.id, heldKill, heldExit, heldStart, heldStop, heldConnect)
		m.endLoop(c)
		o.tell(c, format.LevelInfo, "Restart container "+c.label())
	case "kill":
		m.killedBy(o, c)
	case "destroy":
		o.shown()
		m.drop(c.id, heldKill)
		o.add(m.releaseOf(c.id)...)
		o.tell(c, format.LevelInfo, "Destroy container "+c.label())
		delete(m.containers, c.id)
	default:
		m.containerOther(o, c)
	}
}

// containerOther maps what changes nothing about running or not.
func (m *DockerMapper) containerOther(o *mapping, c *dockerContainer) {
	e := o.e
	switch e.Verb {
	case "pause", "unpause":
		o.shown()
		c.paused = e.Verb == "pause"
		o.tell(c, format.LevelInfo, map[bool]string{true: "Pause", false: "Unpause"}[c.paused]+" container "+c.label())
	case "rename":
		o.tell(c, format.LevelInfo, fmt.Sprintf("Rename container %s from %s", c.label(), strings.TrimPrefix(e.Attr["oldName"], "/")))
	case "update":
		o.tell(c, format.LevelInfo, "Update container "+c.label())
	case "oom":
		o.tell(c, format.LevelError, "Container out of memory "+c.label())
	case "health_status":
		m.learnHealth(c, e.At)
		switch e.Arg {
		case "unhealthy":
			o.tell(c, format.LevelWarn, "Container health: unhealthy "+c.label())
		case "healthy":
			o.tell(c, format.LevelInfo, "Container health: healthy "+c.label())
		}
	case "start_failed":
		m.startFailed(o, c)
	case "exec_die":
		if m.opts.LogExec {
			o.add(o.line(format.LevelInfo, "container", fmt.Sprintf("Exec in container %s (exit=%s)", c.label(), e.Attr["exitCode"]), c.obj()))
		}
	case "commit":
		o.shown() // as an update of the images, see contracts
		o.tell(c, format.LevelInfo, fmt.Sprintf("commit container (docker, %s, %s)", shortID(c.id), m.images.committed(e)))
	case "export":
		o.add(Mapped{Ref: o.raw, Task: o.raw, Record: o.message("export", "container.export", format.ActorSystem, c.obj(), qnapExport{
			Type: "docker", Container: c.name, CID: c.id, State: "completed",
		}).Record})
		o.add(m.releaseOf(c.id)...)
		o.add(o.line(format.LevelInfo, "export", "Finished export container "+c.label()+" to (unknown) (return=0)", c.obj()))
	}
}

// qnapExport is the message of a finished export or import. Docker does not tell the path.
type qnapExport struct {
	Type      string `json:"type"`
	Container string `json:"container,omitempty"`
	CID       string `json:"cid"`
	Path      string `json:"path"`
	Compress  *bool  `json:"compress,omitempty"`
	State     string `json:"state"`
	Result    int    `json:"result"`
	TID       int    `json:"tid"`
}

// tell adds a human line of the container after what is held for it and happened before. A signal stays held:
// what became of it is not known yet.
func (o *mapping) tell(c *dockerContainer, level format.Level, msg string) {
	o.add(o.m.releaseOf(c.id, heldStart, heldStop, heldExit)...)
	o.add(o.line(level, "container", msg, c.obj()))
}

func (m *DockerMapper) started(o *mapping, c *dockerContainer) {
	at := o.e.At
	o.shown()
	m.drop(c.id, heldConnect)
	o.add(m.releaseOf(c.id, heldKill, heldExit, heldStart)...)
	lines := []Mapped{o.line(format.LevelInfo, "container", "Start container "+c.label(), c.obj())}
	if c.status == statusDead && c.killed.IsZero() && !m.holds(c.id, heldStop) { // nobody stopped it
		lines = append(lines, m.restarted(o, c)...)
	}
	c.status, c.started, c.paused, c.killed, c.connects = statusRunning, at, false, time.Time{}, 0
	m.postpone(c.id, heldStop, at.Add(startWaits))
	m.hold(&heldLine{due: at.Add(startWaits), kind: heldStart, of: c.id, ms: lines})
	if m.opts.Container != nil && o.e.made == nil && o.raw.Seq == 0 {
		m.later = func() []Mapped {
			info, ok := m.opts.Container(c.id)
			if !ok || !info.Ports {
				return nil
			}
			c.ports = true
			more := mapping{m: m, e: o.e, raw: o.raw}
			more.port(c, "add")
			return more.ms
		}
	}
}

// port adds the message that ports of the host lead into the container, or no longer do.
func (o *mapping) port(c *dockerContainer, what string) {
	o.add(o.message("container", "container.port_"+what, format.ActorEngine, c.obj(), struct {
		Container string `json:"container"`
		Type      string `json:"type"`
		Port      string `json:"port"`
	}{c.name, "docker", what}))
}

// restarted counts a start that followed an exit nobody asked for and tells a loop once.
func (m *DockerMapper) restarted(o *mapping, c *dockerContainer) []Mapped {
	kept := c.restarts[:0]
	for _, t := range c.restarts {
		if o.e.At.Sub(t) < time.Minute {
			kept = append(kept, t)
		}
	}
	if len(kept) == 0 {
		c.looping = false
	}
	c.restarts = append(kept, o.e.At)
	n := len(c.restarts)
	if n > 16 {
		c.restarts = c.restarts[n-16:]
	}
	if n < 3 || c.looping {
		return nil
	}
	c.looping = true
	return []Mapped{o.line(format.LevelError, "container",
		fmt.Sprintf("Container keeps restarting %s (exit=%s, restarts=%d)", c.label(), c.exit, n), c.obj())}
}

// endLoop is called when somebody stopped or restarted the container.
func (m *DockerMapper) endLoop(c *dockerContainer) { c.restarts, c.looping = nil, false }

func (m *DockerMapper) died(o *mapping, c *dockerContainer) {
	at, exit := o.e.At, o.e.Attr["exitCode"]
	o.shown()
	// A start that lies ahead was told by the clock before it was set back.
	explained := !c.killed.IsZero() && (c.killed.After(c.started) || c.started.After(m.clock.Add(clockStep)))
	if exit != "" && exit != "0" && !explained {
		o.raw.Level = format.LevelWarn
	}
	c.status, c.died, c.exit, c.paused, c.connects = statusDead, at, exit, false, 0
	clear(c.unplugged)
	m.postpone(c.id, heldKill, at.Add(killedWaits))
	if !explained {
		o.add(m.releaseOf(c.id)...)
		l := o.line(format.LevelInfo, "container", fmt.Sprintf("Container exited %s (exit=%s)", c.label(), exit), c.obj())
		if exit != "0" {
			l = o.line(format.LevelWarn, "container", fmt.Sprintf("Container died %s (exit=%s)", c.label(), exit), c.obj())
		}
		m.hold(&heldLine{due: at.Add(exitWaits), kind: heldExit, of: c.id, ms: []Mapped{l}})
	}
	if c.ports {
		c.ports = false
		o.port(c, "remove")
	}
}

// quietSignals do not end a process that expects them: HUP, USR1, USR2, CHLD, CONT, STOP, TSTP, WINCH.
var quietSignals = map[string]bool{
	"1": true, "10": true, "12": true, "17": true, "18": true, "19": true, "20": true, "28": true,
	"HUP": true, "USR1": true, "USR2": true, "CHLD": true, "CONT": true, "STOP": true, "TSTP": true, "WINCH": true,
}

func (m *DockerMapper) killedBy(o *mapping, c *dockerContainer) {
	sig := strings.TrimPrefix(o.e.Attr["signal"], "SIG")
	if quietSignals[sig] {
		return
	}
	if c.killed.Before(o.e.At) {
		c.killed = o.e.At
	}
	waits := killWaits
	if c.status == statusDead && !o.e.At.After(c.died.Add(50*time.Millisecond)) { // events overtake each other
		m.drop(c.id, heldExit)
		waits = killedWaits
	}
	m.hold(&heldLine{due: o.e.At.Add(waits), kind: heldKill, of: c.id,
		ms: []Mapped{o.line(format.LevelInfo, "container", fmt.Sprintf("Kill container %s (signal=%s)", c.label(), sig), c.obj())}})
}
