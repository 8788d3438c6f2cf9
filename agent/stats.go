package agent

import (
	"maps"
	"sync"
	"time"

	"shiplog/format"
)

// Stats is a snapshot of all sources.
type Stats struct {
	Sources []SourceStats
}

// SourceStats counts since start.
type SourceStats struct {
	Engine      format.Engine
	Version     string // of the engine, as it said when it was connected last; "": it did not say
	Connected   bool
	Since       time.Time         // when Connected changed last; zero: it was never connected
	Events      uint64            // received, duplicates of a replay not counted
	Kinds       map[Kind]uint64   // the same by what they are; the number of kinds is bounded
	Duplicates  uint64            // received again in a replay and not stored
	Filtered    uint64            // executions of health checks, not stored
	Undecodable uint64            // stored as raw text
	Synthesized uint64            // made by comparing state, never counted as events
	Reconnects  uint64            // connections after the first
	Gaps        map[string]uint64 // by reason
	Dropped     uint64            // did not fit into the queue
	WriteErrors uint64
	Queue       int // events waiting for the disk
	QueueBytes  int
	QueueSince  time.Time // when the event came that waits longest for the disk; zero: none waits
	LastEvent   time.Time // the engine's time of the newest event; zero: none yet
}

// meter is the counting side of SourceStats.
type meter struct {
	changed func() // constant; nil: nobody is told

	mu   sync.Mutex
	s    SourceStats // guarded by mu
	ever bool        // guarded by mu; it was connected once
}

func (m *meter) update(f func(*SourceStats)) {
	m.mu.Lock()
	before := m.s.Connected
	f(&m.s)
	after := m.s.Connected
	if before != after {
		m.s.Since = time.Now()
	}
	m.ever = m.ever || after
	m.mu.Unlock()
	if before != after {
		m.tell()
	}
}

func (m *meter) tell() {
	if m.changed != nil {
		m.changed()
	}
}

func (m *meter) everConnected() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ever
}

func (m *meter) writeError() { m.update(func(s *SourceStats) { s.WriteErrors++ }) }

func (m *meter) gap(reason string) {
	m.update(func(s *SourceStats) {
		if s.Gaps == nil {
			s.Gaps = map[string]uint64{}
		}
		s.Gaps[reason]++
	})
	m.tell()
}

func (m *meter) event(at time.Time, k Kind) {
	m.update(func(s *SourceStats) {
		s.Events++
		if s.Kinds == nil {
			s.Kinds = map[Kind]uint64{}
		}
		s.Kinds[k.bounded()]++
		if at.After(s.LastEvent) {
			s.LastEvent = at
		}
	})
}

func (m *meter) stats(q *queue) SourceStats {
	m.mu.Lock()
	s := m.s
	s.Gaps = maps.Clone(m.s.Gaps)
	s.Kinds = maps.Clone(m.s.Kinds)
	m.mu.Unlock()
	s.Queue, s.QueueBytes, s.Dropped = q.depth()
	s.QueueSince = q.oldest()
	return s
}
