package seal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shiplog/format"
)

// Options is how a [Keeper] works. The zero value is usable.
type Options struct {
	Host       string           // of this box; names a new chain
	TailEvery  time.Duration    // shortest time between two signatures of the active segment; default 1m
	Settle     time.Duration    // from the first change after that to the signature; default 2s
	Startup    time.Duration    // from the begin of Run to the first signature, so that what a start writes needs no second; default 8s
	EpochSeals int              // seals under one key; default 64
	EpochAge   time.Duration    // after which the next occasion makes a new key; default 24h
	Now        func() time.Time // wall clock; default time.Now
	Logger     *slog.Logger     // told of each checkpoint and of what is wrong; default: nobody

	lines int64 // of a chain at most; tests have shorter ones

	step func(string) error // tests let a step fail, as a kill would; nil: none fails
}

func (o Options) withDefaults() Options {
	if o.TailEvery <= 0 {
		o.TailEvery = time.Minute
	}
	if o.Settle <= 0 {
		o.Settle = 2 * time.Second
	}
	if o.Startup <= 0 {
		o.Startup = 8 * time.Second
	}
	if o.EpochSeals <= 0 {
		o.EpochSeals = 64
	}
	if o.EpochAge <= 0 {
		o.EpochAge = 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.lines == 0 {
		o.lines = maxSealLines
	}
	if o.step == nil {
		o.step = func(string) error { return nil }
	}
	return o
}

// Keeper writes the seals of a log, in the process that writes the log. All methods may be called by any number of
// goroutines, Run by one.
type Keeper struct {
	log  *format.Log    // constant after Open, as all up to mu
	w    *format.Writer //
	o    Options        // with its defaults
	keys keys
	buf  []byte // for reading; used with mu held
	late string // segments before this one were sealed before Open

	asked   chan struct{} // by Alive; size 0
	moves   atomic.Uint64 // blocks read and steps made
	failing atomic.Bool

	// mu is held across IO: who else waits for it wants to write to the same files.
	mu     sync.Mutex
	chain  *chain      // nil: to be read from disk first. Guarded by mu, as all below
	key    *epochKey   // of the present epoch
	since  time.Time   // begin of the epoch
	seals  int         // in the epoch
	cp     *Checkpoint // as it is on disk; nil: there is none
	from   *From       // for the first line, when an earlier chain was set aside
	active *activeSums // nil: not hashed yet
	opened bool        // Open has returned
	begun  bool        // this keeper began the chain
	unsure bool        // a sync of SEALS.jsonl failed
}

// activeSums is how far the active segment was hashed.
type activeSums struct {
	name string
	*sums
}

// Open makes ready to seal the log in the data directory dir, which w writes. The first time it makes a key. What
// keeps it from being written is no error: it is logged, and tried again by Run.
func Open(dir string, w *format.Writer, o Options) (*Keeper, error) {
	log, err := format.OpenLog(dir)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	k := &Keeper{log: log, w: w, o: o, buf: make([]byte, readBytes), asked: make(chan struct{})}
	k.keys = keys{filepath.Join(dir, "keys"), k.step}
	if k.late, _ = w.Active(); k.late == "" {
		segs, err := log.Segments()
		if err != nil {
			return nil, err
		}
		if n := len(segs); n > 0 {
			k.late = segs[n-1].Name
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(); err != nil {
		k.o.Logger.Warn(cannotSeal, "err", err)
	}
	k.opened = true
	return k, nil
}

// NewKey returns the verifier line to note down when this keeper began the chain, else an empty text.
func (k *Keeper) NewKey() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.begun || k.chain == nil {
		return ""
	}
	return k.chain.keys[0].public
}

const (
	cannotSeal = "the log cannot be sealed now; it is tried again"
	maxRetry   = time.Hour
)

// Run seals what is sealed and signs what the active segment holds, until ctx ends. It sleeps for ever while nothing
// is written.
func (k *Keeper) Run(ctx context.Context) error {
	grown, sealed := k.w.Bells()
	err := k.locked(func() error { return k.sealAll(ctx) })
	var last time.Time // of a signature, or of a failure
	due := time.After(k.o.Startup)
	failed := 0 // attempts in a row
	for {
		switch {
		case err != nil && ctx.Err() == nil:
			if failed == 0 { // said once: the disk may be the one that the messages go to
				k.o.Logger.Warn(cannotSeal, "err", err)
			}
			failed++
			k.failing.Store(true)
			last, due = time.Now(), time.After(min(k.o.TailEvery<<min(failed-1, 10), maxRetry))
		case err == nil && failed > 0 && due == nil:
			k.o.Logger.Info("the log is sealed again")
			failed = 0
			k.failing.Store(false)
		}
		err = nil
		bell := grown
		if due != nil {
			bell = nil // it is planned
		}
		select {
		case <-ctx.Done():
			return nil
		case <-k.asked:
		case <-sealed:
			err = k.locked(func() error { return k.sealAll(ctx) })
		case <-bell:
			due = time.After(max(k.o.Settle, k.o.TailEvery-time.Since(last)))
		case <-due:
			select {
			case <-grown: // it is in what is signed now
			default:
			}
			due = nil
			var wrote bool
			if wrote, err = k.catchUp(ctx); wrote {
				last = time.Now()
			}
		}
	}
}

// Close signs what was written last. It is called before the writer is closed.
func (k *Keeper) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	err := k.w.Sync()
	_, cerr := k.catchUp(ctx)
	return errors.Join(err, cerr)
}

// CatchUp seals and signs all that is durable, however long it takes: for programs that do not call Run.
func (k *Keeper) CatchUp(ctx context.Context) error {
	_, err := k.catchUp(ctx)
	return err
}

// closeLimit bounds the stop. What is not done then is done by the next start.
const closeLimit = 3 * time.Second

// catchUp brings all that is to be written up to date, and tells whether there was something.
func (k *Keeper) catchUp(ctx context.Context) (wrote bool, err error) {
	err = k.locked(func() error {
		before := k.cp
		if err := k.sealAll(ctx); err != nil {
			return err
		}
		err := k.signActive(ctx)
		wrote = k.cp != before
		return err
	})
	return wrote, err
}

// locked calls f when the chain is ready. After an error the chain is read again before it goes on.
func (k *Keeper) locked(f func() error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.ready()
	if err == nil {
		err = f()
	}
	if errors.Is(err, errLong) {
		k.chain = nil
		if err = k.ready(); err == nil {
			err = f()
		}
	}
	if err != nil {
		k.chain = nil
	}
	return err
}

// Retire says in the chain that the named segments are removed by rule, and durably so when it returns: the caller
// removes them then. Reason says by which rule. All must be sealed; those that have no seal yet get one.
func (k *Keeper) Retire(ctx context.Context, reason string, segments ...string) error {
	if len(segments) == 0 {
		return nil
	}
	if len(segments) > maxRetired {
		return fmt.Errorf("retire: %d segments, at most %d at once", len(segments), maxRetired)
	}
	return k.locked(func() error {
		if err := k.sealAll(ctx); err != nil {
			return fmt.Errorf("retire: %w", err)
		}
		state := k.chain.segments()
		for _, name := range segments {
			if s := state[name]; s == nil || s.seal == nil {
				return fmt.Errorf("retire: segment %s is not sealed", name)
			}
		}
		return k.addLine(&Line{Retired: segments, Reason: reason}, k.cp.Tail)
	})
}

// segmentState is what a chain says of one segment.
type segmentState struct {
	seal    *Line
	at      int64 // line of SEALS.jsonl, from 1
	retired *Line
	pins    []Tail
}

// segments sorts what the chain says by segment.
func (c *chain) segments() map[string]*segmentState {
	all := map[string]*segmentState{}
	of := func(name string) *segmentState {
		s := all[name]
		if s == nil {
			s = &segmentState{}
			all[name] = s
		}
		return s
	}
	for i, l := range c.lines {
		switch {
		case l.Seg != "":
			s := of(l.Seg)
			s.seal, s.at = l, int64(i)+1
		case l.Tail != nil:
			s := of(l.Tail.Seg)
			if l.Was != nil {
				s.pins = nil // these it does not fit any more
			}
			s.pins = append(s.pins, *l.Tail)
		}
		for _, name := range l.Retired {
			of(name).retired = l
		}
	}
	return all
}

// foreignHost is the name of this host, when the chain was begun on another one.
func (k *Keeper) foreignHost() string {
	host := cleanHost(k.o.Host)
	if k.o.Host == "" || strings.HasPrefix(k.chain.origin, "shiplog/"+host+"-") {
		return ""
	}
	return host
}
