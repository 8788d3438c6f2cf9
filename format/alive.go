package format

import (
	"context"
	"errors"
	"fmt"
)

// Alive returns nil when [Writer.Run] and what commits for [Writer.Append] have both answered, else, at the end
// of ctx, an error that says which did not. A disk that is full or read-only does not keep them from answering;
// a write or a sync that does not return does. It writes nothing and touches no disk.
func (w *Writer) Alive(ctx context.Context) error {
	q := &request{batch: &batch{}, done: make(chan struct{})}
	if !w.enqueue(q) {
		return errClosed
	}
	var syncs, commits error
	select {
	case w.asked <- struct{}{}:
	case <-ctx.Done():
		syncs = fmt.Errorf("what syncs the log does not answer: %w", ctx.Err())
	}
	select {
	case <-q.done:
	case <-ctx.Done():
		select {
		case <-q.done: // both had come
		default:
			w.withdraw(q)
			commits = fmt.Errorf("what commits records does not answer: %w", ctx.Err())
		}
	}
	return errors.Join(syncs, commits)
}
