package httpd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestExportsAreTakenOverByTheClock wants the worker to ask seldom, and to go on with what another process left.
func TestExportsAreTakenOverByTheClock(t *testing.T) {
	dir := t.TempDir()
	logger := slog.New(slog.DiscardHandler)
	left := &exportJob{Version: 1, ID: "0c3f4a52-6b57-4f0e-9d0a-2f8f6f7f1c11", Secret: "0c3f4a52-6b57-4f0e-9d0a-2f8f6f7f1c12",
		State: exportDone, Result: exportTimedOut, User: "a", Owner: "a", Base: "http://nas", Queued: time.Unix(0, 0), Ended: time.Unix(0, 0)}
	if err := (exportStore{dir, logger}).save(left); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		var free atomic.Bool
		x := &exporter{store: exportStore{dir, logger}, logger: logger, now: time.Now, bell: make(chan struct{}, 1), jobs: map[string]*exportJob{}}
		x.claim.ask = func() error {
			if asked.Add(1); free.Load() {
				return nil
			}
			return errors.New("locked by another")
		}
		ctx, cancel := context.WithCancel(t.Context())
		x.start(ctx)
		time.Sleep(10*claimEvery + time.Second)
		synctest.Wait()
		if asked.Load() != 10 || x.claim.held.Load() {
			t.Errorf("in %v the worker asked %d times, want 10", 10*claimEvery, asked.Load())
		}
		free.Store(true)
		time.Sleep(claimEvery)
		synctest.Wait()
		if !x.claim.held.Load() || asked.Load() != 11 {
			t.Errorf("%v after the exports are free: asked %d times, held %v; want 11, true", claimEvery, asked.Load(), x.claim.held.Load())
		}
		if rest, err := os.ReadDir(dir); err != nil || len(rest) > 0 {
			t.Errorf("%v is left (%v), want the expired job removed", rest, err)
		}
		for range 3 {
			x.mine()
		}
		cancel()
		x.stop()
		if asked.Load() != 11 {
			t.Errorf("asked %d times in all, want no more once they are held", asked.Load())
		}
	})
}
