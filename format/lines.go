package format

import "fmt"

// Batch gathers records for one write: what an import does with what it reads. It is used by one goroutine at a time.
type Batch struct {
	w *Writer
	b batch
	r Record // scratch of Add
}

// NewBatch returns an empty batch. Its records are written as [Writer.Write] does, or with restore as
// [Writer.Restore] does.
func (w *Writer) NewBatch(restore bool) *Batch { return &Batch{w: w, b: batch{restore: restore}} }

// Len is how many records wait in the batch.
func (b *Batch) Len() int { return len(b.b.lines) }

// Add takes in a record, which it does not keep and does not change. An error means that it cannot be written.
func (b *Batch) Add(r *Record) error {
	b.r = *r
	if err := b.w.complete(&b.r, b.b.restore); err != nil {
		return err
	}
	if b.r.Eseq != 0 {
		b.w.knowEseq()
	}
	b.b.encode(&b.r)
	return nil
}

// AddLine takes in a copy of a line as it stands: Options.Host is not put into it. An error means that it cannot be
// written.
func (b *Batch) AddLine(c *Canonical) error {
	if b.b.restore {
		if err := restorable(c.Seq, c.Eseq); err != nil {
			return err
		}
	}
	if c.Eseq != 0 {
		b.w.knowEseq()
	}
	start := len(b.b.buf)
	b.b.buf = append(append(b.b.buf, c.tail...), '\n')
	b.b.add(c.Seq, c.Eseq, start)
	return nil
}

// Write writes the records, all or none, and empties the batch. On an error it stays as it was, and none of them is in
// the log but for the third exception of [Writer.Append].
func (b *Batch) Write() error {
	if len(b.b.lines) == 0 {
		return nil
	}
	if err := b.w.writeBatch(&b.b); err != nil {
		return err
	}
	restore := b.b.restore
	b.b.clear()
	b.b.restore = restore
	return nil
}

// writeBatch writes b and syncs once much waits for a sync.
func (w *Writer) writeBatch(b *batch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.put(b); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if len(w.tail) > maxTail {
		_ = w.syncTo(w.seq) // these records are written; a failure is told by the state, to the next call
	}
	return nil
}
