package index

import "sync"

// cache bounds the columns that sealed segments hold in memory: the least recently used go first.
type cache struct {
	limit int // bytes

	mu    sync.Mutex
	clock uint64           // guarded by mu, as all below
	held  map[*segment]int // bytes
	total int
}

// touch notes that s was used now, and lets go of others when there is too much. s.mu is held.
func (c *cache) touch(s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	s.used = c.clock
	if _, ok := c.held[s]; !ok {
		if c.held == nil {
			c.held = make(map[*segment]int)
		}
		n := s.cols.memory()
		c.held[s], c.total = n, c.total+n
	}
	for c.total > c.limit && len(c.held) > 1 {
		var oldest *segment
		for o := range c.held {
			if o != s && (oldest == nil || o.used < oldest.used) {
				oldest = o
			}
		}
		if !oldest.mu.TryLock() {
			return // it is being used right now; the next touch will see
		}
		oldest.cols = nil
		oldest.mu.Unlock()
		c.drop(oldest)
	}
}

// drop forgets s. mu is held.
func (c *cache) drop(s *segment) {
	c.total -= c.held[s]
	delete(c.held, s)
}

// forget lets go of the columns of s, which is no longer part of the log or has an index on disk.
func (c *cache) forget(s *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.forgetLocked(s)
}

// forgetLocked does so when s.mu is held.
func (c *cache) forgetLocked(s *segment) {
	s.cols = nil
	c.mu.Lock()
	c.drop(s)
	c.mu.Unlock()
}

func (c *cache) bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}
