package prune_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format"
	"shiplog/format/prune"
)

// TestFreeSpaceIsLookedAtWhenItHasSettled removes one segment, which is enough; until a file system can show that,
// nothing more goes, whatever the rule is written like.
func TestFreeSpaceIsLookedAtWhenItHasSettled(t *testing.T) {
	for name, space := range map[string]prune.Space{"bytes": {Bytes: 50 << 20}, "a part": {Percent: 5}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				var free atomic.Uint64
				free.Store(50<<20 - 1)
				o := prune.Options{Policy: prune.Policy{Free: space}, Uptime: func() time.Duration { return time.Since(begun) }}
				b := openBox(t, t.TempDir(), o.Disk(&free, 1000<<20))
				b.fill(20, false)
				for i, want := range []int{20, 20, 20} {
					time.Sleep(10 * time.Second)
					if _, err := b.p.Once(t); err != nil || len(b.segments()) != want {
						t.Errorf("round %d: %d segments are left, %v, want %d", i+1, len(b.segments()), err, want)
					}
				}
				b.close()
			})
		})
	}
}

// TestTheBoundOutlivesARestart restarts again and again on a full disk: no more goes within an hour than in one
// process.
func TestTheBoundOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var free atomic.Uint64
		o := prune.Options{Policy: prune.Policy{Free: prune.Space{Percent: 5}}, Uptime: func() time.Duration { return time.Since(begun) }}
		o = o.Disk(&free, 1000<<20)
		b := openBox(t, dir, o)
		b.fill(40, false)
		for range 5 {
			if err := b.p.Begin(t); err != nil {
				t.Fatal(err)
			}
			if _, err := b.p.Once(t); err != nil {
				t.Fatal(err)
			}
			if n := len(b.segments()); n != 31 {
				t.Fatalf("%d segments are left within an hour, want 31", n)
			}
			if s := b.p.Stats(); !s.Short {
				t.Errorf("Stats() on a full disk = %+v, want that it is short", s)
			}
			time.Sleep(5 * time.Minute)
			b.close()
			b = openBox(t, dir, o)
		}
		time.Sleep(36 * time.Minute)
		if err := b.p.Begin(t); err != nil {
			t.Fatal(err)
		}
		if _, err := b.p.Once(t); err != nil || len(b.segments()) >= 31 {
			t.Errorf("%d segments are left after an hour, %v, want another quarter removed", len(b.segments()), err)
		}
		free.Store(500 << 20)
		time.Sleep(time.Minute)
		if _, err := b.p.Once(t); err != nil || b.p.Stats().Short {
			t.Errorf("Stats() with room = %+v, %v, want that it is not short", b.p.Stats(), err)
		}
		b.close()
	})
}

// TestWhatCouldNotBeResumedIsTriedAgain lets the end of an earlier removal fail at first.
func TestWhatCouldNotBeResumedIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		o := prune.Options{Uptime: func() time.Duration { return time.Since(begun) }}
		broken := atomic.Bool{}
		broken.Store(true)
		o = o.Steps(func(step string) error {
			if broken.Load() && (step == "unlink" || step == "done") {
				return errors.New("broken")
			}
			return nil
		})
		b := openBox(t, dir, o)
		b.fill(10, false)
		if _, err := b.p.Prune(t.Context(), prune.Policy{Bytes: 3000}, ""); err == nil {
			t.Fatal("Prune() did not fail")
		}
		b.close()
		b = openBox(t, dir, o) // without a rule of its own
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := b.p.Run(ctx); err != nil {
				t.Errorf("Run() = %v", err)
			}
		})
		time.Sleep(10 * time.Second)
		if s := b.p.Stats(); !s.Failing || s.Bytes > 0 || len(b.segments()) != 11 {
			t.Errorf("while it fails Stats() = %+v with %d segments, want that it fails and nothing removed", s, len(b.segments()))
		}
		broken.Store(false)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if s := b.p.Stats(); s.Failing || len(b.segments()) == 11 {
			t.Errorf("later Stats() = %+v with %d segments, want the removal ended", s, len(b.segments()))
		}
		cancel()
		running.Wait()
		b.close()
		_, _, removals := b.check("after it was resumed")
		if n := len(removals); n != 2 || removals[1] != format.ActionRetentionDone {
			t.Errorf("the log tells %q, want a start and an end", removals)
		}
	})
}
