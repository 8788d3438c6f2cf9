package agent

import (
	"slices"
	"time"
)

// Incus sends each event from its own goroutine: of 6,942 recorded frames 691 were older than one before
// them, by 18 ms at most, and five operations ended with the word Running after Failure. Sorting by the
// event's timestamp repaired every one. What people wait for are lifecycle events, so these are held only
// as long as disorder was ever seen to last; an operation's progress can wait until it is surely in order.
const (
	lifecycleHold = 20 * time.Millisecond
	operationHold = 250 * time.Millisecond
	maxHeld       = 4096 // a burst beyond this is passed on less well sorted, never dropped
	clockStep     = 10 * time.Second
)

// window puts events in the order of their timestamps. An event leaves when it is older than its hold; all
// events older than a leaving one leave before it. Owned by one goroutine.
type window struct {
	held   []*heldEvent // in order, the oldest first: what arrives belongs at the end or near it
	newest time.Time    // newest timestamp seen since the last clock step
	n      uint64       // events taken in, to keep the order of equal timestamps
}

// heldEvent is an event in the window.
type heldEvent struct {
	*incusEvent
	n     uint64
	since time.Time // when it arrived, or a tick first saw it; zero: neither is known
}

// put takes e in and returns what may leave now, judged by the events' own clock.
func (w *window) put(e *incusEvent) []*incusEvent {
	var out []*incusEvent
	if !w.newest.IsZero() && e.at.Before(w.newest.Add(-clockStep)) {
		// The daemon's clock was set back. What is held belongs before the step.
		out = w.all()
		w.newest = e.at
	}
	if e.at.After(w.newest) {
		w.newest = e.at
	}
	w.n++
	h := &heldEvent{incusEvent: e, n: w.n, since: e.obs}
	w.held = slices.Insert(w.held, w.until(e.at), h)
	if over := len(w.held) - maxHeld; over > 0 {
		out = append(out, w.take(over)...)
	}
	// None holds for less than a lifecycle event does: what is younger need not be looked at.
	old := w.until(w.newest.Add(-lifecycleHold))
	return append(out, w.due(old, func(h *heldEvent) bool { return !h.at.After(w.newest.Add(-h.hold())) })...)
}

// until is how many events have timestamps up to t.
func (w *window) until(t time.Time) int {
	n, _ := slices.BinarySearchFunc(w.held, t, func(h *heldEvent, t time.Time) int {
		if h.at.After(t) {
			return 1
		}
		return -1
	})
	return n
}

// tick returns what has been held long enough at now. An event whose timestamp is in the future, because
// the clock was stepped meanwhile, leaves one hold after the first tick that saw it.
func (w *window) tick(now time.Time) []*incusEvent {
	for _, h := range w.held {
		if h.since.IsZero() {
			h.since = now
		}
	}
	return w.due(len(w.held), func(h *heldEvent) bool {
		hold := h.hold()
		return !h.at.After(now.Add(-hold)) || now.Sub(h.since) >= hold
	})
}

// next is when a tick has something to do; zero: nothing is held.
func (w *window) next() time.Time {
	var next time.Time
	for _, h := range w.held {
		at := h.at
		if !h.since.IsZero() && h.since.Before(at) {
			at = h.since
		}
		if at = at.Add(h.hold()); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// due removes the events up to the newest of the first n that may leave, and returns them in order.
func (w *window) due(n int, leaves func(*heldEvent) bool) []*incusEvent {
	for n > 0 && !leaves(w.held[n-1]) {
		n--
	}
	return w.take(n)
}

// all empties the window.
func (w *window) all() []*incusEvent { return w.take(len(w.held)) }

// take removes the n oldest events and returns them in order.
func (w *window) take(n int) []*incusEvent {
	if n == 0 {
		return nil
	}
	out := make([]*incusEvent, n)
	for i, h := range w.held[:n] {
		out[i] = h.incusEvent
	}
	w.held = slices.Delete(w.held, 0, n)
	return out
}

// hold is how long h may have to wait for older events.
func (h *heldEvent) hold() time.Duration {
	if h.kind == "lifecycle" {
		return lifecycleHold
	}
	return operationHold
}
