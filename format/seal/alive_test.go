package seal

import (
	"context"
	"testing"
	"time"
)

// TestAlive asks a keeper while it rests, while it is held up, and while it is slow but moves on.
func TestAlive(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{})
	b.write(3)
	ctx, cancel := context.WithCancel(t.Context())
	b.k.mu.Lock() // as a disk would that does not answer
	ended := make(chan error)
	go func() { ended <- b.k.Run(ctx) }()
	ask := func(patience time.Duration) error {
		own, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return b.k.Alive(own)
	}
	if err := ask(50 * time.Millisecond); err == nil {
		t.Error("Alive() = nil while it is held up, want an error")
	}
	moving := make(chan struct{})
	go func() {
		for {
			select {
			case <-moving:
				return
			case <-time.After(time.Millisecond):
				_ = b.k.step("something")
			}
		}
	}()
	if err := ask(time.Minute); err != nil {
		t.Errorf("Alive() = %v while it moves on, want nil", err)
	}
	close(moving)
	b.k.mu.Unlock()
	for range 3 {
		if err := ask(time.Minute); err != nil {
			t.Errorf("Alive() = %v while it rests, want nil", err)
		}
	}
	cancel()
	must(t, <-ended)
	b.close()
}

// TestReadingIsMovingOn holds that a long segment which is hashed counts as work that moves on.
func TestReadingIsMovingOn(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{})
	b.write(3000)
	before := b.k.moves.Load()
	must(t, b.k.CatchUp(t.Context()))
	if n := b.k.moves.Load() - before; n < 10 {
		t.Errorf("%d moves while 3,000 records were hashed, want one for each block that was read", n)
	}
	b.close()
}
