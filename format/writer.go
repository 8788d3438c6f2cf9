package format

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// Options is how a [Writer] works. The zero value is usable.
type Options struct {
	SegmentBytes int64            // a segment is sealed when it has grown to this; default 32 MiB
	SyncEvery    time.Duration    // longest time a line given to Write waits for its sync; default 1s
	KeepFree     int64            // bytes of the disk left alone; default 64 MiB, negative: none
	Host         string           // put into records that have no host
	Now          func() time.Time // default time.Now
}

// WriterStats is what a writer has done since it was opened.
type WriterStats struct {
	Records, Bytes    uint64 // appended
	Writes            uint64 // write calls
	Syncs             uint64 // fdatasync calls that succeeded
	SyncErrors        uint64
	SyncTime          time.Duration // spent in fdatasync
	Sealed            uint64        // segments
	State             string        // StateOK, StateFull or StateReadOnly
	Reason            string        // why the state is not ok
	Refused           uint64        // records refused in the states full and read-only
	LastSeq, LastEseq uint64
}

// The states of a writer.
const (
	StateOK       = "ok"
	StateFull     = "full"
	StateReadOnly = "read-only"
)

// Writer appends records to a data directory.
type Writer struct {
	dir  string
	opts Options
	lock *os.File

	mu        sync.Mutex
	seg       *os.File
	size      int64
	seq, eseq uint64
	dirty     bool
	ring      chan struct{}
	stats     WriterStats
}

// Open locks the data directory dir and makes it ready for appending.
func Open(dir string, o Options) (*Writer, error) {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 32 << 20
	}
	if o.SyncEvery <= 0 {
		o.SyncEvery = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o750); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		b := make([]byte, 32)
		n, _ := lock.ReadAt(b, 0)
		lock.Close()
		return nil, fmt.Errorf("data directory %s is locked by process %s; stop it or choose another --data: %w", dir, strings.TrimSpace(string(b[:n])), ErrLocked)
	}
	_ = lock.Truncate(0)
	_, _ = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	w := &Writer{dir: dir, opts: o, lock: lock, ring: make(chan struct{}, 1)}
	l := &Log{dir: filepath.Join(dir, "log")}
	for line, err := range l.Forward(0) {
		if err != nil {
			continue
		}
		var f Fields
		if ScanLine(line.Bytes, &f) == nil {
			w.seq, w.eseq = max(w.seq, f.Seq), max(w.eseq, f.Eseq)
		}
	}
	segs, err := l.Segments()
	if err != nil {
		return nil, err
	}
	if len(segs) > 0 {
		s := segs[len(segs)-1]
		w.seg, err = os.OpenFile(filepath.Join(dir, "log", s.Name), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return nil, err
		}
		w.size = s.Size
	}
	return w, nil
}

// Append gives the records their numbers, writes them and returns when they are on disk.
func (w *Writer) Append(ctx context.Context, recs ...*Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(recs, false); err != nil {
		return err
	}
	w.dirty = false
	w.stats.Syncs++
	return w.seg.Sync()
}

// Write gives the records their numbers and writes them; Run syncs them within SyncEvery.
func (w *Writer) Write(recs ...*Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(recs, false); err != nil {
		return err
	}
	w.markDirty()
	return nil
}

// Restore writes records that have their numbers already; these must rise.
func (w *Writer) Restore(recs ...*Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(recs, true); err != nil {
		return err
	}
	w.markDirty()
	return nil
}

func (w *Writer) markDirty() {
	w.dirty = true
	select {
	case w.ring <- struct{}{}:
	default:
	}
}

func (w *Writer) write(recs []*Record, keep bool) error {
	var buf []byte
	for _, r := range recs {
		if err := r.Validate(); err != nil {
			return err
		}
		if keep {
			if r.Seq <= w.seq {
				return fmt.Errorf("restore record %d: the log already ends with %d", r.Seq, w.seq)
			}
			w.seq, w.eseq = r.Seq, max(r.Eseq, w.eseq)
		} else {
			w.seq++
			r.Seq = w.seq
			if r.Eseq == NextEseq {
				w.eseq++
				r.Eseq = w.eseq
			}
			if r.Obs.IsZero() {
				r.Obs = w.opts.Now().UTC()
			}
			if r.Time.IsZero() {
				r.Time = r.Obs
			}
			if r.ID == "" {
				r.ID = uuid.Must(uuid.NewV7()).String()
			}
			if r.Host == "" {
				r.Host = w.opts.Host
			}
		}
		buf = AppendLine(buf, r)
	}
	if len(recs) == 0 {
		return nil
	}
	if w.seg == nil || w.size >= w.opts.SegmentBytes {
		if err := w.next(recs[0].Seq); err != nil {
			return err
		}
	}
	n, err := w.seg.Write(buf)
	w.size += int64(n)
	w.stats.Writes++
	w.stats.Records += uint64(len(recs))
	w.stats.Bytes += uint64(n)
	return err
}

func (w *Writer) next(first uint64) error {
	if w.seg != nil {
		if err := errors.Join(w.seg.Sync(), w.seg.Close()); err != nil {
			return err
		}
		w.stats.Sealed++
	}
	f, err := os.OpenFile(filepath.Join(w.dir, "log", segmentName(first)), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	w.seg, w.size = f, 0
	return nil
}

// Run syncs what Write wrote, until ctx ends.
func (w *Writer) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.ring:
		}
		select {
		case <-ctx.Done():
		case <-time.After(w.opts.SyncEvery):
		}
		w.mu.Lock()
		if w.dirty && w.seg != nil {
			w.dirty = false
			_ = w.seg.Sync()
			w.stats.Syncs++
		}
		w.mu.Unlock()
	}
}

// Seal closes the active segment; false when it is empty.
func (w *Writer) Seal() (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seg == nil || w.size == 0 {
		return false, nil
	}
	return true, w.next(w.seq + 1)
}

// Close syncs and gives the directory free.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var err error
	if w.seg != nil {
		err = errors.Join(w.seg.Sync(), w.seg.Close())
		w.seg = nil
	}
	return errors.Join(err, w.lock.Close())
}

// Last returns the newest seq and the newest eseq.
func (w *Writer) Last() (seq, eseq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seq, w.eseq
}

// Stats returns what was done since Open.
func (w *Writer) Stats() WriterStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.State, s.LastSeq, s.LastEseq = StateOK, w.seq, w.eseq
	return s
}
