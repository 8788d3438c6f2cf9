package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// stopLimit bounds the whole stop, so that the process is gone within 10 s of SIGTERM.
const stopLimit = 9 * time.Second

// stage is one part of the program.
type stage struct {
	name string
	run  func(context.Context) error // blocks until its context ends
	then func() error                // nil, or what follows when run has returned

	// alive returns nil when the loop of run has answered, and an error that says what does not when ctx ends
	// before; nil: there is no loop that could be asked. It is called while run runs, once at a time.
	alive func(ctx context.Context) error
}

// runStages runs all stages until ctx ends or one fails, then stops them one after the other in the order
// given: a stage goes on until those before it are done. The first error is returned; none, when ctx ended.
func runStages(ctx context.Context, all []stage, limit time.Duration) error {
	group, failed := errgroup.WithContext(ctx)
	stops := make([]func(), len(all))
	for i, s := range all {
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan struct{})
		group.Go(func() error {
			defer close(done)
			if err := s.run(own); err != nil && (own.Err() == nil || !errors.Is(err, context.Canceled)) {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			return nil
		})
		stops[i] = func() {
			cancel()
			<-done
		}
	}
	group.Go(func() error {
		<-failed.Done()
		var errs []error
		for i, s := range all {
			stops[i]()
			if s.then != nil {
				if err := s.then(); err != nil {
					errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
				}
			}
		}
		return errors.Join(errs...)
	})
	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-failed.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(limit):
		return fmt.Errorf("did not stop within %s", limit)
	}
}
