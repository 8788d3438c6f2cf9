package httpd

import (
	"context"

	"shiplog/format"
	"shiplog/index"
)

// clearsSeen is where log.clear records were looked for.
type clearsSeen struct {
	down, upto uint64 // above down and up to upto; below down, too, once there is a mark
	mark       uint64 // seq of the newest one that was found; 0: none
}

// watermark is the seq at and below which /log shows nothing, by what is in the log up to last, the newest seq.
// An answer that looks no further is about one moment, whoever clears the log meanwhile.
func (s *Server) watermark(ctx context.Context) (mark, last uint64, err error) {
	if last, err = s.opts.Index.LastSeq(ctx); err != nil {
		return 0, 0, err
	}
	mark, err = s.markAbove(ctx, 0, last)
	return mark, last, err
}

// markAbove is the watermark as far as it matters to records above low: should it lie at or below low, 0 may be said.
func (s *Server) markAbove(ctx context.Context, low, last uint64) (uint64, error) {
	s.clear.mu.Lock()
	was := s.clear.seen
	s.clear.mu.Unlock()
	now := was
	if now.upto == 0 && now.mark == 0 {
		now.down, now.upto = low, low
	}
	if last > max(now.upto, now.mark) {
		if err := s.seekClear(ctx, &now, max(now.upto, now.mark), last); err != nil {
			return 0, err
		}
		now.upto = last
	}
	if now.mark == 0 && low < now.down {
		if err := s.seekClear(ctx, &now, low, now.down); err != nil {
			return 0, err
		}
		now.down = low
	}
	s.clear.mu.Lock()
	defer s.clear.mu.Unlock()
	if s.clear.seen == was { // else somebody knows something else, and both together might leave a gap
		s.clear.seen = now
	}
	return max(now.mark, s.clear.seen.mark), nil
}

// seekClear looks for the newest log.clear record above after and up to last, and notes its seq.
func (s *Server) seekClear(ctx context.Context, seen *clearsSeen, after, last uint64) error {
	query := index.Query{After: after, Before: last + 1, Stream: format.StreamLog,
		Categories: []string{clearCategory}, Actions: []string{clearAction}}
	for f, err := range s.opts.Index.Each(ctx, query) {
		if err != nil {
			return err
		}
		if isClear(f) { // newest first
			seen.mark = f.Seq
			break
		}
	}
	return nil
}

// searchVisible answers query with what is above the watermark. Of a page that is full by what is new, only the new part
// of the log is looked through for a watermark: without an index all of it is a long way.
func (s *Server) searchVisible(ctx context.Context, query index.Query) (index.Page, error) {
	last, err := s.opts.Index.LastSeq(ctx)
	if err != nil {
		return index.Page{}, err
	}
	s.clear.mu.Lock()
	query.After, query.Before = s.clear.seen.mark, last+1
	s.clear.mu.Unlock()
	for {
		page, err := s.search(ctx, query)
		if err != nil {
			return page, err
		}
		low := uint64(0)
		if n := len(page.Hits); n > 0 && n == query.Limit {
			low = page.Hits[n-1].Seq - 1
		}
		mark, err := s.markAbove(ctx, low, last)
		if err != nil || min(mark, last) <= query.After {
			return page, err
		}
		query.After = min(mark, last)
	}
}
