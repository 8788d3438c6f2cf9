package agent

import (
	"container/heap"
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
	held   heldEvents
	newest time.Time // newest timestamp seen since the last clock step
	n      uint64    // events taken in, to keep the order of equal timestamps
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
	heap.Push(&w.held, &heldEvent{incusEvent: e, n: w.n, since: e.obs})
	for len(w.held) > maxHeld {
		out = append(out, w.pop())
	}
	return append(out, w.due(func(h *heldEvent) bool { return !h.at.After(w.newest.Add(-h.hold())) })...)
}

// tick returns what has been held long enough at now. An event whose timestamp is in the future, because
// the clock was stepped meanwhile, leaves one hold after the first tick that saw it.
func (w *window) tick(now time.Time) []*incusEvent {
	for _, h := range w.held {
		if h.since.IsZero() {
			h.since = now
		}
	}
	return w.due(func(h *heldEvent) bool {
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

// due removes the events up to the newest one that may leave, and returns them in order.
func (w *window) due(leaves func(*heldEvent) bool) []*incusEvent {
	var last *heldEvent
	for _, h := range w.held {
		if leaves(h) && (last == nil || last.before(h)) {
			last = h
		}
	}
	if last == nil {
		return nil
	}
	var out []*incusEvent
	for len(w.held) > 0 && !last.before(w.held[0]) {
		out = append(out, w.pop())
	}
	return out
}

// all empties the window.
func (w *window) all() []*incusEvent {
	out := make([]*incusEvent, 0, len(w.held))
	for len(w.held) > 0 {
		out = append(out, w.pop())
	}
	return out
}

func (w *window) pop() *incusEvent { return heap.Pop(&w.held).(*heldEvent).incusEvent }

// hold is how long h may have to wait for older events.
func (h *heldEvent) hold() time.Duration {
	if h.kind == "lifecycle" {
		return lifecycleHold
	}
	return operationHold
}

// before orders by timestamp, then by arrival.
func (h *heldEvent) before(o *heldEvent) bool {
	if !h.at.Equal(o.at) {
		return h.at.Before(o.at)
	}
	return h.n < o.n
}

// heldEvents is a heap, the oldest first.
type heldEvents []*heldEvent

func (h heldEvents) Len() int           { return len(h) }
func (h heldEvents) Less(i, j int) bool { return h[i].before(h[j]) }
func (h heldEvents) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heldEvents) Push(x any)        { *h = append(*h, x.(*heldEvent)) }
func (h *heldEvents) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
