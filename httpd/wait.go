package httpd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"shiplog/format"
)

// settle is how long an engine may take to show a state that its event has told of.
const settle = 20 * time.Millisecond

// waitFor waits up to d until the container is in state and returns how it is then; reached is false when the
// time is over. It subscribes before it looks, so that no change is lost between the two, and looks again now
// and then in case an event never comes.
func (s *Server) waitFor(ctx context.Context, typ, id, state string, d time.Duration) (c format.Container, reached bool, err error) {
	w, err := s.hub.subscribe(ctx, typ, id, state)
	if errors.Is(err, errTooManyWaiters) {
		return c, false, failf(http.StatusServiceUnavailable, "Too many requests are waiting").retryAfter(time.Second)
	}
	if err != nil {
		return c, false, fmt.Errorf("wait for container: %w", err)
	}
	defer s.hub.leave(w)
	if c, err = s.inspect(ctx, typ, id); err != nil || c.State == state || d == 0 {
		return c, c.State == state, err
	}
	s.hub.pin(w, c)
	end := time.NewTimer(d)
	defer end.Stop()
	for {
		last := false
		belt := time.NewTimer(s.beltTime())
		select {
		case <-w.ring:
		case <-belt.C:
		case <-end.C:
			last = true
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.closing.Done():
			err = failf(http.StatusServiceUnavailable, "The server is shutting down").retryAfter(time.Second)
		}
		belt.Stop()
		if err != nil {
			return c, false, err
		}
		if c, reached, err = s.look(ctx, w, c); err != nil || reached || last {
			return c, reached, err
		}
	}
}

// look tells how the container is now. Of a stopped one everything is known already, and its engine may be
// slow to answer: dockerd holds a container that died until its network is gone. Else the engine is asked, by
// the container's id: the name may be another's by now.
func (s *Server) look(ctx context.Context, w *waiter, c format.Container) (format.Container, bool, error) {
	was, told := s.hub.told(w)
	if was && told == stateStopped {
		c.State = stateStopped
		return c, true, nil
	}
	now, err := s.inspect(ctx, w.typ, c.ID)
	if err == nil && was && now.State != w.state {
		select {
		case <-time.After(settle):
			now, err = s.inspect(ctx, w.typ, c.ID)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		return c, false, err
	}
	return now, was || now.State == w.state, nil
}

// beltTime is how long a waiter trusts in events alone. With many waiters each looks less often, so that they
// do not keep the engine busy.
func (s *Server) beltTime() time.Duration {
	return s.limits.belt * time.Duration(max(1, s.hub.count()/32))
}
