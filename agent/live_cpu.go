package agent

import (
	"sync"
	"time"
)

// cpuShares remember the newest reading of each container, so that a share can be told at once: it needs two.
type cpuShares struct {
	mu sync.Mutex
	by map[string]cpuReading // guarded by mu
}

// cpuReading is how long a container's processes had run at a moment.
type cpuReading struct {
	at    time.Time
	usage uint64 // ns, over all processors
	share float64
}

const (
	maxReadings = 4096
	minCPUSpan  = 50 * time.Millisecond // two readings closer than this tell nothing
)

// share is how much of one processor a container used since the reading before: 2 when it kept two busy all
// the time (contracts 1.7). The first reading of a container, or since it was started again, gives the average
// since started.
func (c *cpuShares) share(id string, usage uint64, started, now time.Time) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, ok := c.by[id]
	if !ok || usage < old.usage || old.at.Before(started) {
		old = cpuReading{at: started}
	}
	span := now.Sub(old.at)
	if span < minCPUSpan {
		return old.share
	}
	share := float64(usage-old.usage) / float64(span)
	if c.by == nil || len(c.by) >= maxReadings {
		c.by = map[string]cpuReading{}
	}
	c.by[id] = cpuReading{at: now, usage: usage, share: share}
	return share
}
