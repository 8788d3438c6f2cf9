package prune_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format/prune"
)

// TestRun drives a pruner as a service does: it hears of sealed segments and of another policy, tries again what
// failed, later and later, and looks at the disk each minute.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var free atomic.Uint64
		free.Store(100 << 20)
		var broken atomic.Bool
		o := prune.Options{Uptime: func() time.Duration { return time.Since(begun) }}.Steps(func(step string) error {
			if step == "unlink" && broken.Load() {
				return errors.New("broken")
			}
			return nil
		}).Disk(&free, 1000<<20)
		b := openBox(t, t.TempDir(), o)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := b.p.Run(ctx); err != nil {
				t.Errorf("Run() = %v", err)
			}
		})
		left := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if n := len(b.segments()); n != want {
				t.Fatalf("%s: %d segments are left, want %d", when, n, want)
			}
		}
		b.fill(8, false)
		time.Sleep(48 * time.Hour)
		left("without a rule", 9)

		b.p.SetPolicy(prune.Policy{Bytes: 1}) // the active one and a sealed one stay
		left("with a rule of bytes", 2)
		b.fill(3, false)
		left("after more were sealed", 2)

		broken.Store(true)
		b.fill(1, false)
		left("while it fails", 3)
		time.Sleep(time.Minute)
		if n := b.p.Stats().Failures; n != 1 {
			t.Errorf("%d failures within a minute, want 1", n)
		}
		time.Sleep(time.Hour)
		if n := b.p.Stats().Failures; n < 3 || n > 6 {
			t.Errorf("%d failures within an hour, want a few", n)
		}
		broken.Store(false)
		time.Sleep(2 * time.Hour)
		left("when it works again", 2)

		b.p.SetPolicy(prune.Policy{Free: prune.Space{Percent: 5}})
		b.fill(9, false)
		time.Sleep(time.Hour)
		left("with enough of the disk free", 11)
		free.Store(1 << 20) // others filled it, and what is removed does not help
		time.Sleep(time.Minute)
		left("within a minute of a full disk: a quarter", 9)
		time.Sleep(50 * time.Minute)
		left("within the hour", 9)
		time.Sleep(time.Hour)
		left("within two hours", 7)
		cancel()
		running.Wait()
		b.close()
	})
}
