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
// and then in case an event never comes. That the agent is away is no answer: it is waited for as well, and only
// when it is away at the end of the time the error is format.ErrAgentDown.
func (s *Server) waitFor(ctx context.Context, typ, id, state string, d time.Duration) (c format.Container, reached bool, err error) {
	w, err := s.hub.subscribe(ctx, typ, id, state)
	if errors.Is(err, errTooManyWaiters) {
		return c, false, failf(http.StatusServiceUnavailable, "Too many requests are waiting").retryAfter(time.Second)
	}
	if err != nil {
		return c, false, fmt.Errorf("wait for container: %w", err)
	}
	defer s.hub.leave(w)
	c, err = s.inspect(ctx, typ, id)
	away := errors.Is(err, format.ErrAgentDown)
	switch {
	case away && d > 0:
		c, err = format.Container{}, nil // to be found when there is somebody to ask
	case err != nil || c.State == state || d == 0:
		return c, err == nil && c.State == state, err
	default:
		s.hub.pin(w, c)
	}
	end := time.NewTimer(d)
	defer end.Stop()
	for {
		last := false
		belt := time.NewTimer(s.beltTime(away))
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
		c, reached, err = s.look(ctx, w, c)
		if away = errors.Is(err, format.ErrAgentDown) && !last; away {
			err = nil // an agent that is exchanged meanwhile ends no wait
		}
		if err != nil || reached || last {
			return c, reached, err
		}
	}
}

// look tells how the container is now. Of a stopped one everything is known already, and its engine may be
// slow to answer: dockerd holds a container that died until its network is gone. Else the engine is asked, by
// the container's id: the name may be another's by now. A container that was not found yet, as nobody could be
// asked, is found now.
func (s *Server) look(ctx context.Context, w *waiter, c format.Container) (format.Container, bool, error) {
	if c.ID == "" {
		found, err := s.inspect(ctx, w.typ, w.given)
		if err != nil {
			return c, false, err
		}
		s.hub.pin(w, found)
		c = found
	}
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

// awayBelt is how often a waiter looks whether the agent is there again.
const awayBelt = 500 * time.Millisecond

// beltTime is how long a waiter trusts in events alone. With many waiters each looks less often, so that they
// do not keep the engine busy. An agent that is away does not mind.
func (s *Server) beltTime(away bool) time.Duration {
	if away {
		return min(awayBelt, s.limits.belt)
	}
	return s.limits.belt * time.Duration(max(1, s.hub.count()/32))
}
