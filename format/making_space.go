package format

import "fmt"

// AppendReserved is Append of what makes space: it may use what Options.KeepFree leaves alone. It shares no sync.
func (w *Writer) AppendReserved(recs ...*Record) error {
	b := new(batch)
	if err := w.prepare(b, recs, false); err != nil || len(recs) == 0 {
		return err
	}
	b.reserved = true
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.put(b)
	if err == nil {
		err = w.syncTo(w.seq)
	}
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	b.giveBack(recs)
	return nil
}

// SealBell returns a channel of its own for one who wants to know that a segment was sealed. It holds one ring,
// however many were.
func (w *Writer) SealBell() <-chan struct{} {
	bell := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bells = append(w.bells, bell)
	return bell
}

// SetSegmentBytes changes Options.SegmentBytes; 0 is its default. It counts for what is written from now on.
func (w *Writer) SetSegmentBytes(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opts.SegmentBytes = Options{SegmentBytes: n}.withDefaults().SegmentBytes
}

// SegmentBytes is the size up to which segments grow.
func (w *Writer) SegmentBytes() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opts.SegmentBytes
}
