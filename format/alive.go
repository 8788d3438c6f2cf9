package format

import (
	"context"
	"fmt"
)

// Alive returns nil when [Writer.Run] and what commits for [Writer.Append] have both answered, else, at the end
// of ctx, an error that says which did not. A disk that is full or read-only does not keep them from answering;
// a write or a sync that does not return does. It writes nothing and touches no disk.
func (w *Writer) Alive(ctx context.Context) error {
	select {
	case w.asked <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("what syncs the log does not answer: %w", ctx.Err())
	}
	q := &request{batch: &batch{}, done: make(chan struct{})}
	if !w.enqueue(q) {
		return errClosed
	}
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		w.withdraw(q)
		return fmt.Errorf("what commits records does not answer: %w", ctx.Err())
	}
}
