package format

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Writer appends records to a data directory: it is the only one that does. All methods may be called by any
// number of goroutines.
type Writer struct {
	dir  string   // the folder of segments; constant after Open, as the next three
	opts Options  // with its defaults
	disk *disk    //
	lock *os.File // held until Close

	dirty     chan struct{}  // one slot: something waits for a sync
	grown     chan struct{}  // one slot: durable or the active segment changed
	sealed    chan struct{}  // one slot: the active segment is another one
	asked     chan struct{}  // no slot: Run answers Alive by receiving
	committer sync.WaitGroup // of the goroutine that commits, if there is one

	spare sync.Pool // of *batch, for write

	qmu        sync.Mutex
	queue      []*request // waiting to be written and synced, guarded by qmu as the next two
	committing bool       // a goroutine takes from queue
	closed     bool

	mu      sync.Mutex // held across a write call, never across a sync but when a segment is sealed
	turn    sync.Cond  // on mu: a sync ended
	syncing bool       // a sync of seg is under way without mu; seg must not be closed. Guarded by mu as all below

	seg     file   // the active segment; nil: none yet, or the last one may not be written any more
	name    string // of seg
	size    int64  // of the good lines in seg; what is beyond is a half line to be truncated
	spoiled bool   // there is such a half line, and it could not be truncated yet
	durable int64  // bytes of seg that are synced

	tail      []byte // the lines after durable, to be written again should their sync fail
	tailFirst uint64 // seq of the first record in tail
	synced    uint64 // seq of the newest durable record

	seq, eseq uint64 // newest; eseq once knowEseq has returned
	buf       []byte // reused for each write

	torn    *tornTail // found at Open and not yet taken away
	notices []*Record // about the log itself, to go before the next records
	health  health
	stats   WriterStats

	bells []chan struct{} // of SealBell

	eseqOnce sync.Once
	older    []Segment // where the newest eseq is to be looked for; nil: it is known
}

// request is one call of Append waiting for its commit.
type request struct {
	batch *batch
	done  chan struct{}
	err   error // valid after done is closed
}

// Open locks the data directory dir, makes it when it is missing, takes away what a crash left behind (see
// the package's document) and makes ready to append. ErrLocked when another process writes there, ErrVersion
// when the newest segment was written by a newer program, ErrReadOnly or ErrFull when the directory cannot
// even be locked. On a disk that is full Open succeeds and appending fails with ErrFull.
func Open(dir string, o Options) (*Writer, error) {
	w := &Writer{dir: filepath.Join(dir, "log"), opts: o.withDefaults(), dirty: make(chan struct{}, 1), asked: make(chan struct{}),
		grown: make(chan struct{}, 1), sealed: make(chan struct{}, 1)}
	w.turn.L = &w.mu
	w.disk = w.opts.disk
	if err := w.makeDirs(dir); err != nil {
		return nil, fmt.Errorf("open data directory %s: %w", dir, classify(err))
	}
	lock, err := lockDir(dir)
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("open data directory %s: %w: stop it or choose another --data", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open data directory %s: %w", dir, classify(err))
	}
	w.lock = lock
	if err := w.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open data directory %s: %w", dir, err), lock.Close())
	}
	return w, nil
}

func (w *Writer) makeDirs(dir string) error {
	if _, err := os.Stat(w.dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(w.dir, 0o750); err != nil {
		return err
	}
	err := w.disk.syncDir(filepath.Dir(filepath.Clean(dir)))
	if errors.Is(err, fs.ErrPermission) {
		err = nil // a folder that others own and may not be listed; dir was there before
	}
	return errors.Join(err, w.disk.syncDir(dir))
}

// Append gives the records their Seq (and the next Eseq to those whose Eseq is not zero), their ID, Obs, Time
// and Host where these are missing, trims them and returns when all are on disk. On an error nothing is given
// and the records are not in the log, with three exceptions in which they may be: ctx ended during the sync, the
// sync failed, or a write failed after some lines and the disk would not let these be taken back. Calls that come while a sync is under way share the next one.
// ErrFull and ErrReadOnly are states that end by themselves.
func (w *Writer) Append(ctx context.Context, recs ...*Record) error {
	b := new(batch)
	if err := w.prepare(b, recs, false); err != nil || len(recs) == 0 {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	q := &request{batch: b, done: make(chan struct{})}
	if !w.enqueue(q) {
		return errClosed
	}
	select {
	case <-q.done:
	case <-ctx.Done():
		if w.withdraw(q) {
			return fmt.Errorf("append: not stored: %w", ctx.Err())
		}
		select {
		case <-q.done:
		default:
			return fmt.Errorf("append: whether the record is stored is unknown: %w", ctx.Err())
		}
	}
	if q.err != nil {
		return fmt.Errorf("append: %w", q.err)
	}
	b.giveBack(recs)
	return nil
}

// enqueue hands q to the goroutine that commits, and starts one when there is none; false when the writer is closed.
func (w *Writer) enqueue(q *request) bool {
	w.qmu.Lock()
	defer w.qmu.Unlock()
	if w.closed {
		return false
	}
	w.queue = append(w.queue, q)
	if !w.committing {
		w.committing = true
		w.committer.Go(w.commit)
	}
	return true
}

// Write does as Append but returns when the records are written: kill -9 does not lose them, a power cut within
// Options.SyncEvery may. It needs [Writer.Run]. On an error none of the records is in the log, but for the third
// exception of Append, and none was touched: they may be handed in again.
func (w *Writer) Write(recs ...*Record) error { return w.write(recs, false) }

// Restore writes records that have their Seq already, and keeps it, their Eseq, ID and Obs: an import of what
// was exported. Seq must rise, Eseq too where it is not zero. Synced as what Write writes.
func (w *Writer) Restore(recs ...*Record) error { return w.write(recs, true) }

func (w *Writer) write(recs []*Record, restore bool) error {
	b, _ := w.spare.Get().(*batch)
	if b == nil {
		b = new(batch)
	}
	defer func() {
		b.clear()
		w.spare.Put(b)
	}()
	if err := w.prepare(b, recs, restore); err != nil || len(recs) == 0 {
		return err
	}
	if err := w.writeBatch(b); err != nil {
		return err
	}
	b.giveBack(recs)
	return nil
}

// maxTail bounds the memory that holds lines until they are synced.
const maxTail = 4 << 20

// Run syncs what Write wrote, until ctx ends or the writer is closed. It sleeps for ever while nothing is written.
func (w *Writer) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.asked:
			continue
		case <-w.dirty:
		}
		if !w.pause(ctx) {
			return nil // Close syncs
		}
		w.mu.Lock()
		if w.health.state == stateClosed {
			w.mu.Unlock()
			return nil
		}
		err := w.syncTo(w.seq)
		if w.health.state != "" {
			err = errors.Join(err, w.put()) // has the bad state ended? Then what there is to say about it is written
		}
		if err != nil {
			w.ring()
		}
		w.mu.Unlock()
	}
}

// pause waits for Options.SyncEvery; false when ctx ends before.
func (w *Writer) pause(ctx context.Context) bool {
	t := time.NewTimer(w.opts.SyncEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-w.asked:
		case <-t.C:
			return true
		}
	}
}

// ring tells Run that something waits for a sync.
func (w *Writer) ring() { ring(w.dirty) }

// ring puts something into a channel of one slot, unless there is something in it.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// Seal closes the active segment for ever and begins the next; false when the active one is empty.
func (w *Writer) Seal() (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if err := w.ready(0); err != nil {
			return false, fmt.Errorf("seal: %w", err)
		}
		if !w.syncing {
			break
		}
		w.turn.Wait()
	}
	if w.seg == nil || w.size == 0 {
		return false, nil
	}
	if err := w.rotate(); err != nil {
		return false, fmt.Errorf("seal: %w", w.fail(err))
	}
	return true, nil
}

var errClosed = fmt.Errorf("writer: %w", os.ErrClosed)

// Close syncs what is written and gives the directory free. Records that wait in Append are written first.
func (w *Writer) Close() error {
	w.qmu.Lock()
	if w.closed {
		w.qmu.Unlock()
		return nil
	}
	w.closed = true
	w.qmu.Unlock()
	w.committer.Wait()

	w.mu.Lock()
	defer w.mu.Unlock()
	var err error
	if len(w.notices) > 0 {
		err = w.put()
	}
	err = errors.Join(err, w.syncTo(w.seq))
	for w.syncing {
		w.turn.Wait()
	}
	if w.seg != nil {
		err = errors.Join(err, w.seg.Close())
		w.seg = nil
	}
	w.health = health{state: stateClosed}
	w.ring() // Run may end
	return errors.Join(err, w.lock.Close())
}

// Active returns the name of the active segment and how many bytes of it are safe on disk: these never change
// again. Segments with a smaller number do not change at all. The name is empty while there is no active segment,
// or it is not certain which one that is.
func (w *Writer) Active() (name string, durable int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seg == nil {
		return "", 0
	}
	return w.name, w.durable
}

// Bells returns two channels for one goroutine that follows the log: grown receives after more became durable,
// sealed after a segment was sealed. Each holds one ring, however much happened.
func (w *Writer) Bells() (grown, sealed <-chan struct{}) { return w.grown, w.sealed }

// Sync returns when everything written so far is on disk, or with why it is not.
func (w *Writer) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.syncTo(w.seq)
}

// Stats returns what was done since Open.
func (w *Writer) Stats() WriterStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.State, s.Reason, s.LastSeq = w.health.name(), w.health.reason, w.seq
	s.DurableSeq = w.synced
	return s
}
