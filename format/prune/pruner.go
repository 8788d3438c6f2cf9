package prune

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shiplog/format"
)

// Options is how a [Pruner] works. The zero value is usable.
type Options struct {
	Policy Policy // until SetPolicy

	// Retire says in the signed chain that segments are removed by rule, durably; nil: there is no chain. Retired
	// tells which of the segments named the chain calls retired. Both as of seal.Keeper.
	Retire  func(ctx context.Context, reason string, segments ...string) error
	Retired func(ctx context.Context, segments ...string) ([]string, error)

	// Since tells each of the chain when segments were retired since a time, by which reason and how many; nil: what
	// an earlier process removed is not known. As of seal.Keeper.
	Since func(ctx context.Context, since time.Time, each func(at time.Time, reason string, segments int)) error

	Now    func() time.Time     // wall clock; default time.Now
	Uptime func() time.Duration // of the machine; default what the system says
	Logger *slog.Logger         // default: nobody is told

	step  func(string) error // tests let a step fail, as a kill would; nil: none fails
	space func(dir string) (free, total uint64, err error)
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Uptime == nil {
		o.Uptime = uptime()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.step == nil {
		o.step = func(string) error { return nil }
	}
	if o.space == nil {
		o.space = format.SpaceOf
	}
	return o
}

// Pruner removes the oldest segments of a log, in the process that writes it. All methods may be called by any
// number of goroutines, Run by one.
type Pruner struct {
	log    *format.Log    // constant after Open, as the next three
	w      *format.Writer //
	o      Options        // with its defaults
	sealed <-chan struct{}
	kick   chan struct{} // one slot: the policy is another one

	working sync.Mutex // held by who looks at files and removes some, across IO
	clock   *clock     // used with working held, as all up to mu
	spans   spans
	spent   allowance
	reserve reserve
	doubted string        // said last
	freed   time.Duration // uptime at which free space was last made; 0: never
	listed  listing

	mu     sync.Mutex
	policy Policy // guarded by mu, as all below
	stats  Stats
}

// Stats is what a pruner has done since it was opened.
type Stats struct {
	Segments, Bytes uint64    // removed
	Last            time.Time // when it was last looked whether something is to be removed, without an error; zero: never
	Failures        uint64    // times that it could not be done
	Failing         bool      // the last attempt of Run failed; it is tried again
	Reason          string    // why
	Short           bool      // less of the disk is free than should be, and nothing more may be removed now
	Doubt           string    // why the clock is not believed; empty: it is, or nobody asked it
}

// Open makes ready to prune the log in the data directory dir, which w writes. It removes nothing yet. How large
// segments get is from then on as the policy wants it.
func Open(dir string, w *format.Writer, o Options) (*Pruner, error) {
	log, err := format.OpenLog(dir)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	p := &Pruner{log: log, w: w, o: o, sealed: w.SealBell(), kick: make(chan struct{}, 1), clock: newClock(o.Now, o.Uptime),
		spans: spans{log: log, known: map[string]span{}}, reserve: reserve{path: filepath.Join(dir, ReserveName)}, policy: o.Policy}
	w.SetSegmentBytes(o.Policy.SegmentBytes())
	return p, nil
}

// SetPolicy makes Run follow another policy, at once.
func (p *Pruner) SetPolicy(policy Policy) {
	p.mu.Lock()
	same := p.policy == policy
	p.policy, p.stats.Short = policy, p.stats.Short && same
	p.mu.Unlock()
	if same {
		return
	}
	p.w.SetSegmentBytes(policy.SegmentBytes())
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// Policy returns the policy in force.
func (p *Pruner) Policy() Policy {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.policy
}

// Stats returns what was done since Open.
func (p *Pruner) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

const (
	lookEvery = time.Minute
	settle    = 45 * time.Second // until a file system shows as free what was removed
	maxRetry  = time.Hour
)

// Run removes what the policy demands until ctx ends: after a segment was sealed, and each minute for what only time
// or other files on the disk make due. Without a rule it sleeps. What an earlier process left undone comes first.
func (p *Pruner) Run(ctx context.Context) error {
	retry := format.Retry{Every: lookEvery, Most: maxRetry, Fails: "old records cannot be removed now; it is tried again",
		Works: "old records can be removed again", Logger: p.o.Logger}
	resumed := false
	for {
		var err error
		if !resumed {
			err = p.resume(ctx)
			resumed = err == nil
		}
		if err == nil && p.Policy().Keeps() {
			_, err = p.once(ctx, p.Policy(), "", true)
		}
		if ctx.Err() != nil {
			return nil
		}
		wait := retry.Next(err)
		p.count(func(s *Stats) {
			if s.Failing, s.Reason = err != nil, ""; s.Failing {
				s.Failures++
				s.Reason = err.Error()
			}
		})
		if !p.sleep(ctx, wait) {
			return nil
		}
	}
}

// sleep waits until there may be something to do; false when ctx ends. The rule of bytes needs no timer.
func (p *Pruner) sleep(ctx context.Context, wait time.Duration) bool {
	var due <-chan time.Time
	if policy := p.Policy(); wait > lookEvery || policy.Age > 0 || policy.Free != (Space{}) {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	sealed := p.sealed
	if wait > lookEvery {
		sealed = nil // it failed: a busy log must not make it be tried more often
	}
	select {
	case <-ctx.Done():
		return false
	case <-p.kick:
	case <-sealed:
	case <-due:
	}
	return true
}

func (p *Pruner) count(f func(*Stats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.stats)
}

// listing is the list of segments as it was when so many had been sealed. While that stands the folder is not read
// again: even that may make a disk write.
type listing struct {
	segs   []format.Segment
	sealed uint64
}

// segments lists the segments, anew or as they were last known.
func (p *Pruner) segments(anew bool) ([]format.Segment, error) {
	sealed := p.w.Stats().Sealed
	n := len(p.listed.segs)
	if !anew && n > 0 && p.listed.sealed == sealed {
		active := &p.listed.segs[n-1]
		if fi, err := os.Stat(filepath.Join(p.log.Dir(), active.Name)); err == nil {
			active.Size, active.Stored = fi.Size(), fi.Size()
			return p.listed.segs, nil
		}
	}
	segs, err := p.log.Segments()
	if err != nil {
		return nil, err
	}
	p.spans.forget(segs)
	p.listed = listing{segs, sealed}
	return segs, nil
}

// look makes the scene of a policy. What the rules do not ask for is not looked at.
func (p *Pruner) look(policy Policy, bounded, anew bool) (scene, error) {
	segs, err := p.segments(anew)
	if err != nil {
		return scene{}, err
	}
	s := scene{files: make([]file, len(segs)), free: math.MaxUint64, budget: -1}
	for i, seg := range segs {
		s.files[i] = file{name: seg.Name, first: seg.First, bytes: seg.Stored + p.beside(seg.Name)}
	}
	if n := len(segs); n > 0 && bounded { // a person means what is there now
		s.reserve = max(p.w.SegmentBytes()-segs[n-1].Size, 0)
	}
	if settled := p.freed == 0 || p.o.Uptime()-p.freed >= settle || !bounded; settled && policy.Free != (Space{}) {
		if s.free, s.total, err = p.o.space(p.log.Dir()); err != nil {
			return s, err
		}
		s.looked = true
	}
	if policy.Age > 0 || policy.AtLeast.Age > 0 {
		if err := p.age(&s, segs); err != nil {
			return s, err
		}
	}
	if bounded {
		s.budget = p.spent.left(len(segs)-1, p.o.Uptime())
	}
	return s, nil
}

// beside is the size of what belongs to a segment and is removed with it.
func (p *Pruner) beside(name string) int64 {
	fi, err := os.Stat(filepath.Join(p.log.Dir(), name+blockSuffix))
	if err != nil {
		return 0
	}
	return fi.Size()
}

const blockSuffix = ".blk" // of format/seal

// age finds out how old the segments are, and whether the clock is to be believed.
func (p *Pruner) age(s *scene, segs []format.Segment) error {
	all := make([]span, len(segs))
	var newest time.Time
	for i, seg := range segs {
		one, err := p.spans.of(seg)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		all[i] = one
		newest = later(newest, one.last)
	}
	now, up, doubt := p.clock.read(newest)
	s.doubt = doubt
	p.clock.ages(s.files, all, now, up)
	if doubt != "" && p.doubted == "" {
		p.o.Logger.Warn("nothing is removed for its age: the clock looks wrong", "reason", doubt)
	}
	if doubt == "" && p.doubted != "" {
		p.o.Logger.Info("the clock is believed again")
	}
	p.doubted = doubt
	p.count(func(s *Stats) { s.Doubt = doubt })
	return nil
}
