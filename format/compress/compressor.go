package compress

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shiplog/format"
)

// Options is how a [Compressor] works.
type Options struct {
	After time.Duration // how long after its last record a segment is compressed, until SetAfter; 0: never

	// Sealed returns the hash of a segment's plain bytes and their number, as of seal.Keeper.
	Sealed func(segment string) (sha256 string, bytes int64, ok bool, err error)
	// Hold runs what changes files of the log, while nothing else does; nil: nothing else can.
	Hold func(func() error) error

	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: nobody is told

	step func(string) error // tests let a step fail, as a kill would; nil: none fails
}

// Compressor compresses the segments of one log. Run has one caller; the other methods may be called by any number
// of goroutines.
type Compressor struct {
	log  *format.Log
	o    Options
	kick chan struct{} // one slot: After is another one

	made map[string]time.Time // when the compressed file of a segment whose plain one is there was found; of Run
	bad  map[string]bool      // segments that are not what was sealed; of Run

	mu    sync.Mutex
	after time.Duration // guarded by mu, as the next
	stats Stats
}

// Stats is what a compressor has done since it was opened.
type Stats struct {
	Segments      uint64 // that have no plain file any more
	Plain, Stored uint64 // bytes of them, before and after
	Failures      uint64 // times that it could not be done
	Failing       bool   // the last attempt of Run failed; it is tried again
	Reason        string // why
}

// Open makes ready to compress the log in the data directory dir. It changes nothing yet.
func Open(dir string, o Options) (*Compressor, error) {
	log, err := format.OpenLog(dir)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Hold == nil {
		o.Hold = func(f func() error) error { return f() }
	}
	if o.step == nil {
		o.step = func(string) error { return nil }
	}
	return &Compressor{log: log, o: o, kick: make(chan struct{}, 1), made: map[string]time.Time{}, bad: map[string]bool{}, after: o.After}, nil
}

// SetAfter makes Run follow another age, at once. What is compressed stays so.
func (c *Compressor) SetAfter(d time.Duration) {
	c.mu.Lock()
	c.after = d
	c.mu.Unlock()
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// Stats returns what was done since Open.
func (c *Compressor) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

const (
	lookEvery = time.Minute
	grace     = 20 * time.Second // both files are there at least so long: no listing of a folder takes that
	maxRetry  = time.Hour
)

// Run compresses what is old enough until ctx ends. It looks once a minute, and not at all while After is 0.
func (c *Compressor) Run(ctx context.Context) error {
	retry := format.Retry{Every: lookEvery, Most: maxRetry, Fails: "segments cannot be compressed now; it is tried again",
		Works: "segments can be compressed again", Logger: c.o.Logger}
	err := c.clean()
	for {
		err = errors.Join(err, c.pass(ctx))
		if ctx.Err() != nil {
			return nil
		}
		wait := retry.Next(err)
		c.count(func(s *Stats) {
			if s.Failing, s.Reason = err != nil, ""; s.Failing {
				s.Failures++
				s.Reason = err.Error()
			}
		})
		err = nil
		if !c.sleep(ctx, wait) {
			return nil
		}
	}
}

// sleep waits until there may be something to do; false when ctx ends.
func (c *Compressor) sleep(ctx context.Context, wait time.Duration) bool {
	var due <-chan time.Time
	if c.old() > 0 {
		t := time.NewTimer(format.UntilBeat(c.o.Now(), wait))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-c.kick:
	case <-due:
	}
	return true
}

func (c *Compressor) old() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.after
}

func (c *Compressor) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

// pass looks at all segments once, the oldest first, also after one that cannot be compressed; the error is that of the
// first. Between two that took work it rests for as long: this is for the idle time of a small machine.
func (c *Compressor) pass(ctx context.Context) error {
	after := c.old()
	if after <= 0 {
		return nil
	}
	segs, err := c.log.Segments()
	if err != nil {
		return err
	}
	var first error
	for _, seg := range segs[:max(len(segs)-1, 0)] {
		if seg.Compressed || c.bad[seg.Name] {
			continue
		}
		began := time.Now()
		worked, err := c.one(ctx, seg.Name, after)
		if err != nil && first == nil {
			first = fmt.Errorf("compress %s: %w", seg.Name, err)
		}
		if !worked {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Since(began)):
		}
	}
	return first
}

// one does what is next with a segment; worked tells whether that took time.
func (c *Compressor) one(ctx context.Context, name string, after time.Duration) (worked bool, err error) {
	fi, err := os.Lstat(c.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // removed meanwhile
	}
	if err != nil {
		return false, err
	}
	if age := c.o.Now().Sub(fi.ModTime()); age < after {
		return false, nil
	}
	hash, bytes, ok, err := c.o.Sealed(name)
	if err != nil || !ok {
		return false, err // the seal comes
	}
	packed, err := os.Lstat(c.packed(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, c.make(ctx, name, fi, hash, bytes)
	case err != nil:
		return false, err
	}
	if c.made[name].IsZero() {
		c.made[name] = c.o.Now() // of an earlier process
	}
	if c.o.Now().Sub(c.made[name]) < grace {
		return false, nil
	}
	return true, c.replace(ctx, name, hash, bytes, packed.Size())
}

const temp = ".tmp" // behind the name of a compressed file that is being made

// path and packed are the plain and the compressed file of a segment.
func (c *Compressor) path(name string) string { return filepath.Join(c.log.Dir(), name) }

func (c *Compressor) packed(name string) string { return c.path(name) + format.CompressedSuffix }
