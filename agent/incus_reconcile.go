package agent

import (
	"encoding/json"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

// adopt makes a listing the known state and returns what must have happened to get there. The frames that
// were received before the listing ended explain part of it and are mapped afterwards.
func (s *incusSource) adopt(l *listing, frames [][]byte, from time.Time) ([]Mapped, int) {
	s.m.SetCertificates(l.Certs)
	for fp, alias := range l.State.Images {
		s.m.SetImage(fp, alias)
	}
	was := s.known
	s.known, s.lastCompare = l.State, l.From
	out := s.attach(l.Ops, frames)
	if was == nil {
		return out, 0
	}
	if from.IsZero() {
		from = s.history
	}
	was = was.clone()
	late := map[instanceKey]bool{}
	b := bounds{min: from, max: l.From}
	var unseen []change
	for _, raw := range frames {
		e, err := decodeIncus(raw)
		if err != nil || e.life == nil {
			continue
		}
		unseen = append(unseen, was.stopBefore(e, b)...)
		was.apply(e)
		if !e.at.Before(l.From) {
			p := parseIncusPath(e.life.Source)
			late[instanceKey{orDefault(e.life.Project, p.project, e.project), p.name}] = true
		}
	}
	changes := append(unseen, was.diff(l.State, b, func(k instanceKey) bool { return late[k] })...)
	s.synthesized(len(changes))
	return append(out, s.m.synthetic(changes, b)...), len(changes)
}

// stopBefore is the stop that must have come, unseen, before an instance that was up is said to have started: a
// daemon that starts again starts at once what ended without it, sooner than it can be asked.
func (s *incusState) stopBefore(e *incusEvent, b bounds) []change {
	if e.life.Action != "instance-started" {
		return nil
	}
	p := parseIncusPath(e.life.Source)
	k := instanceKey{orDefault(e.life.Project, p.project, e.project), p.name}
	i := s.Instances[k]
	if i == nil || i.Status != "Running" && i.Status != "Frozen" || !e.at.After(i.Used) {
		return nil
	}
	return []change{{at: b.clamp(e.at.Add(-time.Millisecond)), action: "instance-stopped", source: "/1.0/instances/" + k.name, key: k}}
}

// attach takes over the operations that are under way, and drops those that ended unseen.
func (s *incusSource) attach(ops []api.Operation, frames [][]byte) []Mapped {
	running := map[string]bool{}
	for _, op := range ops {
		running[op.ID] = true
	}
	heard := map[string]bool{}
	for _, raw := range frames {
		if e, err := decodeIncus(raw); err == nil && e.op != nil {
			heard[e.op.ID], running[e.op.ID] = true, true
		}
	}
	s.m.tasks.flush(s.m, running)
	out := s.m.take()
	for _, op := range ops {
		if s.m.tasks.running[op.ID] != nil || heard[op.ID] || op.StatusCode.IsFinal() {
			continue
		}
		meta, err := json.Marshal(op)
		if err != nil {
			continue
		}
		project := defaultProject
		for _, paths := range op.Resources {
			for _, p := range paths {
				project = orDefault(parseIncusPath(p).project)
			}
		}
		frame := object("type", "operation", "timestamp", stampNano(op.UpdatedAt), "project", project, "metadata", json.RawMessage(meta))
		if e, err := decodeIncus(frame); err == nil {
			b := bounds{min: op.CreatedAt, max: op.UpdatedAt}
			s.m.synth = &b
			s.m.operation(e)
			s.m.synth = nil
			out = append(out, s.m.take()...)
		}
	}
	return out
}

// reconciled compares a listing taken in the middle of a stream. A difference counts when two listings show
// it: the event that explains the first may just be on its way. again is answered with whether to list once
// more soon.
func (s *incusSource) reconciled(l *listing, again chan<- bool) []Mapped {
	out := s.keep(s.m.mapAll(s.m.w.all()))
	out = append(out, s.ended(l)...)
	if s.known == nil {
		ms, _ := s.adopt(l, nil, time.Time{})
		again <- false
		return append(append(out, ms...), s.note(true)...)
	}
	busy := func(k instanceKey) bool {
		i := s.known.Instances[k]
		return i != nil && i.touched.After(l.From.Add(-s.times.confirm)) || s.m.tasks.working(k)
	}
	b := bounds{min: s.compared(), max: l.To}
	changes := s.known.diff(l.State, b, busy)
	if len(changes) > 0 && !sameChanges(changes, s.suspect) {
		s.suspect = changes
		again <- true
		return out
	}
	s.suspect = nil
	again <- false
	if len(changes) > 0 {
		s.synthesized(len(changes))
		out = append(out, s.m.synthetic(changes, b)...)
	}
	for k, i := range l.State.Instances {
		if busy(k) && s.known.Instances[k] != nil {
			i = s.known.Instances[k] // newer than the listing
		}
		l.State.Instances[k] = i
	}
	for k, i := range s.known.Instances {
		if busy(k) && l.State.Instances[k] == nil {
			l.State.Instances[k] = i
		}
	}
	s.known, s.lastCompare = l.State, l.From
	return append(out, s.note(false)...)
}

// ended forgets operations whose end was lost: an instance that one works on is not compared. The daemon lists
// an operation for 5 s after its end, whose event has come by then.
func (s *incusSource) ended(l *listing) []Mapped {
	running := map[string]bool{}
	for _, op := range l.Ops {
		running[op.ID] = true
	}
	for id, t := range s.m.tasks.running {
		if t.first != nil && t.first.Time.After(l.From.Add(-operationHold)) {
			running[id] = true // began after it was listed
		}
	}
	s.m.tasks.flush(s.m, running)
	return s.keep(s.m.take())
}

// compared is since when an unseen change may have happened.
func (s *incusSource) compared() time.Time {
	if s.lastCompare.IsZero() {
		return s.history
	}
	return s.lastCompare
}

func sameChanges(a, b []change) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].action != b[i].action || a[i].source != b[i].source || a[i].key != b[i].key {
			return false
		}
	}
	return true
}

func (s *incusSource) synthesized(n int) {
	s.meter.update(func(m *SourceStats) { m.Synthesized += uint64(n) })
}
