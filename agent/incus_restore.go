package agent

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"shiplog/format"
)

// snapshotAction is the action of the records that hold a daemon's known state.
const snapshotAction = "engine.snapshot"

const (
	snapshotBytes = 48 << 10 // a record's data may have 64 KiB
	restoreLines  = 250_000  // how far back a start looks for a snapshot: about half a second
)

// snapshotPart is the data of one snapshot record. A state too big for one record stands in several.
type snapshotPart struct {
	PID       int               `json:"pid"`
	Part      int               `json:"part"`
	Parts     int               `json:"parts"`
	Instances []*instanceState  `json:"instances,omitempty"`
	Images    map[string]string `json:"images,omitempty"`

	// Tasks are the operations under way: their ids and the seq of their first records.
	Tasks map[string]uint64 `json:"tasks,omitempty"`
}

// snapshot writes the state as the data of one or more records.
func (s *incusState) snapshot(pid int, tasks map[string]uint64) []json.RawMessage {
	var parts []snapshotPart
	cur := snapshotPart{Tasks: tasks}
	size := 0
	add := func(n int, put func()) {
		if size+n > snapshotBytes {
			parts, cur, size = append(parts, cur), snapshotPart{}, 0
		}
		put()
		size += n
	}
	for _, k := range sortedKeys(s.Instances) {
		i := s.Instances[k]
		add(len(jsonValue(i)), func() { cur.Instances = append(cur.Instances, i) })
	}
	for _, fp := range slices.Sorted(maps.Keys(s.Images)) {
		alias := s.Images[fp]
		add(len(fp)+len(alias)+8, func() {
			if cur.Images == nil {
				cur.Images = map[string]string{}
			}
			cur.Images[fp] = alias
		})
	}
	parts = append(parts, cur)
	out := make([]json.RawMessage, len(parts))
	for n := range parts {
		parts[n].PID, parts[n].Part, parts[n].Parts = pid, n+1, len(parts)
		out[n] = jsonValue(parts[n])
	}
	return out
}

// restore rebuilds from the log what was known when shiplog stopped: the newest snapshot and the events
// after it, and which operations were under way.
func (s *incusSource) restore() []Mapped {
	if s.o.Log == nil {
		return nil
	}
	s.o.keepHost()
	var events []*incusEvent // newest first
	parts := map[int]snapshotPart{}
	lines := 0
	for ln, err := range s.o.Log.Backward(0) {
		if lines++; lines > restoreLines {
			s.log.Warn("no snapshot of the engine's state near the end of the log; nothing to compare with", "engine", format.EngineIncus, "lines", restoreLines)
			return nil
		}
		if err != nil {
			continue // damage is reported by those who serve the log
		}
		f := ln.Fields
		if f.Engine != format.EngineIncus && f.Engine != format.EngineLXD {
			continue
		}
		if !s.own(f) {
			continue
		}
		if at := time.Unix(0, f.Time); at.After(s.history) {
			s.history = at
		}
		switch {
		case f.Stream != format.StreamEvent:
		case f.Action.Is(snapshotAction):
			var p snapshotPart
			if json.Unmarshal(f.Data, &p) != nil {
				continue
			}
			if s.notedAs == nil {
				s.notedAs = &format.Record{Seq: f.Seq}
			}
			parts[p.Part] = p
			if p.Part == 1 && len(parts) >= p.Parts {
				s.rebuild(parts, events)
				return nil
			}
			if p.Part == 1 {
				clear(parts) // its end was never written
				s.notedAs = nil
			}
		default:
			if e := recorded(f); e != nil && len(events) < restoreLines/8 {
				events = append(events, e)
			}
		}
	}
	return nil
}

// own leaves out what a client sent or an import brought from another box. Records of a cluster name the
// member they speak of as their host.
func (s *incusSource) own(f *format.Fields) bool {
	if f.Stream != format.StreamEvent {
		return s.o.Host == "" || f.Host.Is(s.o.Host)
	}
	if s.o.own(f) {
		return true
	}
	e := recorded(f)
	return e != nil && e.location != "" && f.ActorType.Is(format.ActorEngine)
}

// recorded is the event a raw record was made of; nil when the record holds none.
func recorded(f *format.Fields) *incusEvent {
	var d struct{ Raw, Event json.RawMessage }
	if len(f.Data) == 0 || json.Unmarshal(f.Data, &d) != nil {
		return nil
	}
	if len(d.Raw) == 0 {
		d.Raw = d.Event // of a change that was not observed
	}
	if len(d.Raw) == 0 {
		return nil
	}
	e, err := decodeIncus(d.Raw)
	if err != nil {
		return nil
	}
	e.seq = f.Seq
	return e
}

// rebuild puts the state together; events are in the order they were found, the newest first.
func (s *incusSource) rebuild(parts map[int]snapshotPart, events []*incusEvent) {
	st := newIncusState()
	for _, p := range parts {
		for _, i := range p.Instances {
			if i != nil {
				st.Instances[i.key()] = i
			}
		}
		for fp, alias := range p.Images {
			st.Images[fp] = alias
			s.m.SetImage(fp, alias)
		}
		for _, seq := range p.Tasks {
			if ln, err := s.o.Log.Get(seq); err == nil {
				if e := recorded(ln.Fields); e != nil && e.op != nil {
					s.m.resume(e)
				}
			}
		}
	}
	for _, e := range slices.Backward(events) {
		st.apply(e)
		if e.op != nil {
			s.m.resume(e)
		}
	}
	s.known = st
	s.noted = ""
}

// resume takes an operation over from the log: what is announced of it is announced already.
func (m *IncusMapper) resume(e *incusEvent) {
	t := m.tasks.running[e.op.ID]
	switch {
	case t == nil && !e.op.terminal():
		t = m.newTask(e)
		t.first = &format.Record{Seq: e.seq}
		m.tasks.add(t)
	case t != nil && e.op.terminal():
		m.tasks.finish(t)
	case t == nil:
		m.tasks.finish(&task{id: e.op.ID})
	}
}
