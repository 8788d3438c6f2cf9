package agent

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"shiplog/format"
)

// How far back the log is read at start to learn what was known before.
const (
	dockerRestoreRecords = 20_000   // of Docker
	dockerRestoreLines   = 200_000  // of all kinds
	dockerRestoreBytes   = 64 << 20 // of all kinds
)

// derivedKind tells derived records of one raw record apart well enough to count them. Texts may differ: some
// were made with the engine's help.
type derivedKind struct {
	ref              uint64
	stream           format.Stream
	category, action string
}

// restore feeds the newest Docker records of the log to the mapper. They say which event came last, which
// were received, what was known, and which human lines a kill left unwritten.
func (s *dockerSource) restore() []Mapped {
	if s.opts.Log == nil {
		return nil
	}
	s.opts.keepHost()
	tail, err := s.scanTail()
	if err != nil {
		s.log.Warn("log not read; beginning without what was known", "engine", s.engine(), "err", err)
		return nil
	}
	if tail.first == 0 {
		return nil
	}
	var ms []Mapped
	for line, err := range s.opts.Log.Forward(tail.first - 1) {
		var damage *format.Damage
		if errors.As(err, &damage) {
			continue
		}
		if err != nil {
			s.log.Warn("log not read to its end", "engine", s.engine(), "err", err)
			break
		}
		if f := line.Fields; f.Engine != format.EngineDocker || f.Stream != format.StreamEvent || !s.opts.own(f) {
			continue
		}
		r := new(format.Record)
		if format.ParseLine(line.Bytes, r) != nil {
			continue
		}
		e, ok := dockerEventOf(r)
		if !ok {
			continue
		}
		if e.made == nil {
			s.seen.add(e.key())
			s.anchor = anchor{key: e.key(), at: e.At}
		}
		for _, m := range s.m.handle(e, r) {
			if tail.missing(m) {
				ms = append(ms, m)
			}
		}
	}
	s.m.keepHeld(tail.missing)
	s.lastObs = s.now()
	s.known = knownSince{ok: true, containers: tail.since}
	return ms
}

// keepHeld forgets what is held but wanted no more: it was written before.
func (m *DockerMapper) keepHeld(want func(Mapped) bool) {
	kept := m.held[:0]
	for _, h := range m.held {
		var left []Mapped
		for _, x := range h.ms {
			if want(x) {
				left = append(left, x)
			}
		}
		if h.ms = left; len(left) > 0 {
			kept = append(kept, h)
		}
	}
	m.held = kept
}

// logTail is the part of the log that is read at start.
type logTail struct {
	first uint64              // seq of its first Docker record; 0: none
	since time.Time           // its time
	young time.Time           // derived records of raw records before this are all written
	have  map[derivedKind]int // derived records of the others
}

// missing tells whether a derived record is young enough that a kill may have prevented it, and not there.
func (t *logTail) missing(m Mapped) bool {
	if m.Ref == nil || m.Ref.Time.Before(t.young) {
		return false
	}
	k := derivedKind{m.Ref.Seq, m.Record.Stream, m.Record.Category, m.Record.Action}
	if t.have[k] > 0 {
		t.have[k]--
		return false
	}
	return true
}

// scanTail reads the log backward for as long as it helps.
func (s *dockerSource) scanTail() (*logTail, error) {
	t := &logTail{have: map[derivedKind]int{}}
	var docker, lines, size int
	for line, err := range s.opts.Log.Backward(0) {
		if lines++; lines > dockerRestoreLines || size > dockerRestoreBytes || docker >= dockerRestoreRecords {
			break
		}
		var damage *format.Damage
		if errors.As(err, &damage) {
			continue
		}
		if err != nil {
			return nil, err
		}
		size += len(line.Bytes)
		f := line.Fields
		if f.Engine != format.EngineDocker {
			continue
		}
		at := time.Unix(0, f.Time).UTC()
		ref := refOf(f.Data)
		switch {
		case ref != 0:
			if t.young.IsZero() || !at.Before(t.young) {
				t.have[derivedKind{ref, f.Stream, f.Category.String(), f.Action.String()}]++
			}
			continue
		case f.Stream != format.StreamEvent || !s.opts.own(f):
			continue
		}
		if docker++; docker == 1 {
			t.young = at.Add(-heldLongest)
		}
		t.first, t.since = line.Seq, at
	}
	return t, nil
}

// refOf reads data.ref, which stands first in the data of a derived record.
func refOf(data []byte) uint64 {
	rest, ok := bytes.CutPrefix(data, []byte(`{"ref":`))
	if !ok {
		return 0
	}
	i := bytes.IndexAny(rest, ",}")
	if i < 0 {
		return 0
	}
	n, _ := strconv.ParseUint(string(rest[:i]), 10, 64)
	return n
}
