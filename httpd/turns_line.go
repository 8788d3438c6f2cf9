package httpd

import (
	"context"
	"slices"
	"sync"
	"time"
)

// turns let a few requests at a time do what is heavy. What is cheap never waits for them.
//
// A turn that lasts long is passed on while others wait, see pause. Then who has had little so far comes before who
// has had much: a short search waits for a slice of a long one, not for its end. Of those alike the first that came
// is first, so that of many long ones each ends as early as it can. Every fourth turn goes to the one that came first,
// whatever it has had: nobody waits for ever. With fifo set turns go in the order of waiting.
type turns struct {
	max, queue int
	fifo       bool
	patience   time.Duration // for the first turn
	busy       string        // what is said to who comes when the queue is full, or waited too long

	mu      sync.Mutex
	running int     // guarded by mu, as all below; turns given out
	fresh   int     // those in line that never had a turn
	line    []*turn // who waits, in the order of waiting
	given   int     // turns ever passed on to somebody in line
	came    int     // requests ever
}

const (
	turnSlice   = 4 * time.Millisecond // a turn lasts so long when others wait
	turnShort   = 5 * turnSlice        // up to here a search is short
	turnMiddle  = 50 * turnSlice       // and up to here it is not long
	turnInOrder = 4                    // one turn of so many goes to who came first
	turnsBegun  = 32                   // so many may wait that have begun: each has the lines of a block in memory
)

// turn is one request's. nil is that of a request that needs none.
type turn struct {
	of   *turns
	came int // constant

	ready chan struct{} // one slot: its turn came
	have  bool          // guarded by of.mu, as all below
	fresh bool          // it never had a turn
	since time.Time     // of the turn it has
	used  time.Duration // in earlier turns
}

// newTurns lets n at a time have a turn, and so many wait for their first one.
func newTurns(n, queue int, patience time.Duration, busy string) *turns {
	return &turns{max: n, queue: queue, patience: patience, busy: busy}
}

// join takes a turn for one request more, or a place in line; nil when there is none left.
func (t *turns) join() *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.came++
	one := &turn{of: t, came: t.came, ready: make(chan struct{}, 1), fresh: true}
	if !t.wait(one) && t.fresh > t.queue {
		t.leave(one)
		return nil
	}
	return one
}

// wait puts one in line and passes turns on; true when it has its turn. mu is held.
func (t *turns) wait(one *turn) bool {
	if one.fresh {
		t.fresh++
	}
	t.line = append(t.line, one)
	t.pass()
	return one.have
}

// leave takes one, which is in line, out of it. mu is held.
func (t *turns) leave(one *turn) {
	i := slices.Index(t.line, one)
	t.line = slices.Delete(t.line, i, i+1)
	if one.fresh {
		t.fresh--
	}
}

// pass gives free turns to who is next. mu is held.
func (t *turns) pass() {
	for t.running < t.max && len(t.line) > 0 {
		t.given++
		one := t.next()
		t.leave(one)
		t.running++
		one.have, one.fresh, one.since = true, false, time.Now()
		one.ready <- struct{}{}
	}
}

// next is who in line gets the next turn. mu is held.
func (t *turns) next() *turn {
	if t.fifo {
		return t.line[0]
	}
	full := len(t.line)-t.fresh >= turnsBegun
	return slices.MinFunc(t.line, func(a, b *turn) int {
		switch {
		case full && a.fresh != b.fresh && a.fresh:
			return 1
		case full && a.fresh != b.fresh:
			return -1
		case t.given%turnInOrder == 0:
			return a.came - b.came
		}
		return compareTurns(a, b)
	})
}

// compareTurns orders those who wait.
func compareTurns(a, b *turn) int {
	if c := a.class() - b.class(); c != 0 {
		return c
	}
	return a.came - b.came
}

// class is how much a request has had.
func (t *turn) class() int {
	switch {
	case t.used < turnShort:
		return 0
	case t.used < turnMiddle:
		return 1
	}
	return 2
}

// free takes the turn back from one. mu is held.
func (t *turns) free(one *turn) {
	if one.have {
		one.have = false
		one.used += time.Since(one.since)
		t.running--
	}
}

// end gives the turn back.
func (t *turn) end() {
	if t == nil {
		return
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.of.free(t)
	t.of.pass()
}

// again takes the turn once more after end. It waits as long as ctx lasts: what was begun is not refused.
func (t *turn) again(ctx context.Context) error {
	if t == nil {
		return nil
	}
	t.of.mu.Lock()
	if !t.have {
		t.of.wait(t)
		t.of.mu.Unlock()
		return t.await(ctx.Done(), nil, ctx.Err)
	}
	t.of.mu.Unlock()
	return nil
}

// pause passes the turn on when it has lasted a slice and others wait, and waits for the next one. It is what an
// [index.Query] calls while it searches.
func (t *turn) pause(ctx context.Context) error {
	t.of.mu.Lock()
	if !t.have || len(t.of.line) == 0 || time.Since(t.since) < turnSlice {
		t.of.mu.Unlock()
		return nil
	}
	t.of.free(t)
	t.of.wait(t)
	t.of.mu.Unlock()
	return t.await(ctx.Done(), nil, ctx.Err)
}

// await waits for the turn of who is in line. It ends with done or when patience does; then why tells the error.
func (t *turn) await(done <-chan struct{}, patience <-chan time.Time, why func() error) error {
	select {
	case <-t.ready:
		return nil
	case <-patience:
	case <-done:
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if !t.have {
		t.of.leave(t)
		return why()
	}
	<-t.ready // it came just now
	t.of.free(t)
	t.of.pass()
	return why()
}
