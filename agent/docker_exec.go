package agent

import (
	"slices"
	"strings"
	"time"
)

// execs remembers which executions belong to a health check and what the others execute, since Docker names
// the command only at the start.
type execs struct {
	health recent[bool]   // exec ids that are left out until they die
	cmds   recent[string] // other exec ids to their command
}

// maxExecs bounds the ids that wait for their end.
const maxExecs = 4096

// recent is a map of the newest maxExecs/2 to maxExecs ids. It has to forget: an exec that cannot start never
// dies, and a health check whose program is missing tries again every few seconds for ever.
type recent[V any] struct{ young, old map[string]V }

func (r *recent[V]) put(id string, v V) {
	if r.young == nil || len(r.young) >= maxExecs/2 {
		r.young, r.old = map[string]V{}, r.young
	}
	r.young[id] = v
}

// take returns what was put under id and forgets it.
func (r *recent[V]) take(id string) (v V, ok bool) {
	if v, ok = r.young[id]; !ok {
		v, ok = r.old[id]
	}
	delete(r.young, id)
	delete(r.old, id)
	return v, ok
}

// healthExec tells whether e is an execution of its container's health check: those come every few seconds
// and say nothing that health_status does not.
func (m *DockerMapper) healthExec(e *dockerEvent) bool {
	if e.Type != "container" {
		return false
	}
	id := e.Attr["execID"]
	switch e.Verb {
	case "exec_create", "exec_start":
		c := m.of(e.ID, e.At)
		if m.isHealthCheck(c, e.Arg) {
			m.execs.health.put(id, true)
			return true
		}
		m.execs.cmds.put(id, e.Arg)
	case "exec_die", "exec_detach":
		if _, ok := m.execs.health.take(id); ok {
			return true
		}
		if cmd, ok := m.execs.cmds.take(id); ok {
			c := m.of(e.ID, e.At)
			c.lastExec, c.lastExecAt = cmd, e.At
		}
	}
	return false
}

func (m *DockerMapper) isHealthCheck(c *dockerContainer, cmd string) bool {
	if !c.knowsExec && m.opts.Container != nil {
		if info, ok := m.opts.Container(c.id); ok {
			c.setHealth(info)
		}
	}
	return c.health != "" && cmd == c.health
}

// setHealth takes over the configured health check as an exec shows it.
func (c *dockerContainer) setHealth(info DockerInfo) {
	c.knowsExec, c.health = true, ""
	if len(info.Health) < 2 {
		return
	}
	switch info.Health[0] {
	case "CMD":
		c.health = strings.Join(info.Health[1:], " ")
	case "CMD-SHELL":
		shell := info.Shell
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		c.health = strings.Join(append(slices.Clone(shell), info.Health[1]), " ")
	}
	// As events have it: trimmed, without secrets, and cut.
	c.health = redactJoined(strings.TrimSpace(c.health))
	if len(c.health) > maxAttr {
		c.health = strings.ToValidUTF8(c.health[:maxAttr], "")
	}
}

// learnHealth is for containers that cannot be asked about, as in an import: the exec that ended just before
// the status changed was the health check.
func (m *DockerMapper) learnHealth(c *dockerContainer, at time.Time) {
	if !c.knowsExec && c.health == "" && c.lastExec != "" && at.Sub(c.lastExecAt) < 100*time.Millisecond {
		c.health = c.lastExec
	}
}
