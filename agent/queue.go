package agent

import (
	"context"
	"sync"
	"time"
)

// Bounds of a queue. An event is some hundred bytes, so that a disk may stall for minutes on a busy box.
const (
	queueItems = 64 << 10
	queueBytes = 16 << 20
	queueNames = 256 // containers counted one by one in an overflow
)

// item is one entry of a queue: an event as received, or work for the pump that must happen in its place.
type item struct {
	obs time.Time
	raw []byte
	do  func() []Mapped // instead of raw; never dropped
}

// overflow counts what did not fit.
type overflow struct {
	From, To time.Time
	Lost     uint64
	By       map[string]uint64 // container, or other object, to events lost; "" = all beyond queueNames
}

// queue is the bounded buffer between a socket and the disk. push never waits.
type queue struct {
	// key names the object of an event for the counts of an overflow; constant.
	key func(raw []byte) string
	// lost makes the record of an overflow; constant. Called by the pump.
	lost func(overflow) []Mapped

	maxItems, maxBytes int // constant

	bell chan struct{} // size 1: one ring is enough for any number of items

	asked   chan struct{} // no slot: the pump answers alive by receiving
	handles chan struct{} // size 1, held by the reader while it handles an event; not while it waits for the engine

	mu      sync.Mutex
	items   []item // guarded by mu, as all below
	head    int
	bytes   int
	over    overflow
	dropped uint64
}

func newQueue(key func([]byte) string, lost func(overflow) []Mapped) *queue {
	return &queue{key: key, lost: lost, maxItems: queueItems, maxBytes: queueBytes, bell: make(chan struct{}, 1),
		asked: make(chan struct{}), handles: make(chan struct{}, 1)}
}

// push adds an event and takes over raw. When the queue is full, the event is only counted.
func (q *queue) push(raw []byte, obs time.Time) {
	q.mu.Lock()
	if len(q.items)-q.head >= q.maxItems || q.bytes+len(raw) > q.maxBytes {
		q.drop(raw, obs)
	} else {
		q.closeOverflow()
		q.items = append(q.items, item{obs: obs, raw: raw})
		q.bytes += len(raw)
	}
	q.mu.Unlock()
	q.ring()
}

// pushWork adds work for the pump in the order of events. It always fits: sources add a handful per connection.
func (q *queue) pushWork(do func() []Mapped) {
	q.mu.Lock()
	q.closeOverflow()
	q.items = append(q.items, item{do: do})
	q.mu.Unlock()
	q.ring()
}

// drop counts an event that did not fit. Called with mu held.
func (q *queue) drop(raw []byte, obs time.Time) {
	q.dropped++
	o := &q.over
	if o.Lost == 0 {
		o.From, o.By = obs, map[string]uint64{}
	}
	o.Lost++
	o.To = obs
	name := q.key(raw)
	if _, ok := o.By[name]; !ok && len(o.By) >= queueNames {
		name = ""
	}
	o.By[name]++
}

// closeOverflow puts the record of an overflow where the lost events would have stood. Called with mu held.
func (q *queue) closeOverflow() {
	if q.over.Lost == 0 {
		return
	}
	o := q.over
	q.over = overflow{}
	q.items = append(q.items, item{do: func() []Mapped { return q.lost(o) }})
}

func (q *queue) ring() {
	select {
	case q.bell <- struct{}{}:
	default:
	}
}

// take returns the oldest item, if there is one.
func (q *queue) take() (item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.items) {
		q.closeOverflow()
	}
	if q.head == len(q.items) {
		return item{}, false
	}
	it := q.items[q.head]
	q.items[q.head] = item{}
	q.head++
	q.bytes -= len(it.raw)
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
		if cap(q.items) > 4096 { // give a storm's memory back
			q.items = nil
		}
	case q.head > queueItems/4:
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	return it, true
}

// wait returns when an item may be there, at until (zero: never), or when ctx ends.
func (q *queue) wait(ctx context.Context, now, until time.Time) {
	var timer <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(max(until.Sub(now), time.Millisecond))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-q.bell:
	case <-timer:
	case <-q.asked:
	case <-ctx.Done():
	}
}

func (q *queue) depth() (items, bytes int, dropped uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) - q.head, q.bytes, q.dropped
}

// oldest is when the event came that waits longest; zero: none waits.
func (q *queue) oldest() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items[q.head:] {
		if !it.obs.IsZero() {
			return it.obs
		}
	}
	return time.Time{}
}
