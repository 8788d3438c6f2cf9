package index

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
)

// shards keeps the Bleve indexes used last open. An open one costs memory and files; opening one costs 0.3 ms.
type shards struct {
	mu    sync.Mutex
	clock uint64 // guarded by mu, as all below
	open  map[*disk]*shard
}

type shard struct {
	*bleveIndex
	refs int
	used uint64
	gone bool // close when refs is 0
}

// maxOpenShards is how many Bleve indexes stay open.
const maxOpenShards = 32

// with calls fn with the open Bleve index of d.
func (s *shards) with(d *disk, fn func(*bleveIndex) error) error {
	sh, err := s.acquire(d)
	if err != nil {
		return err
	}
	defer s.release(sh)
	return fn(sh.bleveIndex)
}

// acquire opens under the lock: at most maxTextSearches want a shard at a time, and mostly the same one.
func (s *shards) acquire(d *disk) (*shard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.open[d]
	if sh == nil {
		if err := d.checkBleve(); err != nil {
			return nil, err
		}
		b, err := openBleve(filepath.Join(d.dir, bleveFolder))
		if isShortage(err) {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errStale, err)
		}
		sh = &shard{bleveIndex: b}
		if s.open == nil {
			s.open = make(map[*disk]*shard)
		}
		s.open[d] = sh
	}
	s.clock++
	sh.used = s.clock
	sh.refs++
	s.trim(maxOpenShards) // not before: the new one would be the one used longest ago
	return sh, nil
}

func (s *shards) release(sh *shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.refs--; sh.refs == 0 && sh.gone {
		_ = sh.close()
	}
}

// trim closes the least recently used until no more than n are open. mu is held.
func (s *shards) trim(n int) {
	for len(s.open) > n {
		var oldest *disk
		for d, sh := range s.open {
			if oldest == nil || sh.used < s.open[oldest].used {
				oldest = d
			}
		}
		s.dropLocked(oldest)
	}
}

// drop closes the shard of d, now or when its last user lets go.
func (s *shards) drop(d *disk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(d)
}

func (s *shards) dropLocked(d *disk) {
	sh := s.open[d]
	if sh == nil {
		return
	}
	delete(s.open, d)
	if sh.gone = true; sh.refs == 0 {
		_ = sh.close()
	}
}

// cool closes what was not used since the last call with the clock it returned.
func (s *shards) cool(since uint64) (clock uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, sh := range s.open {
		if sh.used <= since {
			s.dropLocked(d)
		}
	}
	return s.clock
}

func (s *shards) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// askBleve returns the blocks of the segment that may hold the text, by gate and Bleve; nil: all.
func (r *run) askBleve(ctx context.Context, t *table, n *need) (set blockSet, err error) {
	if len(n.grams)+len(n.either) == 0 || len(t.gate.open) == t.cols.blocks() {
		return n.blocks, nil
	}
	err = guard(func() error {
		return r.x.shards.with(t.disk, func(b *bleveIndex) (err error) {
			set, err = b.answer(ctx, t.gate, t.cols.blocks(), n, r.m)
			return err
		})
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, errStale) && !isShortage(err) {
		err = fmt.Errorf("%w: %w", errStale, err)
	}
	return set, err
}
