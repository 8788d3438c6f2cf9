package boottest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

const data = "/var/lib/shiplog"

// load is clients that write as fast as they are answered and remember what was acknowledged. Each text is
// sent once only: what was sent and not acknowledged may be in the log or not.
type load struct {
	done chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	acked []string // guarded by mu
	made  int      // guarded by mu
}

// ledger is what was acknowledged to all loads of a test run; it numbers them, so that no text comes twice.
type ledger struct {
	c     *client
	loads int
	acked []string // of the loads that have ended
}

// start lets two clients write to the journal API and two to the agent's socket.
func (l *ledger) start() *load {
	l.loads++
	w := &load{done: make(chan struct{})}
	number := l.loads
	next := func() (string, bool) {
		select {
		case <-w.done:
			return "", false
		default:
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.made++
		return fmt.Sprintf("load %d record %d", number, w.made), true
	}
	for range 2 {
		w.wg.Go(func() { w.post(l.c, next) })
		w.wg.Go(func() { w.send(l.c.g, next) })
	}
	return w
}

func (w *load) ack(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked = append(w.acked, text)
}

func (w *load) post(c *client, next func() (string, bool)) {
	for {
		text, more := next()
		switch {
		case !more:
			return
		case c.post(text):
			w.ack(text)
		default:
			w.pause()
		}
	}
}

func (w *load) send(g *guest, next func() (string, bool)) {
	for {
		if err := g.sendRecords(data+"/agent.sock", next, w.ack); err == nil {
			return
		}
		w.pause()
	}
}

// pause lets a server that is gone come back.
func (w *load) pause() {
	select {
	case <-w.done:
	case <-time.After(20 * time.Millisecond):
	}
}

func (w *load) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// await waits until n more records were acknowledged.
func (w *load) await(t testing.TB, n int) {
	t.Helper()
	n += w.count()
	eventually(t, "the clients are not answered", func() bool { return w.count() >= n })
}

// end stops the clients; what was acknowledged to them goes into the ledger.
func (l *ledger) end(w *load) {
	close(w.done)
	w.wg.Wait()
	l.acked = append(l.acked, w.acked...)
}

// check wants each acknowledged record in the files, once, the numbers without a hole, and the API to know them.
func (l *ledger) check(t testing.TB) {
	t.Helper()
	if len(l.acked) == 0 {
		t.Fatal("nothing was acknowledged, so nothing is shown")
	}
	seen := map[string]int{}
	for i, r := range l.c.g.records(t, data) {
		seen[r.Msg]++
		if r.Seq != uint64(i+1) {
			t.Fatalf("record %d has the number %d", i+1, r.Seq)
		}
	}
	lost := slices.DeleteFunc(slices.Clone(l.acked), func(text string) bool { return seen[text] == 1 })
	if len(lost) > 0 {
		t.Fatalf("%d of %d acknowledged records are not there exactly once, the first is %q (%d times)", len(lost), len(l.acked), lost[0], seen[lost[0]])
	}
	t.Logf("%d acknowledged records, all there once", len(l.acked))
}
