package seal

import (
	"context"
	"fmt"
	"time"
)

// Alive returns nil when [Keeper.Run] has answered, or when what it is doing moved on before ctx ended: sealing a log
// that was never sealed takes hours. Else it returns an error that says that it did not. It touches no disk.
func (k *Keeper) Alive(ctx context.Context) error {
	before := k.moves.Load()
	busy := time.NewTicker(250 * time.Millisecond) // it rests at nearly all times, and this never rings
	defer busy.Stop()
	for {
		select {
		case k.asked <- struct{}{}:
			return nil
		case <-busy.C:
		case <-ctx.Done():
			return fmt.Errorf("what seals the log does not answer: %w", ctx.Err())
		}
		if k.moves.Load() != before {
			return nil
		}
	}
}

// Stats is what a keeper tells of itself.
type Stats struct {
	Failing bool // the last attempt to seal or to sign failed; it is tried again
}

// Stats returns what Run has seen so far. It does not wait for Run.
func (k *Keeper) Stats() Stats { return Stats{Failing: k.failing.Load()} }

// step is before each step that changes a file.
func (k *Keeper) step(what string) error {
	k.moves.Add(1)
	return k.o.step(what)
}
