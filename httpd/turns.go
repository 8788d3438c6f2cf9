package httpd

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"shiplog/index"
)

// turns let a few requests at a time do what is heavy, in the order in which they came. What is cheap has turns of
// its own, so many that it never waits for what is heavy: they only bound how many hold a piece of the log at once.
type turns struct {
	slots    chan struct{} // one token per request that has its turn
	queue    chan struct{} // one token per request that waits for its first turn
	patience time.Duration // for the first turn
	busy     string        // what is said to who comes when the queue is full, or waited too long
}

func newTurns(n, queue int, patience time.Duration, busy string) *turns {
	return &turns{slots: make(chan struct{}, n), queue: make(chan struct{}, queue), patience: patience, busy: busy}
}

// searchSlots leaves one processor to what is cheap, when there are two.
func searchSlots() int { return max(1, min(4, runtime.GOMAXPROCS(0)-1)) }

// take waits for a turn. The error is a 503 when too many wait, or when it takes too long.
func (t *turns) take(ctx context.Context) (*turn, error) {
	select {
	case t.slots <- struct{}{}:
		return &turn{t, true}, nil
	default:
	}
	select {
	case t.queue <- struct{}{}:
	default:
		return nil, t.refusal()
	}
	defer func() { <-t.queue }()
	patience := time.NewTimer(t.patience)
	defer patience.Stop()
	select {
	case t.slots <- struct{}{}:
		return &turn{t, true}, nil
	case <-patience.C:
		return nil, t.refusal()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *turns) refusal() error {
	return failf(http.StatusServiceUnavailable, "%s", t.busy).retryAfter(t.patience)
}

// turn is one request's. nil is that of a request that needs none.
type turn struct {
	of   *turns
	have bool
}

// end gives the turn back.
func (t *turn) end() {
	if t != nil && t.have {
		t.have = false
		<-t.of.slots
	}
}

// again takes the turn once more after end. It waits as long as ctx lasts: what was begun is not refused.
func (t *turn) again(ctx context.Context) error {
	if t == nil || t.have {
		return nil
	}
	select {
	case t.of.slots <- struct{}{}:
		t.have = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// heavy tells whether lines may have to be read to answer q, many of them perhaps. All else the columns of the
// index answer.
func heavy(q *index.Query) bool {
	return q.Text != "" || q.Where != nil || q.Object != nil || q.ObjID != "" || q.ObjName != "" || q.Image != ""
}

// cheapSlots are more than can wait for the room of answers.
const cheapSlots = 2 * answerQueue

// turn waits for the turn that q needs.
func (s *Server) turn(ctx context.Context, q *index.Query) (*turn, error) {
	switch {
	case q.None:
		return nil, nil
	case heavy(q):
		return s.searching.take(ctx)
	}
	return s.looking.take(ctx)
}

// search is Index.Search in its turn.
func (s *Server) search(ctx context.Context, q index.Query) (index.Page, error) {
	t, err := s.turn(ctx, &q)
	if err != nil {
		return index.Page{}, err
	}
	defer t.end()
	q.Keep = keep(ctx)
	return s.opts.Index.Search(ctx, q)
}

// count is Index.Count in its turn.
func (s *Server) count(ctx context.Context, q index.Query) (int, error) {
	t, err := s.turn(ctx, &q)
	if err != nil {
		return 0, err
	}
	defer t.end()
	return s.opts.Index.Count(ctx, q)
}
