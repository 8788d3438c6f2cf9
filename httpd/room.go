package httpd

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// room bounds the memory of the answers that are made and sent at one time. A client that asks for a thousand long
// records and does not read what comes holds all of them for as long as sending may take, on every connection it has.
// Small answers take no room, so they never wait for it. The largest answer finds room when it is alone.
type room struct {
	total    int           // bytes
	patience time.Duration // for some of it to be given back
	queue    chan struct{} // one token per request that waits: it holds what it has found so far

	mu    sync.Mutex
	used  int           // guarded by mu
	freed chan struct{} // guarded by mu; closed when some is given back
}

const (
	answerRoom   = 32 << 20        // bytes of all answers together
	answerWait   = 2 * time.Second // a search that waits may have a turn that others want
	answerQueue  = 8
	smallAnswer  = 128 << 10 // bytes of one answer that take no room
	bytesOfALine = 2 << 10   // of its fields and of its row, besides
	readAhead    = 1 << 20   // bytes that the index holds of the log while it gives out one record after the other
	bytesOfAByte = 4         // a line is kept, becomes a row, and the row is written twice
)

func newRoom(total int, patience time.Duration) *room {
	return &room{total: total, patience: patience, queue: make(chan struct{}, answerQueue), freed: make(chan struct{})}
}

// share is what one request has of the room. It is for one goroutine at a time. nil needs none and gets all.
type share struct {
	of   *room
	want int // bytes that were asked for, those of a small answer included
	have int
}

// take waits for n bytes more. The error is a 503 when they do not come.
func (s *share) take(ctx context.Context, n int) error {
	if s == nil {
		return nil
	}
	ok, freed := s.try(n)
	if ok {
		return nil
	}
	select {
	case s.of.queue <- struct{}{}:
	default:
		return s.of.refusal()
	}
	defer func() { <-s.of.queue }()
	late := time.NewTimer(s.of.patience)
	defer late.Stop()
	for !ok {
		select {
		case <-freed:
			ok, freed = s.try(n)
		case <-late.C:
			return s.of.refusal()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (o *room) refusal() error {
	return failf(http.StatusServiceUnavailable, "Too many large answers at the moment; ask for fewer records at a time").retryAfter(o.patience)
}

// try takes n bytes more if they are there; else freed is closed when it is worth another try.
func (s *share) try(n int) (ok bool, freed <-chan struct{}) {
	if s == nil {
		return true, nil
	}
	need := s.want + n - smallAnswer - s.have
	if need > 0 {
		o := s.of
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.used+need > o.total && o.used > s.have {
			return false, o.freed
		}
		o.used += need
		s.have += need
	}
	s.want += n
	return true, nil
}

// end gives all of it back.
func (s *share) end() {
	if s.have == 0 {
		return
	}
	o := s.of
	o.mu.Lock()
	defer o.mu.Unlock()
	o.used -= s.have
	s.have, s.want = 0, 0
	close(o.freed)
	o.freed = make(chan struct{})
}

// shareKey is the key of a request's share in its context.
type shareKey struct{}

// withShare gives a request a share of the room, which is given back by end.
func (s *Server) withShare(ctx context.Context) (with context.Context, end func()) {
	mine := &share{of: s.room}
	return context.WithValue(ctx, shareKey{}, mine), mine.end
}

func shareOf(ctx context.Context) *share {
	mine, _ := ctx.Value(shareKey{}).(*share)
	return mine
}

// keep takes room for each line that is kept for an answer.
func keep(ctx context.Context) func(lineBytes int) error {
	mine := shareOf(ctx)
	if mine == nil {
		return nil
	}
	return func(lineBytes int) error { return mine.take(ctx, bytesOfALine+bytesOfAByte*lineBytes) }
}
