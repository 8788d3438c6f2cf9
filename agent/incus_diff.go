package agent

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"shiplog/format"
)

// change is something that happened unseen, told by comparing what was known with what is there.
type change struct {
	at     time.Time // best known time, else the end of the bounds
	action string    // as a lifecycle event would have said it
	source string    // API path
	key    instanceKey
	old    string // old name of a renamed instance
}

// bounds are the times between which an unseen change happened.
type bounds struct{ min, max time.Time }

// clamp returns t if it lies within b, else the end of b: engines' clocks may be set.
func (b bounds) clamp(t time.Time) time.Time {
	if t.IsZero() || t.Before(b.min) || t.After(b.max) {
		return b.max
	}
	return t
}

// usedSlack is how much later than the engine's own time of a start its event may be stamped.
const usedSlack = time.Second

// diff tells what must have happened between s and now, in the order of time. skip leaves instances out.
func (s *incusState) diff(now *incusState, b bounds, skip func(instanceKey) bool) []change {
	d := &differ{b: b}
	gone := map[string]*instanceState{} // by uuid
	for k, i := range s.Instances {
		if now.Instances[k] == nil && i.UUID != "" {
			gone[i.UUID] = i
		}
	}
	for _, k := range sortedKeys(now.Instances) {
		n := now.Instances[k]
		if skip != nil && skip(k) {
			delete(gone, n.UUID)
			continue
		}
		i := s.Instances[k]
		if i == nil && n.UUID != "" && gone[n.UUID] != nil && gone[n.UUID].Project == k.project {
			i = gone[n.UUID]
			delete(gone, n.UUID)
			d.renamed = append(d.renamed, i.key())
			d.add(change{at: b.max, action: "instance-renamed", key: k, old: i.Name})
		}
		d.instance(i, n)
	}
	for _, k := range sortedKeys(s.Instances) {
		if now.Instances[k] == nil && !slices.Contains(d.renamed, k) && (skip == nil || !skip(k)) {
			d.add(change{at: b.max, action: "instance-deleted", key: k})
		}
	}
	d.images(s, now)
	slices.SortStableFunc(d.out, func(a, b change) int { return a.at.Compare(b.at) })
	return d.out
}

// differ collects changes.
type differ struct {
	b       bounds
	out     []change
	renamed []instanceKey // old keys
}

func (d *differ) add(c change) {
	if c.source == "" {
		c.source = "/1.0/instances/" + c.key.name
	}
	d.out = append(d.out, c)
}

// instance compares one instance; i is nil when it was not known.
func (d *differ) instance(i, n *instanceState) {
	k := n.key()
	replaced := i != nil && !i.partial && !i.Created.IsZero() && !n.Created.Equal(i.Created)
	if i != nil && i.UUID != "" && n.UUID != "" {
		replaced = i.UUID != n.UUID
	}
	if replaced {
		d.add(change{at: d.b.clamp(n.Created.Add(-time.Millisecond)), action: "instance-deleted", key: k})
	}
	if i == nil || replaced || i.partial {
		d.add(change{at: d.b.clamp(n.Created), action: "instance-created", key: k})
		if i != nil && i.partial {
			return // the rest was heard
		}
		i = &instanceState{Status: "Stopped"}
	}
	d.status(i, n)
	if i.Config != "" && n.Config != "" && i.Config != n.Config {
		d.add(change{at: d.b.max, action: "instance-updated", key: k})
	}
	for _, name := range n.Snaps {
		if !slices.Contains(i.Snaps, name) {
			d.add(change{at: d.b.max, action: "instance-snapshot-created", key: k, source: "/1.0/instances/" + k.name + "/snapshots/" + name})
		}
	}
	for _, name := range i.Snaps {
		if !slices.Contains(n.Snaps, name) {
			d.add(change{at: d.b.max, action: "instance-snapshot-deleted", key: k, source: "/1.0/instances/" + k.name + "/snapshots/" + name})
		}
	}
}

// status tells starts, stops and pauses.
func (d *differ) status(i, n *instanceState) {
	k := n.key()
	say := func(at time.Time, action string) { d.add(change{at: at, action: action, key: k}) }
	was, is := i.Status, n.Status
	started := !n.Used.IsZero() && n.Used.Sub(i.Used) > usedSlack && !n.Used.Before(d.b.min.Add(-usedSlack))
	up := func(s string) bool { return s == "Running" || s == "Frozen" }
	switch {
	case was == "" || is == "":
	case up(was) && up(is) && started && !i.Used.IsZero():
		say(d.b.clamp(n.Used.Add(-time.Millisecond)), "instance-stopped")
		say(d.b.clamp(n.Used), "instance-started")
		was = "Running"
	case !up(was) && up(is):
		say(d.b.clamp(n.Used), "instance-started")
		was = "Running"
	case up(was) && !up(is):
		say(d.b.max, "instance-stopped")
		return
	case !up(was) && started:
		say(d.b.clamp(n.Used), "instance-started")
		say(d.b.max, "instance-stopped")
		return
	}
	switch {
	case was == "Running" && is == "Frozen":
		say(d.b.max, "instance-paused")
	case was == "Frozen" && is == "Running":
		say(d.b.max, "instance-resumed")
	}
}

func (d *differ) images(s, now *incusState) {
	for _, fp := range slices.Sorted(maps.Keys(now.Images)) {
		if _, ok := s.Images[fp]; !ok {
			d.add(change{at: d.b.max, action: "image-created", source: "/1.0/images/" + fp})
		}
	}
	for _, fp := range slices.Sorted(maps.Keys(s.Images)) {
		if _, ok := now.Images[fp]; !ok {
			d.add(change{at: d.b.max, action: "image-deleted", source: "/1.0/images/" + fp})
		}
	}
}

func sortedKeys(m map[instanceKey]*instanceState) []instanceKey {
	keys := make([]instanceKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b instanceKey) int {
		return cmp.Or(strings.Compare(a.project, b.project), strings.Compare(a.name, b.name))
	})
	return keys
}

// frame is the lifecycle event that would have told of c.
func (c change) frame() []byte {
	source, project := c.source, c.key.project
	if project != "" && project != defaultProject {
		source += "?project=" + project
	}
	meta := []any{"action", c.action, "source", source}
	if c.key.name != "" {
		meta = append(meta, "name", c.key.name, "project", project)
	}
	if c.old != "" {
		meta = append(meta, "context", map[string]string{"old_name": c.old})
	}
	return object("type", "lifecycle", "timestamp", c.at.UTC().Format(time.RFC3339Nano), "project", project, "metadata", object(meta...))
}

// Synthetic returns the records of unseen changes. They are marked, and carry the times between which the
// change happened.
func (m *IncusMapper) synthetic(changes []change, b bounds) []Mapped {
	m.synth = &b
	defer func() { m.synth = nil }()
	for _, c := range changes {
		e, err := decodeIncus(c.frame())
		if err != nil {
			continue // a name no engine gives
		}
		m.lifecycle(e)
		if m.observe != nil {
			m.observe(e)
		}
	}
	return m.take()
}

// mark writes into data that a record was not observed.
func (m *IncusMapper) mark(r *format.Record) {
	if m.synth == nil {
		return
	}
	data := object("synthetic", true, "cause", "reconcile", "ts_min", stampNano(m.synth.min), "ts_max", stampNano(m.synth.max))
	if len(r.Data) > 2 {
		data = append(append(data[:len(data)-1], ','), r.Data[1:]...)
	}
	r.Data = data
}

func stampNano(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
