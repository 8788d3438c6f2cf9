package agent

import (
	"slices"
	"time"
)

type heldKind int

const (
	heldStart   heldKind = iota // a restart may take it in
	heldStop                    // a restart may take it in
	heldKill                    // a stop, restart or destroy may explain it
	heldExit                    // a stop or a late kill may explain it
	heldConnect                 // a start may explain it
	heldUntag                   // a delete may take it in
)

// How long lines wait for the event that makes them another line (engines measured: stop to connect 8-60 ms,
// connect to start 0.3-0.9 s, start to restart 0 ms, die to stop 0.1-0.2 s, untag to delete 10-50 ms).
const (
	startWaits   = 250 * time.Millisecond
	stopWaits    = 2 * time.Second
	connectWaits = 15 * time.Second // also a stop once the connect of its restart was seen
	killWaits    = 30 * time.Second // for the die; docker stop sends 15, waits 10 s, sends 9
	killedWaits  = 2 * time.Second  // for the stop after the die
	exitWaits    = 500 * time.Millisecond
	untagWaits   = 500 * time.Millisecond

	// heldLongest is longer than any line is held: what a kill of shiplog left unwritten was younger.
	heldLongest = killWaits + stopWaits + 5*time.Second
)

// heldLine is a human line that is not yet certain.
type heldLine struct {
	due  time.Time
	kind heldKind
	of   string // container or image
	ref  string // of an untag: the name it took away
	ms   []Mapped
}

// hold keeps ms until due, in the order of due, then of arrival.
func (m *DockerMapper) hold(h *heldLine) {
	i, _ := slices.BinarySearchFunc(m.held, h.due, func(x *heldLine, t time.Time) int {
		if x.due.After(t) {
			return 1
		}
		return -1
	})
	m.held = slices.Insert(m.held, i, h)
}

// release returns the lines that were due before now.
func (m *DockerMapper) release(now time.Time) []Mapped {
	var ms []Mapped
	for len(m.held) > 0 && !m.held[0].due.After(now) {
		ms = append(ms, m.held[0].ms...)
		m.held = m.held[1:]
	}
	return ms
}

// releaseOf returns what is held for one container, in the order it happened, so that the line of a later
// event does not overtake it.
func (m *DockerMapper) releaseOf(id string, kinds ...heldKind) []Mapped {
	var out []*heldLine
	m.held = slices.DeleteFunc(m.held, func(h *heldLine) bool {
		hit := h.of == id && (len(kinds) == 0 || slices.Contains(kinds, h.kind))
		if hit {
			out = append(out, h)
		}
		return hit
	})
	slices.SortStableFunc(out, func(a, b *heldLine) int { return a.at().Compare(b.at()) })
	var ms []Mapped
	for _, h := range out {
		ms = append(ms, h.ms...)
	}
	return ms
}

// drop forgets lines that another event has explained and tells how many there were.
func (m *DockerMapper) drop(id string, kinds ...heldKind) int {
	n := len(m.held)
	m.held = slices.DeleteFunc(m.held, func(h *heldLine) bool {
		return h.of == id && slices.Contains(kinds, h.kind)
	})
	return n - len(m.held)
}

// postpone changes how long lines wait.
func (m *DockerMapper) postpone(id string, kind heldKind, due time.Time) {
	var moved []*heldLine
	m.held = slices.DeleteFunc(m.held, func(h *heldLine) bool {
		hit := h.of == id && h.kind == kind
		if hit {
			h.due = due
			moved = append(moved, h)
		}
		return hit
	})
	for _, h := range moved {
		m.hold(h)
	}
}

func (m *DockerMapper) holds(id string, kind heldKind) bool {
	return slices.ContainsFunc(m.held, func(h *heldLine) bool { return h.of == id && h.kind == kind })
}

func (h *heldLine) at() time.Time { return h.ms[0].Record.Time }
