package format_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format"
)

// TestCloseUnderAWaitingWrite holds that a Write which waits for a sync, because its segment is full, does not
// begin a segment after Close has given the directory free.
func TestCloseUnderAWaitingWrite(t *testing.T) {
	for range 20 { // which of the two goes on first is not told
		synctest.Test(t, func(t *testing.T) {
			f := &format.Faults{SyncTakes: 3 * time.Second}
			w := open(t, t.TempDir(), f.Options(format.Options{SegmentBytes: 200}))
			ran := make(chan error)
			go func() { ran <- w.Run(context.WithoutCancel(t.Context())) }()
			if err := w.Write(record("first")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second) // Run is in its sync now
			shut := make(chan error)
			go func() { shut <- w.Close() }()
			synctest.Wait()
			written := make(chan error)
			go func() { written <- w.Write(record("second")) }()
			err := <-shut
			if err != nil {
				t.Fatal(err)
			}
			before, stored := f.Total(), <-written
			if stored != nil && !errors.Is(stored, os.ErrClosed) {
				t.Errorf("Write = %v, want os.ErrClosed", stored)
			}
			if n := f.Total() - before; n != 0 {
				t.Errorf("%d operations after Close, want none", n)
			}
			if err := <-ran; err != nil {
				t.Errorf("Run = %v, want nil once the writer is closed", err)
			}
		})
	}
}

// TestCancelledAppendLeavesTheQueue holds that a record whose caller gave up while another one's sync went on is
// not stored later, and that the error says so.
func TestCancelledAppendLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := &format.Faults{SyncTakes: time.Hour}
		w := open(t, dir, f.Options(format.Options{}))
		first := make(chan error)
		go func() { first <- w.Append(context.WithoutCancel(t.Context()), record("first")) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := record("given up")
		err := w.Append(ctx, r)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not stored") || r.Seq != 0 {
			t.Errorf("Append = seq %d, %v, want the deadline and not stored", r.Seq, err)
		}
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		mustAppend(t, w, "next")
		closed(t, w)
		if msgs, _ := messages(t, dir); len(msgs) != 2 || msgs[1] != "next" {
			t.Errorf("log = %q, want first and next", msgs)
		}
	})
}
