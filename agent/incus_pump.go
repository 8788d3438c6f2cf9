package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"shiplog/format"
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
	text := string(raw)
	if json.Valid(raw) {
		text = string(redactJSON(raw))
	} else {
		text = bones(text)
	}
	if len(text) > maxGarbage {
		text = strings.ToValidUTF8(text[:maxGarbage], "")
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

// bones is what can be kept of JSON that is torn, where a secret cannot be told by its place any more: the
// names, which are strings before a colon, and the punctuation.
func bones(s string) string {
	var out strings.Builder
	for s != "" {
		if s[0] != '"' {
			if strings.IndexByte("{}[]:,", s[0]) >= 0 {
				out.WriteByte(s[0])
			}
			s = s[1:]
			continue
		}
		end := 1
		for end < len(s) && s[end] != '"' {
			if s[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(s) {
			return out.String()
		}
		name := s[:end+1]
		if s = s[end+1:]; strings.HasPrefix(strings.TrimLeft(s, " \t"), ":") {
			out.WriteString(name)
		}
	}
	return out.String()
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

// rest is nothing: nobody waits for what an event of Incus becomes.
func (s *incusSource) rest() func() []Mapped { return nil }

func (s *incusSource) tick(now time.Time) []Mapped { return s.keep(s.m.Tick(now)) }

// deadline is soon while events wait for their order; nothing else is ever held.
func (s *incusSource) deadline() time.Time { return s.m.w.next() }

// flush also notes the state, so that the next start can tell what was changed meanwhile.
func (s *incusSource) flush() []Mapped {
	out := s.m.mapAll(s.m.w.all())
	s.noted = "" // written in any case: it tells until when the engine was in sight
	noted := s.note(true)
	return append(append(out, s.m.Flush()...), noted...)
}

// observe is told each event in order.
func (s *incusSource) observe(e *incusEvent) {
	if s.m.synth == nil {
		s.meter.event(e.at, e.counted())
	}
	if e.life == nil {
		return
	}
	if s.known != nil && s.m.synth == nil { // unseen changes come from a listing, which is the known state already
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
	s.meter.update(func(m *SourceStats) { m.Engine = server.engine })
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
