package httpd

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"shiplog/index"
)

// searchSlots leaves one processor to what is cheap, when there are two.
func searchSlots() int { return max(1, min(4, runtime.GOMAXPROCS(0)-1)) }

// take waits for a turn. The error is a 503 when too many wait, or when it takes too long.
func (t *turns) take(ctx context.Context) (*turn, error) {
	one := t.join()
	if one == nil {
		return nil, t.refusal()
	}
	patience := time.NewTimer(t.patience)
	defer patience.Stop()
	why := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return t.refusal()
	}
	if err := one.await(ctx.Done(), patience.C, why); err != nil {
		return nil, err
	}
	return one, nil
}

func (t *turns) refusal() error {
	return failf(http.StatusServiceUnavailable, "%s", t.busy).retryAfter(t.patience)
}

// heavy tells whether lines may have to be read to answer q, many of them perhaps. All else the columns of the
// index answer.
func heavy(q *index.Query) bool {
	return q.Text != "" || q.Where != nil || q.Object != nil || q.ObjID != "" || q.ObjName != "" || q.Image != ""
}

// cheapSlots are more than can wait for the room of answers. What is cheap has turns of its own, so many that it never
// waits for what is heavy: they only bound how many hold a piece of the log at once.
const cheapSlots = 2 * answerQueue

// turn waits for the turn that q needs, and makes a heavy one pass it on when it takes long.
func (s *Server) turn(ctx context.Context, q *index.Query) (*turn, error) {
	if q.None {
		return nil, nil
	}
	if !heavy(q) {
		return s.looking.take(ctx)
	}
	t, err := s.searching.take(ctx)
	if err == nil {
		q.Pause = t.pause
	}
	return t, err
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

// searchCounted is Index.SearchCounted in its turn.
func (s *Server) searchCounted(ctx context.Context, q index.Query) (page index.Page, total int, err error) {
	t, err := s.turn(ctx, &q)
	if err != nil {
		return page, 0, err
	}
	defer t.end()
	q.Keep = keep(ctx)
	return s.opts.Index.SearchCounted(ctx, q)
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
