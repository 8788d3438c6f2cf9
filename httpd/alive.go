package httpd

import (
	"context"
	"fmt"
	"sync"
)

// Alive returns nil when what takes the connections of each listener has answered, else, at the end of ctx, an
// error that names the address. It waits for the first listener, so it also tells that Run has begun. A server
// whose connections are all in use is alive. One call at a time.
func (s *Server) Alive(ctx context.Context) error {
	select {
	case <-s.serving.begun:
	case <-ctx.Done():
		return fmt.Errorf("the server has not begun: %w", ctx.Err())
	}
	for _, ln := range s.serving.list() {
		if err := ln.alive(ctx); err != nil {
			return fmt.Errorf("what takes connections on %s does not answer: %w", ln.Addr(), err)
		}
	}
	return nil
}

// serving are the listeners that a server serves.
type serving struct {
	begun chan struct{} // closed when there is one

	mu  sync.Mutex
	all []*limitedListener // guarded by mu
}

func (s *serving) add(ln *limitedListener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all = append(s.all, ln); len(s.all) == 1 {
		close(s.begun)
	}
}

func (s *serving) list() []*limitedListener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}
