package agent

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// comparison is a snapshot on its way through the pump.
type comparison struct {
	snap     *dockerSnapshot // nil: could not be taken
	first    bool            // of a connection: its end makes the record of the connect
	replayed int             // events that the daemon had kept
	due      time.Time       // when the differences found are taken for true
}

// knownSince says from when on the mapper knows what happened.
type knownSince struct {
	ok         bool      // there is state to compare with
	containers time.Time // what is older than this was never seen and is no news
	images     bool      // names and volumes were listed before
}

// begin looks for differences between a snapshot and what the events told. When there are any, it waits a
// moment: the event that explains one may be on its way.
func (s *dockerSource) begin(c *comparison) []Mapped {
	ms := s.settle()
	if c.snap != nil && s.known.ok && len(s.m.diff(c.snap, s.known)) > 0 {
		c.due = s.now().Add(s.times.confirm)
		s.pending = c
		return ms
	}
	s.pending = c
	return append(ms, s.finish()...)
}

// settle finishes what waits for events that may explain it: none will come in time.
func (s *dockerSource) settle() []Mapped {
	if s.pending == nil {
		return nil
	}
	return s.finish()
}

// finish turns the differences that are still there into events, and takes over the state.
func (s *dockerSource) finish() []Mapped {
	c := s.pending
	s.pending = nil
	var ms []Mapped
	n := 0
	if c.snap != nil {
		if s.known.ok {
			for _, e := range s.m.diff(c.snap, s.known) {
				ms = append(ms, s.m.handle(e, nil)...)
				n++
			}
		}
		s.m.adopt(c.snap)
		if !s.known.ok {
			s.known.containers = c.snap.at
		}
		s.known.ok, s.known.images = true, s.known.images || c.snap.images != nil
	}
	if n > 0 {
		s.lastObs = s.now()
		s.meter.update(func(st *SourceStats) { st.Synthesized += uint64(n) })
	}
	if c.first {
		ms = append(ms, connected(s.engine(), s.now(), c.replayed, n))
	}
	return ms
}

// diff returns the events that must have happened for the state to be as snap has it, oldest first.
func (m *DockerMapper) diff(snap *dockerSnapshot, known knownSince) []*dockerEvent {
	d := &dockerDiff{m: m, snap: snap, since: known.containers}
	for _, id := range slices.Sorted(maps.Keys(snap.containers)) {
		d.container(snap.containers[id], m.containers[id])
	}
	for id, c := range m.containers {
		if _, ok := snap.containers[id]; !ok && c.last.Before(snap.at) && c.status != statusUnknown {
			d.add(d.event(c.id, c.name, c.image, "destroy", snap.at, c.last, snap.at))
		}
	}
	if known.images {
		d.images()
		d.volumes()
	}
	slices.SortStableFunc(d.out, func(a, b *dockerEvent) int { return a.At.Compare(b.At) })
	return d.out
}

type dockerDiff struct {
	m     *DockerMapper
	snap  *dockerSnapshot
	since time.Time
	out   []*dockerEvent
}

func (d *dockerDiff) add(e *dockerEvent) { d.out = append(d.out, e) }

func (d *dockerDiff) event(id, name, image, verb string, at, lo, hi time.Time) *dockerEvent {
	e := &dockerEvent{Type: "container", Verb: verb, ID: id, Scope: "local", At: at, made: &madeUp{lo, hi},
		Attr: map[string]string{"name": name}}
	if image != "" {
		e.Attr["image"] = image
	}
	return e
}

// container compares one container. Docker's StartedAt is before the time of the start event and FinishedAt
// before that of the die event, so a later one was not seen.
func (d *dockerDiff) container(st dockerState, c *dockerContainer) {
	isNew := c == nil || c.status == statusUnknown
	if isNew {
		c = &dockerContainer{started: d.since, died: d.since, last: d.since}
		if !st.created.After(d.since) {
			// It was there before anything was seen. A start or an end since then is news all the same.
			isNew = false
		} else {
			d.add(d.of(st, "create", st.created, st.created, st.created))
		}
	}
	restarted := st.started.After(c.started) && st.started.After(d.since)
	ended := !st.finished.IsZero() && st.finished.After(c.died) && st.finished.After(d.since)
	if ended && (!restarted || st.finished.Before(st.started)) || ended && !st.running() {
		d.died(st, c, restarted)
	}
	if restarted {
		e := d.of(st, "start", st.started, st.started, st.started)
		if st.restarts > 0 {
			e.Extra = extra("restart_count", st.restarts)
		}
		d.add(e)
	}
	if st.status == "created" && st.err != "" && isNew {
		e := d.of(st, "start_failed", d.snap.at, st.created, d.snap.at)
		e.Attr["error"] = redactText(st.err)
		d.add(e)
	}
	if c.id == "" || !c.last.Before(d.snap.at) {
		return
	}
	if c.name != "" && c.name != st.name {
		e := d.of(st, "rename", d.snap.at, c.last, d.snap.at)
		e.Attr["oldName"] = "/" + c.name
		d.add(e)
	}
	if st.running() && !restarted && st.paused != c.paused {
		d.add(d.of(st, map[bool]string{true: "pause", false: "unpause"}[st.paused], d.snap.at, c.last, d.snap.at))
	}
	if st.running() && !restarted && c.netKnown {
		d.networks(st, c)
	}
}

// died is the end of a container that was not seen. When it was started again since, Docker no longer tells
// the exit code.
func (d *dockerDiff) died(st dockerState, c *dockerContainer, restarted bool) {
	e := d.of(st, "die", st.finished, st.finished, st.finished)
	if !st.running() {
		e.Attr["exitCode"] = strconv.Itoa(st.exit)
		if st.oom {
			e.Extra = extra("oom_killed", true)
		}
	}
	d.add(e)
}

func (d *dockerDiff) networks(st dockerState, c *dockerContainer) {
	for id, name := range st.networks {
		if _, ok := c.networks[id]; !ok {
			d.add(d.network("connect", id, name, c))
		}
	}
	for id, name := range c.networks {
		if _, ok := st.networks[id]; !ok {
			d.add(d.network("disconnect", id, name, c))
		}
	}
}

func (d *dockerDiff) network(verb, id, name string, c *dockerContainer) *dockerEvent {
	return &dockerEvent{Type: "network", Verb: verb, ID: id, Scope: "local", At: d.snap.at, made: &madeUp{c.last, d.snap.at},
		Attr: map[string]string{"name": name, "container": c.id}}
}

func (d *dockerDiff) of(st dockerState, verb string, at, lo, hi time.Time) *dockerEvent {
	e := d.event(st.id, st.name, st.image, verb, at, lo, hi)
	for k, v := range st.labels {
		e.Attr[k] = redactPair(k, v)
	}
	e.trim()
	return e
}

// images compares names of images. An image event after the snapshot makes it too old to tell.
func (d *dockerDiff) images() {
	m, snap := d.m, d.snap
	if snap.images == nil || m.images.changed.After(snap.at) {
		return
	}
	lo := m.images.changed
	add := func(verb, id, name string) {
		d.add(&dockerEvent{Type: "image", Verb: verb, ID: id, Scope: "local", At: snap.at, made: &madeUp{lo, snap.at},
			Attr: map[string]string{"name": name}})
	}
	for _, id := range slices.Sorted(maps.Keys(snap.images)) {
		for _, n := range snap.images[id] {
			if !slices.Contains(m.images.names[id], n) {
				add("tag", id, n)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.images.names)) {
		now, there := snap.images[id]
		if !there {
			add("delete", id, id)
			continue
		}
		for _, n := range m.images.names[id] {
			if !slices.Contains(now, n) && !d.moved(n) {
				add("untag", id, n)
			}
		}
	}
}

// moved tells whether a name now belongs to another image: then its tag has been told.
func (d *dockerDiff) moved(name string) bool {
	for _, names := range d.snap.images {
		if slices.Contains(names, name) {
			return true
		}
	}
	return false
}

func (d *dockerDiff) volumes() {
	m, snap := d.m, d.snap
	if snap.volumes == nil || m.volumesChanged.After(snap.at) {
		return
	}
	add := func(verb, name string) {
		d.add(&dockerEvent{Type: "volume", Verb: verb, ID: name, Scope: "local", At: snap.at, made: &madeUp{m.volumesChanged, snap.at}})
	}
	for _, v := range slices.Sorted(maps.Keys(snap.volumes)) {
		if !m.volumes[v] {
			add("create", v)
		}
	}
	for _, v := range slices.Sorted(maps.Keys(m.volumes)) {
		if !snap.volumes[v] {
			add("destroy", v)
		}
	}
}

// adopt takes over what the events did not tell.
func (m *DockerMapper) adopt(snap *dockerSnapshot) {
	for id, st := range snap.containers {
		c := m.containers[id]
		if c == nil {
			c = m.of(id, time.Time{})
		}
		if c.last.After(snap.at) {
			continue
		}
		c.name, c.image = st.name, st.image
		c.status, c.paused = statusDead, st.paused
		switch {
		case st.running():
			c.status = statusRunning
		case st.status == "created":
			c.status = statusCreated
		}
		c.started, c.died = later(c.started, st.started), later(c.died, st.finished)
		c.created = later(c.created, st.created)
		c.last = later(c.last, st.created)
		c.ports = st.info.Ports
		c.setHealth(st.info)
		c.networks, c.netKnown = maps.Clone(st.networks), true
	}
	if snap.images != nil && !m.images.changed.After(snap.at) {
		m.images.names = map[string][]string{}
		for id, names := range snap.images {
			m.images.set(id, slices.Clone(names))
		}
		clear(m.images.partly)
	}
	if snap.volumes != nil && !m.volumesChanged.After(snap.at) {
		m.volumes = maps.Clone(snap.volumes)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func extra(name string, v any) map[string]json.RawMessage {
	return map[string]json.RawMessage{name: marshal(v)}
}

// startFailed maps the failed start that a comparison found.
func (m *DockerMapper) startFailed(o *mapping, c *dockerContainer) {
	m.failedStart(o, c, o.e.Attr["error"])
}
