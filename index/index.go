package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"shiplog/format"
)

// Options of an [Index]. The zero value answers from memory and by reading the files.
type Options struct {
	Dir      string       // where the indexes of sealed segments are kept; "": nowhere
	ReadOnly bool         // use what is in Dir but write nothing
	Await    bool         // the data directory may come later; until then there are no records
	Memory   int          // bytes of columns kept for sealed segments without an index in Dir; default 16 MiB, 64 MiB without Dir
	Logger   *slog.Logger // default: nothing is logged
}

// Index answers queries about one data directory. It is safe for concurrent use, and any number of them, in
// any number of processes, may read one directory, also while it grows.
type Index struct {
	dir  string // the log folder
	opts Options
	log  *format.Log
	text chan struct{} // one slot for each text search that may run at a time

	cache   cache
	buffers sync.Pool // of *[]byte, for run.buf
	shards  shards
	rolls   rollups
	make    func(*segment) error // buildNicely; tests have their own
	held    int                  // maxHeld, likewise
	lively  int                  // maxLiveRows, likewise
	limits  limits               // normalLimits, likewise
	kick    chan struct{}        // Run: an index was set aside
	asked   chan struct{}        // no slot: Run answers Alive by receiving
	strays  atomic.Bool          // a segment holds records of another, see errStray
	bell    bell
	count   counters

	// mu is held while files are looked at and read on: who comes second finds it done.
	mu     sync.Mutex
	segs   []*segment // guarded by mu, as all below; oldest first
	odd    int        // things that are called segments and are no files
	listed time.Time  // the directory's time of change when it was listed
	racy   bool       // it had changed so shortly before that a further change may not show in its time
	snap   *snapshot
	built  time.Time // Options.Dir's time of change when it was last looked at
}

// snapshot is the log at one moment. It never changes.
type snapshot struct {
	views []view // oldest first
}

// view is one segment at one moment.
type view struct {
	seg   *segment
	after uint64   // records of this file have a seq above it ...
	below uint64   // ... and below it (0: no bound); others were put there by a tool
	id    fileID   // the file
	cols  *columns // of the newest segment; nil: ask Index.open
}

// maxTextSearches is how many searches for text run at a time: each can keep one core busy.
const maxTextSearches = 2

// Open makes an index of the data directory dataDir (the one that holds the folder log, or that folder). It
// reads nothing yet and starts nothing.
func Open(dataDir string, o Options) (*Index, error) {
	open := format.OpenLog
	if o.Await {
		open = format.AwaitLog
	}
	log, err := open(dataDir)
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Memory == 0 {
		o.Memory = 16 << 20
		if o.Dir == "" {
			o.Memory = 64 << 20
		}
	}
	x := &Index{dir: log.Dir(), opts: o, log: log, text: make(chan struct{}, maxTextSearches), kick: make(chan struct{}, 1), asked: make(chan struct{})}
	x.make, x.held, x.lively, x.limits = x.buildNicely, maxHeld, maxLiveRows, normalLimits
	x.cache.limit = o.Memory
	x.bell.init(log.Dir())
	return x, nil
}

// Close lets go of files and memory. No search may be running.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.forgetAll()
	x.bell.end()
	return nil
}

// forgetAll leaves an empty log. x.mu is held.
func (x *Index) forgetAll() {
	for _, s := range x.segs {
		x.letGo(s)
	}
	x.segs, x.snap, x.listed = nil, &snapshot{}, time.Time{}
}

// letGo frees what is held of s, which is no longer part of the log.
func (x *Index) letGo(s *segment) {
	x.cache.forget(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	x.closeDisk(s, diskUnknown)
}

// racyAge is how old a directory's time of change must be before it is trusted to show the next change: file
// systems round it, some to two seconds.
const racyAge = 2 * time.Second

// look brings the index up to what stands in the files now.
func (x *Index) look() (*snapshot, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	snap, err := x.lookLocked()
	if errors.Is(err, os.ErrNotExist) { // a segment went between the listing and the reading
		x.racy = true
		snap, err = x.lookLocked()
	}
	return snap, err
}

func (x *Index) lookLocked() (*snapshot, error) {
	fi, err := os.Stat(x.dir)
	if errors.Is(err, os.ErrNotExist) {
		x.forgetAll() // no record was ever written
		return x.snap, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at log: %w", err)
	}
	x.lookForIndexes()
	changed := x.snap == nil
	if changed || x.racy || !fi.ModTime().Equal(x.listed) {
		now := time.Now()
		did, err := x.list()
		if err != nil {
			return nil, fmt.Errorf("list log: %w", err)
		}
		x.listed, x.racy = fi.ModTime(), now.Sub(fi.ModTime()) < racyAge
		changed = changed || did
	}
	if n := len(x.segs); n > 0 {
		did, err := x.segs[n-1].readOn(x.log)
		if err != nil {
			return nil, err
		}
		changed = changed || did
	}
	if changed {
		x.snap = x.makeSnapshot()
	}
	return x.snap, nil
}

// lookForIndexes notices indexes that another process made.
func (x *Index) lookForIndexes() {
	if x.opts.Dir == "" {
		return
	}
	fi, err := os.Stat(x.opts.Dir)
	if err != nil || fi.ModTime().Equal(x.built) && time.Since(x.built) > racyAge {
		return
	}
	x.built = fi.ModTime()
	for _, s := range x.segs {
		if !s.mu.TryLock() { // it is being read: no reason to wait
			x.built = time.Time{}
			continue
		}
		if s.diskState == diskNone || s.diskState == diskBad && !x.mayWrite() {
			s.diskState = diskUnknown
		}
		s.mu.Unlock()
	}
}

// list takes over the list of segments: new ones, gone ones, sealed ones, replaced ones.
func (x *Index) list() (changed bool, err error) {
	found, odd, err := x.log.List()
	if err != nil {
		return false, err
	}
	if x.odd != len(odd) {
		for _, o := range odd {
			x.opts.Logger.Warn("damaged", "err", o)
		}
		x.odd, changed = len(odd), true
	}
	known := make(map[uint64]*segment, len(x.segs))
	for _, s := range x.segs {
		known[s.First] = s
	}
	segs := make([]*segment, 0, len(found))
	for i, fs := range found {
		s := known[fs.First]
		if s == nil || s.Name != fs.Name {
			s = newSegment(fs)
		}
		if i < len(found)-1 {
			kept, err := x.sealed(s)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return false, err
			}
			s = kept
		}
		if known[s.First] == s {
			delete(known, s.First)
		} else {
			changed = true
		}
		segs = append(segs, s)
	}
	for _, gone := range known {
		x.letGo(gone)
		changed = true
	}
	x.segs = segs
	if changed {
		x.strays.Store(false) // who looks will see
	}
	return changed, nil
}

// sealed makes sure that s, which is not the newest segment, is known as the file it is now.
func (x *Index) sealed(s *segment) (*segment, error) {
	fi, err := x.log.StatSegment(s.Name)
	if err != nil {
		return nil, err
	}
	id := fileIDOf(fi)
	switch {
	case s.tail != nil: // it was the newest one until now: read the rest
		if _, err := s.readOn(x.log); err != nil {
			return nil, err
		}
		cols := s.tail.view()
		cols.live = nil // what is counted of sealed segments has bounds of its own
		cols.damaged += s.torn
		cols.cube = makeCube(cols)
		n := newSegment(s.Segment)
		n.id, n.cols, n.thin, n.span = s.id, cols, cols.thin(), cols.span()
		n.mu.Lock()
		x.cache.touch(n)
		n.mu.Unlock()
		return n, nil
	case s.id == fileID{}:
		s.id = id
	case !s.id.same(id):
		n := newSegment(s.Segment)
		n.id = id
		return n, nil
	}
	return s, nil
}

// makeSnapshot is the log as it was just read.
func (x *Index) makeSnapshot() *snapshot {
	snap := &snapshot{views: make([]view, len(x.segs))}
	for i, s := range x.segs {
		v := view{seg: s, after: max(s.First, 1) - 1, id: s.id}
		if i+1 < len(x.segs) {
			v.below = x.segs[i+1].First
		} else {
			v.cols = s.tail.view()
			v.cols.damaged += s.torn
		}
		snap.views[i] = v
	}
	return snap
}

// Last returns the highest seq and eseq in the log; 0 when there is none.
func (x *Index) Last(ctx context.Context) (seq, eseq uint64, err error) {
	return x.edge(ctx, true)
}

// LastSeq returns the highest seq in the log; 0 when there is none. To know the highest eseq, too, takes much longer in a
// log without events and without an index.
func (x *Index) LastSeq(ctx context.Context) (uint64, error) {
	snap, err := x.look()
	if err != nil {
		return 0, err
	}
	return x.lastSeq(ctx, snap)
}

// First returns the lowest seq and eseq still in the log, older ones having been pruned; 0 when there is none.
func (x *Index) First(ctx context.Context) (seq, eseq uint64, err error) {
	return x.edge(ctx, false)
}
