package httpd

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	claimEvery = 15 * time.Second // while another process works on the exports: it may have left jobs when it ended
	claimPause = time.Second      // between two tries because of requests
)

// exportClaim is whether this process works on the exports. Once it does it does until its end.
type exportClaim struct {
	ask  func() error // constant
	held atomic.Bool

	mu    sync.Mutex
	tried time.Time // guarded by mu, as the next
	said  string    // the reason that was logged last
}

func errNotMine() *statusError {
	return failf(http.StatusServiceUnavailable, "Another process works on the exports, try again later").retryAfter(claimEvery)
}

// mine tells whether the exports are this process's, and takes them when they are free: then the worker goes on
// with the jobs that are there.
func (x *exporter) mine() bool {
	c := &x.claim
	if c.held.Load() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held.Load() || time.Since(c.tried) < claimPause {
		return c.held.Load()
	}
	c.tried = time.Now()
	err := c.ask()
	if err == nil {
		err = x.restore()
	}
	if err != nil {
		if why := err.Error(); why != c.said {
			c.said = why
			x.logger.Warn("exports are off in this process; trying again", "dir", x.store.dir, "err", err)
		}
		return false
	}
	if c.said != "" {
		x.logger.Info("exports are on in this process", "dir", x.store.dir)
	}
	c.held.Store(true)
	x.ring()
	return true
}

// await waits until the exports are this process's: a request may find them free before the time is up.
func (x *exporter) await(ctx context.Context) {
	timer := time.NewTimer(claimEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-x.bell:
	case <-timer.C:
		x.mine()
	}
}
