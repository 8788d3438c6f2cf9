package httpd

import (
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"shiplog/format"
	"shiplog/index"
)

const (
	maxOpenExports = 64  // jobs that are not over; more are not taken
	maxExports     = 256 // jobs with those whose file waits to be fetched
	ownShare       = 4   // one user may have that part of each, so that nobody keeps the others out
)

// exporter is the table of the export jobs and the worker that gets them done, one at a time. While there are
// no jobs it does nothing at all.
type exporter struct {
	store  exportStore // constant, as all above mu
	index  *index.Index
	append func(context.Context, ...*format.Record) error
	logger *slog.Logger
	now    func() time.Time
	quay   quay
	bell   chan struct{}

	settings func() *settings // those of now

	refusals *rate.Limiter // of records
	once     sync.Once
	wg       sync.WaitGroup

	claim exportClaim

	mu       sync.Mutex            // never held across IO
	jobs     map[string]*exportJob // guarded by mu; by id
	reserved map[string]int        // guarded by mu; places of jobs that are being queued, by owner
}

// newExporter reads the jobs that an earlier process left, when they are this one's. It returns nil when there is
// nothing to export with.
func newExporter(s *Server) (*exporter, error) {
	o := &s.opts
	if o.Exports == "" || o.Append == nil {
		return nil, nil
	}
	x := &exporter{store: exportStore{o.Exports, o.Logger}, index: o.Index, append: o.Append, logger: o.Logger, now: o.Now,
		quay: quay{s}, settings: s.settings.Load,
		bell: make(chan struct{}, 1), refusals: newRefusals(), jobs: map[string]*exportJob{}, reserved: map[string]int{}}
	x.claim.ask = o.ClaimExports
	if x.claim.ask == nil {
		x.claim.held.Store(true)
		return x, x.restore()
	}
	_ = x.mine() // what fails is logged, and tried again
	return x, nil
}

// restore reads the jobs of the store.
func (x *exporter) restore() error {
	jobs, err := x.store.load()
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, j := range jobs {
		x.jobs[j.ID] = j
	}
	return nil
}

// start begins the work, until ctx ends.
func (x *exporter) start(ctx context.Context) {
	if x != nil {
		x.once.Do(func() { x.wg.Go(func() { x.run(ctx) }) })
	}
}

// stop waits for the worker. The context of start must have ended.
func (x *exporter) stop() {
	if x != nil {
		x.wg.Wait()
	}
}

// ring wakes the worker.
func (x *exporter) ring() {
	if x == nil {
		return
	}
	select {
	case x.bell <- struct{}{}:
	default: // it rings already
	}
}

// reserve takes a place for a job of owner. The error is a 429; otherwise queue or release must follow.
func (x *exporter) reserve(owner string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	own := x.reserved[owner]
	all, open, ownOpen := len(x.jobs), 0, own
	for _, n := range x.reserved {
		all, open = all+n, open+n
	}
	for _, j := range x.jobs {
		if j.Owner == owner {
			own++
		}
		if !j.over() {
			open++
			if j.Owner == owner {
				ownOpen++
			}
		}
	}
	if open >= maxOpenExports || all >= maxExports || ownOpen >= maxOpenExports/ownShare || own >= maxExports/ownShare {
		return failf(http.StatusTooManyRequests, "Too many exports, try again later").retryAfter(time.Minute)
	}
	x.reserved[owner]++
	return nil
}

func (x *exporter) release(owner string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unreserve(owner)
}

// unreserve gives back a place of owner. The caller holds mu.
func (x *exporter) unreserve(owner string) {
	if x.reserved[owner]--; x.reserved[owner] == 0 {
		delete(x.reserved, owner)
	}
}

// queue hands a job over to the worker. When it returns nil the job is on the disk.
func (x *exporter) queue(j *exportJob) error {
	err := x.store.save(j)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unreserve(j.Owner)
	if err != nil {
		return err
	}
	x.jobs[j.ID] = j
	x.ring()
	return nil
}

// open returns the file of a finished job by the name it was given out under; false: there is none.
func (x *exporter) open(name string) (f *os.File, id string, ok bool, err error) {
	const idLength = 36
	if len(name) != 2*idLength+1 || name[idLength] != '-' {
		return nil, "", false, nil
	}
	x.mu.Lock()
	j := x.jobs[name[:idLength]]
	ok = j != nil && j.hasFile(x.now()) && subtle.ConstantTimeCompare([]byte(j.Secret), []byte(name[idLength+1:])) == 1
	if ok {
		id = j.ID
	}
	x.mu.Unlock()
	if !ok {
		return nil, "", false, nil
	}
	f, err = os.Open(x.store.path(id, logsFile))
	if err != nil {
		return nil, "", false, fmt.Errorf("open export: %w", err)
	}
	return f, id, true, nil
}
