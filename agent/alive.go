package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Alive returns nil when what writes the events of each engine has answered and what reads them is not at the
// same event for ever; else, at the end of ctx, an error that says which did not. An engine that is away or says
// nothing, and a disk that is full, keep neither from answering. At the start it waits until Run has read from
// the log what was known before.
func (a *Agent) Alive(ctx context.Context) error {
	errs := make([]error, len(a.pumps))
	var wg sync.WaitGroup
	for i, p := range a.pumps {
		wg.Go(func() { errs[i] = p.alive(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (p *pump) alive(ctx context.Context) error {
	select {
	case p.q.asked <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("what writes the events of %s does not answer: %w", p.src.engine(), ctx.Err())
	}
	select {
	case p.q.handles <- struct{}{}:
		<-p.q.handles
		return nil
	case <-ctx.Done():
		return fmt.Errorf("what reads the events of %s is stuck at one: %w", p.src.engine(), ctx.Err())
	}
}

// handle does what a reader does with one event. While it lasts the reader counts as busy.
func (q *queue) handle(do func()) {
	q.handles <- struct{}{}
	defer func() { <-q.handles }()
	do()
}
