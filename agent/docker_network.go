package agent

import (
	"fmt"
	"time"

	"shiplog/format"
)

// network maps the events of networks. Connect and disconnect belong to a start or a stop most of the time;
// a disconnect without either is how a failed start shows itself: Docker has no event for it.
func (m *DockerMapper) network(o *mapping) {
	e := o.e
	name := e.Attr["name"]
	switch e.Verb {
	case "create":
		o.system(fmt.Sprintf("Network created (docker, %s)", name))
	case "destroy":
		o.system(fmt.Sprintf("Network removed (docker, %s)", name))
	case "prune":
		o.prune()
	case "connect", "disconnect":
		id := e.Attr["container"]
		if id == "" {
			return
		}
		c := m.of(id, e.At)
		if e.Verb == "connect" {
			o.shown()
			m.connected(o, c, name)
			return
		}
		// Docker may say it twice within some 50 ms.
		again := !c.unplugged[e.ID].IsZero() && e.At.Sub(c.unplugged[e.ID]) < time.Second
		c.unplugged[e.ID] = e.At
		delete(c.networks, e.ID)
		if !again {
			o.shown()
			m.unplugged(o, c, name)
		}
	}
}

func (m *DockerMapper) connected(o *mapping, c *dockerContainer, network string) {
	at := o.e.At
	delete(c.unplugged, o.e.ID)
	c.networks[o.e.ID] = network
	line := o.line(format.LevelInfo, "container", fmt.Sprintf("Connect container %s to network %s", c.label(), network), c.obj())
	if c.status == statusRunning {
		o.add(m.releaseOf(c.id)...)
		o.add(line)
		return
	}
	c.connects++
	m.postpone(c.id, heldStop, at.Add(connectWaits))
	m.hold(&heldLine{due: at.Add(connectWaits), kind: heldConnect, of: c.id, ms: []Mapped{line}})
}

func (m *DockerMapper) unplugged(o *mapping, c *dockerContainer, network string) {
	at := o.e.At
	switch {
	case c.status == statusRunning:
		o.tell(c, format.LevelInfo, fmt.Sprintf("Disconnect container %s from network %s", c.label(), network))
		return
	case c.status == statusUnknown && c.connects == 0:
		return // seen too little of it to tell
	case c.connects == 0 && c.status == statusDead && at.Sub(c.died) < connectWaits:
		return // part of its end
	case c.connects == 0 && !c.failed.IsZero() && at.Sub(c.failed) < connectWaits:
		return // the other networks of the same failed start
	}
	if c.connects == 0 && m.opts.Container != nil && o.raw.Seq != 0 {
		return // whether it failed can only be asked when it happens
	}
	reason := ""
	if m.opts.Container != nil && o.raw.Seq == 0 && o.e.made == nil {
		info, ok := m.opts.Container(c.id)
		if ok && info.Error == "" && c.connects == 0 { // somebody took a stopped container off a network
			o.tell(c, format.LevelInfo, fmt.Sprintf("Disconnect container %s from network %s", c.label(), network))
			return
		}
		reason = redactText(info.Error)
	}
	m.failedStart(o, c, reason)
}

// failedStart tells that a container could not be started. reason may be empty: only the engine knows it.
func (m *DockerMapper) failedStart(o *mapping, c *dockerContainer, reason string) {
	m.drop(c.id, heldConnect)
	c.connects, c.failed = 0, o.e.At
	msg := "Failed to start container " + c.label()
	if reason != "" {
		msg += ": " + reason
	}
	o.tell(c, format.LevelError, msg)
	last := o.ms[len(o.ms)-1].Record
	last.Action, last.Outcome = "container.start", format.OutcomeFailure
}
