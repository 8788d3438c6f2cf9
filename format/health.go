package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"syscall"
	"time"
)

// health is whether a writer can write. In a bad state calls are refused at once, but for one attempt in
// retryEvery, so that it ends by itself when its cause does.
type health struct {
	state   string // "" is ok
	reason  string
	err     error     // what refused calls get
	from    time.Time // wall clock, since when
	refused uint64    // records, since then
	retry   time.Time // no attempt before

	checked time.Time // when free space was looked at
	since   int       // bytes written after that
}

const (
	retryEvery  = time.Second
	checkEvery  = time.Second // and at least every checkBytes
	checkBytes  = 256 << 10
	keepFree    = 64 << 20
	stateClosed = "closed"
)

func (h health) name() string {
	if h.state == "" {
		return StateOK
	}
	return h.state
}

// isFull tells the errors that go away when space is made.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, ErrFull)
}

// within wraps err in sentinel unless it is already.
func within(sentinel, err error) error {
	if errors.Is(err, sentinel) {
		return err
	}
	return fmt.Errorf("%w: %w", sentinel, err)
}

// classify wraps err in the sentinel a caller can test for.
func classify(err error) error {
	switch {
	case errors.Is(err, ErrLocked):
		return err
	case isFull(err):
		return fmt.Errorf("%w; make space", within(ErrFull, err))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w; run as the user who owns it, or choose another --data", ErrReadOnly, err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EIO):
		return fmt.Errorf("%w: %w; it can still be read", ErrReadOnly, err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w; choose another --data", err)
	}
	return err
}

// fail enters a bad state, or stays in it, and returns what the caller gets. The caller holds mu.
func (w *Writer) fail(err error) error {
	h := &w.health
	if h.state == "" {
		h.from = w.opts.Now().UTC()
	}
	h.retry, h.reason = time.Now().Add(retryEvery), err.Error()
	if isFull(err) {
		h.state = StateFull
		h.err = fmt.Errorf("%w; make space, then it goes on by itself", within(ErrFull, err))
	} else {
		h.state = StateReadOnly
		h.err = fmt.Errorf("%w: %w; it is tried again by itself", ErrReadOnly, err)
	}
	w.ring()
	return h.err
}

// refuse counts records that were not written.
func (w *Writer) refuse(records int) {
	if w.health.state == StateFull || w.health.state == StateReadOnly {
		w.health.refused += uint64(records)
		w.stats.Refused += uint64(records)
	}
}

// ready makes the active segment fit to take so many bytes more, or says why it cannot. The caller holds mu.
func (w *Writer) ready(bytes int) error { return w.readyFor(bytes, false) }

// readyFor is ready. What is reserved may use what is kept free of the disk, and does not wait for the next attempt.
func (w *Writer) readyFor(bytes int, reserved bool) error {
	switch w.health.state {
	case stateClosed:
		return errClosed
	case "":
	case StateFull:
		if reserved {
			break
		}
		fallthrough
	default:
		now := time.Now()
		if now.Before(w.health.retry) {
			return w.health.err
		}
		w.health.retry = now.Add(retryEvery)
	}
	var err error
	if !reserved {
		err = w.checkFree(bytes)
	}
	if err == nil && w.torn != nil {
		err = w.takeTorn()
	}
	for err == nil && w.seg != nil && (w.spoiled || w.size > 0 && w.size+int64(bytes) > w.opts.SegmentBytes) {
		switch {
		case w.syncing:
			w.turn.Wait()
		case w.spoiled:
			w.clean()
		default:
			err = w.rotate()
		}
	}
	if w.health.state == stateClosed { // during the wait
		return errClosed
	}
	if err == nil && w.seg == nil && len(w.tail) > 0 {
		err = w.startSegment(w.tailFirst)
	}
	if err != nil && !errors.Is(err, w.health.err) {
		err = w.fail(err)
	}
	return err
}

// clean takes a half line away that a failed write left behind, or else gives the segment up. What is not durable
// yet then stands twice, there and in the next segment; readers serve one of them.
func (w *Writer) clean() {
	if w.seg.Truncate(w.size) != nil {
		_ = w.seg.Close()
		w.seg = nil
	}
	w.spoiled = false
}

// checkFree keeps Options.KeepFree of the disk free. It looks now and then only.
func (w *Writer) checkFree(bytes int) error {
	h := &w.health
	now := time.Now()
	if w.opts.KeepFree < 0 || h.state == "" && h.since+bytes < checkBytes && now.Sub(h.checked) < checkEvery {
		return nil
	}
	free, total, err := w.disk.free(w.dir)
	if err != nil {
		return nil // the write will tell
	}
	h.checked, h.since = now, 0
	keep := uint64(w.opts.KeepFree)
	if keep == 0 {
		keep = min(keepFree, total/20)
	}
	if free < keep {
		return fmt.Errorf("%w: %s left, keep-free is %s", ErrFull, mebibytes(free), mebibytes(keep))
	}
	return nil
}

func mebibytes(n uint64) string { return strconv.FormatUint(n>>20, 10) + " MiB" }

// restores tells whether batches come with numbers, which a notice must not take from them.
func restores(batches []*batch) bool { return len(batches) > 0 && batches[0].restore }

// laterNotices is what is still to be said once batches are written.
func (w *Writer) laterNotices(batches []*batch) []*Record {
	if !restores(batches) {
		return nil
	}
	if w.health.state != "" {
		return append(w.notices, w.outageNotice())
	}
	return w.notices
}

// withNotices puts what there is to say about the log itself before the batches.
func (w *Writer) withNotices(batches []*batch) ([]*batch, error) {
	if restores(batches) {
		return batches, nil
	}
	notices := w.notices
	if w.health.state != "" {
		notices = append(notices[:len(notices):len(notices)], w.outageNotice())
	}
	if len(notices) == 0 {
		return batches, nil
	}
	b := new(batch)
	if err := w.prepare(b, notices, false); err != nil {
		return nil, err
	}
	return append([]*batch{b}, batches...), nil
}

// notice is a record about the log itself.
func notice(level Level, action, msg string, data map[string]any) *Record {
	raw, err := json.Marshal(data)
	if err != nil {
		raw = nil
	}
	return &Record{Stream: StreamLog, Level: level, Category: "system", Action: action, Msg: msg,
		Actor: Actor{Type: ActorSystem}, Data: raw}
}

// outageNotice says what was not written in a bad state that has just ended.
func (w *Writer) outageNotice() *Record {
	h, to := w.health, w.opts.Now().UTC()
	action, what := "log.readonly", "The log could not be written"
	if h.state == StateFull {
		action, what = "log.full", "The disk was full"
	}
	const layout = "2006-01-02 15:04:05"
	msg := fmt.Sprintf("%s from %s to %s UTC: %s refused.", what, h.from.Format(layout), to.Format(layout), counted(h.refused))
	return notice(LevelWarn, action, msg, map[string]any{"from": h.from, "to": to, "refused": h.refused, "reason": h.reason})
}

func counted(records uint64) string {
	if records == 1 {
		return "1 record was"
	}
	return strconv.FormatUint(records, 10) + " records were"
}

// syncNotice says that a segment was given up.
func (w *Writer) syncNotice(err error) *Record {
	return notice(LevelError, "log.sync_failed", "The disk failed to store "+w.name+"; its last lines were written again elsewhere.",
		map[string]any{"segment": w.name, "durable": w.durable, "again": len(w.tail), "reason": err.Error()})
}
