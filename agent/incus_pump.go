package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shiplog/format"

	"github.com/lxc/incus/v6/shared/api"
)

// The pump's side of the source: everything here runs in one goroutine.

// event maps one frame. What is no event is kept as far as it can be without its secrets.
func (s *incusSource) event(raw []byte, obs time.Time) []Mapped {
	ms, err := s.m.received(raw, obs)
	if err != nil {
		s.meter.update(func(m *SourceStats) { m.Undecodable++ })
		return append(s.m.mapAll(s.m.w.all()), s.undecodable(raw, obs, err))
	}
	return s.keep(ms)
}

// maxGarbage bounds what is kept of a frame that is no event.
const maxGarbage = 4096

func (s *incusSource) undecodable(raw []byte, obs time.Time, err error) Mapped {
	text := string(redactJSON(raw))
	if len(text) > maxGarbage {
		text = text[:maxGarbage]
	}
	why := err
	for u := errors.Unwrap(why); u != nil; u = errors.Unwrap(u) {
		why = u
	}
	return Mapped{Record: &format.Record{
		Time: obs, Stream: format.StreamEvent, Level: format.LevelWarn, Category: "system", Action: "engine.undecodable",
		Actor: format.Actor{Type: format.ActorEngine}, Engine: s.m.engine, NS: defaultNS,
		Data: object("text", text, "bytes", len(raw), "error", why.Error()),
	}}
}

// keep remembers the newest raw record.
func (s *incusSource) keep(ms []Mapped) []Mapped {
	for _, m := range ms {
		if m.Ref == nil {
			s.newestRaw = m.Record
		}
	}
	return ms
}

func (s *incusSource) tick(now time.Time) []Mapped { return s.keep(s.m.Tick(now)) }

// deadline is soon while events wait for their order; nothing else is ever held.
func (s *incusSource) deadline() time.Time { return s.m.w.next() }

// flush also notes the state, so that the next start can tell what was changed meanwhile.
func (s *incusSource) flush() []Mapped {
	out := s.m.mapAll(s.m.w.all())
	noted := s.note(true)
	return append(append(out, s.m.Flush()...), noted...)
}

// observe is told each event in order.
func (s *incusSource) observe(e *incusEvent) {
	if s.m.synth == nil {
		s.meter.event(e.at)
	}
	if e.life == nil {
		return
	}
	if s.known != nil {
		s.known.apply(e)
	}
	s.askPorts(e)
}

// connected is what a new connection has to tell: that events may be missing, what was changed unseen, and
// that the engine is in sight again. frames are the events already received on it, not mapped yet.
func (s *incusSource) connected(server *incusServer, l *listing, frames [][]byte, from time.Time) []Mapped {
	s.m.engine = server.engine
	at := s.now()
	var out []Mapped
	if g, ok := s.gap(server, from, at); ok {
		if g.Reason == gapRestart {
			out = append(out, s.m.Flush()...) // a daemon forgets its operations
		}
		s.meter.gap(g.Reason)
		out = append(out, g.record())
	}
	s.pid = server.pid
	s.connects++
	n := 0
	if l != nil {
		var ms []Mapped
		ms, n = s.adopt(l, frames, from)
		out = append(out, ms...)
	}
	out = append(out, connected(server.engine, at, 0, n))
	if l != nil {
		out = append(out, s.note(true)...)
	}
	return out
}

// gap tells whether and why events may be missing before a connection.
func (s *incusSource) gap(server *incusServer, from, to time.Time) (gap, bool) {
	g := gap{Engine: server.engine, From: from, To: to, MayHave: true, Reason: gapDisconnect}
	switch {
	case s.connects == 0 && s.history.IsZero():
		return g, false // nothing was ever seen of this engine
	case s.connects == 0:
		g.From, g.Reason = s.history, gapStart
	case s.pid != server.pid:
		g.Reason = gapRestart
	}
	return g, true
}

// adopt makes a listing the known state and returns what must have happened to get there. The frames that
// were received before the listing ended explain part of it and are mapped afterwards.
func (s *incusSource) adopt(l *listing, frames [][]byte, from time.Time) ([]Mapped, int) {
	s.m.SetCertificates(l.Certs)
	for fp, alias := range l.State.Images {
		s.m.SetImage(fp, alias)
	}
	was := s.known
	s.known = l.State
	out := s.attach(l.Ops, frames)
	if was == nil {
		return out, 0
	}
	if from.IsZero() {
		from = s.history
	}
	was = was.clone()
	late := map[instanceKey]bool{}
	for _, raw := range frames {
		e, err := decodeIncus(raw)
		if err != nil || e.life == nil {
			continue
		}
		was.apply(e)
		if !e.at.Before(l.From) {
			p := parseIncusPath(e.life.Source)
			late[instanceKey{orDefault(e.life.Project, p.project, e.project), p.name}] = true
		}
	}
	b := bounds{min: from, max: l.From}
	changes := was.diff(l.State, b, func(k instanceKey) bool { return late[k] })
	s.synthesized(len(changes))
	return append(out, s.m.synthetic(changes, b)...), len(changes)
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

// snapshotEvery is after how many records a snapshot is written anew, so that a start reads no more.
const snapshotEvery = 20000

// note writes the known state into the log, so that the next start knows what to compare with. Between
// starts the events tell how the state changed; then it is written only when it has become a long way back.
func (s *incusSource) note(changed bool) []Mapped {
	if s.known == nil || s.connects == 0 {
		return nil
	}
	far := s.notedAs != nil && s.newestRaw != nil && s.newestRaw.Seq > s.notedAs.Seq+snapshotEvery
	if !changed && !far {
		return nil
	}
	parts := s.known.snapshot(s.pid, s.m.tasks.seqs())
	text := fmt.Sprintf("%s", parts)
	if text == s.noted && !far {
		return nil
	}
	s.noted = text
	var out []Mapped
	for _, data := range parts {
		s.notedAs = &format.Record{
			Time: s.now(), Stream: format.StreamEvent, Level: format.LevelDebug, Category: "system", Action: snapshotAction,
			Actor: format.Actor{Type: format.ActorEngine}, Engine: s.m.engine, Data: data,
		}
		out = append(out, Mapped{Record: s.notedAs})
	}
	return out
}
