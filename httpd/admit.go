package httpd

import (
	"context"
	"net/http"
	"time"
)

const (
	smallBody   = 64 << 10 // bytes; every connection may have one in memory
	largeBodies = 4        // larger ones in memory at one time
	largeQueue  = 32
)

// maxFields bounds the header of a request: each field takes many times the memory of its text for as long as the
// request lasts.
const maxFields = 200

func fields(h http.Header) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// admit refuses who may not send to the route before the body is read, and lets few large bodies in at one
// time: so neither somebody without a credential nor many with one can fill the memory. done must be called
// when the request was answered.
func (s *Server) admit(r *http.Request, rt *route) (done func(), err error) {
	if rt.admit != nil {
		if err := rt.admit(r); err != nil {
			return nil, err
		}
	}
	if rt.body <= smallBody || r.ContentLength >= 0 && r.ContentLength <= smallBody {
		return func() {}, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.answer)
	defer cancel()
	t, err := s.large.take(ctx)
	if err != nil {
		return nil, err
	}
	return t.end, nil
}

// newLarge are the turns of requests with large bodies.
func newLarge(patience time.Duration) *turns {
	t := newTurns(largeBodies, largeQueue, patience, "Too many large requests at the moment")
	t.fifo = true
	return t
}
