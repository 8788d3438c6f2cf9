package torturetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// entry is one acknowledged record.
type entry struct {
	seq  uint64
	text string
}

// ledger is what was acknowledged to the clients, over all rounds.
type ledger struct {
	holes bool // whether numbers may be missing: those of a write that failed in its middle are never given again

	mu     sync.Mutex
	open   bool     // guarded by mu as all below; what comes while it is closed does not count
	acked  []entry  //
	last   uint64   // largest number acknowledged
	clears []uint64 // for each DELETE: what last was before it was sent
	made   int      // texts that were made up: none is sent twice
	fresh  int      // acknowledged since begin
}

// begin lets acknowledgements count.
func (l *ledger) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open, l.fresh = true, 0
}

// end lets none count any more. An answer that comes while the power is cut proves nothing.
func (l *ledger) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = false
}

// counts tells whether acknowledgements count.
func (l *ledger) counts() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// text returns one that was never sent.
func (l *ledger) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	return fmt.Sprintf("torture %d.", l.made)
}

func (l *ledger) ack(seq uint64, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open {
		return
	}
	l.acked = append(l.acked, entry{seq, text})
	l.last = max(l.last, seq)
	l.fresh++
}

// newest returns the largest number acknowledged so far.
func (l *ledger) newest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// cleared notes a DELETE, before which the record with the number after was acknowledged.
func (l *ledger) cleared(after uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		l.clears = append(l.clears, after)
	}
}

// count returns how many records and clears were acknowledged since begin, and clears in all.
func (l *ledger) count() (fresh, clears int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fresh, len(l.clears)
}

// check holds the files against the ledger, and forgets what was removed by rule since. all are the records of the
// files in their order.
func (l *ledger) check(t *testing.T, all []record) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(all) == 0 {
		t.Fatal("the log is empty")
	}
	first := all[0].Seq
	at := map[string]uint64{}
	for i, r := range all {
		if want := first + uint64(i); r.Seq != want && !l.holes {
			t.Fatalf("record %d stands where %d is expected", r.Seq, want)
		}
		if i > 0 && r.Seq <= all[i-1].Seq {
			t.Fatalf("record %d stands after %d", r.Seq, all[i-1].Seq)
		}
		if text := r.text(); text != "" {
			if at[text] != 0 {
				t.Fatalf("%q is there twice, as %d and %d", text, at[text], r.Seq)
			}
			at[text] = r.Seq
		}
	}
	lost, example := 0, entry{}
	l.acked = slices.DeleteFunc(l.acked, func(e entry) bool { return e.seq < first })
	for _, e := range l.acked {
		if at[e.text] != e.seq {
			lost, example = lost+1, e
		}
	}
	if lost > 0 {
		t.Fatalf("%d of %d acknowledged records are not there under their numbers; %q was acknowledged as %d and is %d (0: nowhere); the log has %d to %d",
			lost, len(l.acked), example.text, example.seq, at[example.text], first, all[len(all)-1].Seq)
	}
	l.checkClears(t, all)
}

// checkClears wants enough records of a DELETE after each moment at which one was sent.
func (l *ledger) checkClears(t *testing.T, all []record) {
	t.Helper()
	l.clears = slices.DeleteFunc(l.clears, func(after uint64) bool { return after < all[0].Seq })
	for i, after := range l.clears {
		found := 0
		for _, r := range all {
			if r.Action == "log.clear" && r.Seq > after {
				found++
			}
		}
		if want := len(l.clears) - i; found < want {
			t.Fatalf("%d clears were acknowledged after record %d and %d are there", want, after, found)
		}
	}
}
