package format

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// maxCommit bounds one write of a commit, so that the first who waits does not wait for ever more who came later.
const maxCommit = 1 << 20

// commit takes what waits in the queue, writes it by one call and syncs it by one, again and again until
// nothing waits. Those who come during a sync make up the next batch: the slower the disk, the larger the batch,
// and no one is held back to wait for others.
func (w *Writer) commit() {
	for {
		reqs := w.take()
		if len(reqs) == 0 {
			return
		}
		var batches []*batch
		for _, q := range reqs {
			if q.batch.bytes > 0 { // that of Alive is empty
				batches = append(batches, q.batch)
			}
		}
		var err error
		if len(batches) > 0 {
			w.mu.Lock()
			if err = w.put(batches...); err == nil {
				err = w.syncTo(w.seq)
			}
			w.mu.Unlock()
		}
		for _, q := range reqs {
			q.err = err
			close(q.done)
		}
	}
}

// take removes the oldest requests from the queue, at least one; none when the committer may end.
func (w *Writer) take() []*request {
	w.qmu.Lock()
	defer w.qmu.Unlock()
	n, bytes := 0, 0
	for n < len(w.queue) && (n == 0 || bytes+w.queue[n].batch.bytes <= maxCommit) {
		bytes += w.queue[n].batch.bytes
		n++
	}
	reqs := w.queue[:n:n]
	w.queue = w.queue[n:]
	if len(w.queue) == 0 {
		w.queue = nil
	}
	w.committing = n > 0
	return reqs
}

// withdraw takes a request out of the queue again; false when the committer has it already. So the queue holds
// no more than there are callers, however long a disk hangs.
func (w *Writer) withdraw(q *request) bool {
	w.qmu.Lock()
	defer w.qmu.Unlock()
	i := slices.Index(w.queue, q)
	if i >= 0 {
		w.queue = slices.Delete(w.queue, i, i+1)
	}
	return i >= 0
}

// put numbers the batches and writes them in one call, all or none. The caller holds mu.
func (w *Writer) put(batches ...*batch) error {
	size, records := 0, 0
	for _, b := range batches {
		size += b.bytes
		records += len(b.lines)
	}
	if err := w.readyFor(size, len(batches) == 1 && batches[0].reserved); err != nil {
		w.refuse(records)
		return err
	}
	all, err := w.withNotices(batches)
	if err != nil {
		return err
	}
	buf, seq, eseq, n := w.buf[:0], w.seq, w.eseq, 0
	for _, b := range all {
		if buf, seq, eseq, err = b.number(buf, seq, eseq); err != nil {
			return err
		}
		n += len(b.lines)
	}
	if len(buf) == 0 {
		return nil
	}
	first := all[0].lines[0].seq
	if n, err := w.writeLines(buf, first); err != nil {
		w.useUp(all, bytes.Count(buf[:n], []byte("\n")))
		err = w.fail(err)
		w.refuse(records)
		return err
	}
	w.seq, w.eseq, w.notices = seq, eseq, w.laterNotices(batches)
	w.health = health{checked: w.health.checked, since: w.health.since + len(buf)}
	w.stats.Records += uint64(n)
	if w.buf = buf; cap(buf) > maxCommit {
		w.buf = nil
	}
	w.ring()
	return nil
}

// writeLines appends whole lines to the active segment, which it begins when there is none. What a failed write
// left is taken away again: a good line never follows a half one. It returns how much was written all the same.
func (w *Writer) writeLines(buf []byte, first uint64) (n int, err error) {
	if w.seg == nil {
		if err := w.startSegment(first); err != nil {
			return 0, err
		}
	}
	n, err = w.seg.Write(buf)
	w.stats.Writes++
	if err == nil && n < len(buf) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.spoiled = n > 0 && w.seg.Truncate(w.size) != nil
		return n, err
	}
	if len(w.tail) == 0 {
		w.tailFirst = first
	}
	w.tail = append(w.tail, buf...)
	w.size += int64(n)
	w.stats.Bytes += uint64(n)
	return n, nil
}

// useUp sees to it that the numbers of the first lines of a failed write are not given to other records: these
// lines were whole. They may still stand in the file, where a reader would serve them instead of those others,
// and even if they were taken back a follower may have seen them.
func (w *Writer) useUp(batches []*batch, lines int) {
	for _, b := range batches {
		for _, l := range b.lines {
			if lines == 0 {
				return
			}
			lines--
			if w.spoiled {
				w.seq, w.eseq = l.seq, max(w.eseq, l.eseq)
			} else if !b.restore { // what is restored comes again with the same number
				w.seq = l.seq
			}
		}
	}
}

// syncTo returns when the record with the number seq is durable. The caller holds mu, which is given free during
// the sync itself.
func (w *Writer) syncTo(seq uint64) error {
	for w.synced < seq && len(w.tail) > 0 {
		if w.syncing {
			w.turn.Wait()
			continue
		}
		if w.seg == nil { // an earlier sync failed and what it left could not be written elsewhere yet
			if err := w.ready(0); err != nil {
				return err
			}
			continue
		}
		if err := w.syncSegment(); err != nil {
			return err
		}
	}
	return nil
}

// syncSegment syncs what the active segment holds at this moment.
func (w *Writer) syncSegment() error {
	seg, size, seq, start := w.seg, w.size, w.seq, time.Now()
	w.syncing = true
	w.mu.Unlock()
	err := seg.Sync()
	w.mu.Lock()
	w.syncing = false
	w.turn.Broadcast()
	w.tookSync(time.Since(start))
	if err != nil {
		return w.syncFailed(err)
	}
	w.stats.Syncs++
	w.tail = w.tail[:copy(w.tail, w.tail[size-w.durable:])]
	if cap(w.tail) > maxCommit && len(w.tail) == 0 && size-w.durable < maxTail { // else as much is about to follow
		w.tail = nil
	}
	w.durable, w.synced, w.tailFirst = size, seq, seq+1
	ring(w.grown)
	return nil
}

// tookSync counts one sync. Called with mu held.
func (w *Writer) tookSync(took time.Duration) {
	w.stats.SyncTime += took
	if w.opts.Synced != nil {
		w.opts.Synced(took)
	}
}

// syncFailed gives up the active segment after a failed sync. The kernel reports such an error once and then
// believes its pages clean, so a second sync would lie: the segment ends where it is known durable, and the
// lines after that are written again to a new one, and only then taken away where they were: kill -9 loses none.
func (w *Writer) syncFailed(err error) error {
	w.stats.SyncErrors++
	w.notices = append(w.notices, w.syncNotice(err))
	old, durable := w.seg, w.durable
	w.seg, w.spoiled = nil, false
	defer old.Close()
	if nerr := w.startSegment(w.tailFirst); nerr != nil {
		return w.fail(errors.Join(err, nerr)) // the only copy outside this process is left where it is
	}
	if durable > 0 { // else it was set aside
		_ = old.Truncate(durable)
	}
	return nil
}

// startSegment begins a segment: with the lines that are not durable yet, if there are any, else with the
// record first as the next to come. The active segment is not closed.
func (w *Writer) startSegment(first uint64) error {
	if len(w.tail) > 0 {
		first = w.tailFirst
	}
	name := segmentName(first)
	path := filepath.Join(w.dir, name)
	f, err := w.disk.open(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL)
	if errors.Is(err, os.ErrExist) {
		if err = w.setAside(path); err == nil {
			f, err = w.disk.open(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
		}
	}
	if err != nil {
		return err
	}
	if len(w.tail) > 0 {
		var n int
		if n, err = f.Write(w.tail); err == nil && n < len(w.tail) {
			err = io.ErrShortWrite
		}
		w.stats.Writes++
		if err == nil {
			err = f.Sync()
			w.stats.Syncs++
		}
	}
	if err == nil {
		err = w.disk.syncDir(w.dir)
	}
	if err != nil {
		_ = f.Truncate(0) // a file without lines is set aside by the next attempt
		return errors.Join(err, f.Close())
	}
	w.seg, w.name, w.spoiled = f, name, false
	ring(w.grown)
	ring(w.sealed)
	for _, bell := range w.bells {
		ring(bell)
	}
	w.size, w.durable = int64(len(w.tail)), int64(len(w.tail))
	if w.tail = w.tail[:0]; w.size > 0 {
		w.synced = w.seq
	}
	return nil
}

// setAside renames a file that stands where a new segment has to begin, unless it is empty: nothing is ever
// deleted.
func (w *Writer) setAside(path string) error {
	if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() && fi.Size() == 0 {
		return nil
	}
	to := path + tornSuffix
	for i := 1; ; i++ {
		if _, err := os.Lstat(to); err != nil {
			return w.disk.rename(path, to)
		}
		to = path + "." + strconv.Itoa(i) + tornSuffix
	}
}

// rotate seals the active segment and begins the next. No sync may be under way.
func (w *Writer) rotate() error {
	if w.durable < w.size {
		start := time.Now()
		err := w.seg.Sync()
		w.tookSync(time.Since(start))
		if err != nil {
			return w.syncFailed(err)
		}
		w.stats.Syncs++
		w.tail, w.durable, w.synced, w.tailFirst = w.tail[:0], w.size, w.seq, w.seq+1
	}
	old := w.seg
	if err := w.startSegment(w.seq + 1); err != nil {
		return err
	}
	w.stats.Sealed++
	return old.Close()
}
