package seal

import (
	"context"
	"testing"
	"time"

	"shiplog/format"
)

// TestVerifyBesideABusyKeeper verifies a log in which there is nearly always a segment that is full and has no seal yet,
// then one whose keeper has ended.
func TestVerifyBesideABusyKeeper(t *testing.T) {
	var o Options
	o.step = func(step string) error {
		if step == "write seals" {
			time.Sleep(120 * time.Millisecond) // so that the next segment is full before
		}
		return nil
	}
	b := openBox(t, t.TempDir(), o)
	ctx, cancel := context.WithCancel(t.Context())
	sealing, writing := make(chan error, 1), make(chan error, 1)
	go func() { sealing <- b.k.Run(ctx) }()
	fill := func() error {
		err := b.w.Append(t.Context(), &format.Record{Stream: format.StreamLog, Category: "system", Msg: "a record"})
		if err == nil {
			_, err = b.w.Seal()
		}
		return err
	}
	go func() {
		var err error
		for err == nil && ctx.Err() == nil {
			err = fill()
			time.Sleep(100 * time.Millisecond)
		}
		writing <- err
	}()
	time.Sleep(500 * time.Millisecond)
	pending := false
	for range 3 {
		r, err := Verify(t.Context(), b.dir, VerifyOptions{})
		if err != nil || r.Result != ResultOK {
			t.Errorf("Verify beside a keeper = %+v, %v, want ok", r, err)
		}
		pending = pending || len(r.Findings) > 0
	}
	if !pending {
		t.Log("there was never a segment without a seal")
	}
	cancel()
	must(t, <-writing)
	must(t, <-sealing)
	for range 2 {
		must(t, fill())
	}
	r, err := Verify(t.Context(), b.dir, VerifyOptions{})
	if err != nil || r.Result != ResultUnknown {
		t.Errorf("Verify after the keeper has ended = %+v, %v, want that it cannot be judged", r, err)
	}
	b.kill()
}
