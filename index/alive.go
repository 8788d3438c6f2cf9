package index

import (
	"context"
	"fmt"
	"time"
)

// buildLimit is how long the index of one segment may be built before Run counts as stuck: a niced build takes
// minutes when others keep a small box busy.
const buildLimit = 10 * time.Minute

// Alive returns nil when [Index.Run] has answered, else, at the end of ctx, an error that says that it did not.
// It touches no disk. Building takes place while Run answers, for as long as a build may take.
func (x *Index) Alive(ctx context.Context) error {
	select {
	case x.asked <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("what keeps the index does not answer: %w", ctx.Err())
	}
}

// rests waits for the bell or a kick and answers Alive; false when ctx ends before.
func (x *Index) rests(ctx context.Context, rung <-chan struct{}) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-x.asked:
		case <-rung:
			return true
		case <-x.kick:
			return true
		}
	}
}

// pause waits for d and answers Alive; false when ctx ends before.
func (x *Index) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-x.asked:
		case <-t.C:
			return true
		}
	}
}

// attend calls do, waits for its end and answers Alive meanwhile, for buildLimit at most.
func (x *Index) attend(do func() error) error {
	done := make(chan error, 1) // size 1: do may end before anybody waits
	go func() { done <- do() }()
	limit := time.NewTimer(buildLimit)
	defer limit.Stop()
	asked := x.asked
	for {
		select {
		case err := <-done:
			return err
		case <-asked:
		case <-limit.C:
			asked = nil
		}
	}
}
