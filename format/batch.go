package format

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// batch is the records of one call, encoded but for their numbers, which only the moment of writing gives.
type batch struct {
	recs     []Record
	tails    [][]byte // each line from the comma before its id on
	buf      []byte   // that they lie in
	bytes    int      // of tails
	restore  bool     // the records keep their numbers
	reserved bool     // they may use what is kept free of the disk
}

// prepare makes b, which is empty, a batch of copies of recs. The caller's records are touched only when all is done.
func (w *Writer) prepare(b *batch, recs []*Record, restore bool) error {
	b.recs, b.tails = slices.Grow(b.recs, len(recs))[:len(recs)], slices.Grow(b.tails, len(recs))[:len(recs)]
	b.restore = restore
	buf := b.buf
	if buf == nil {
		buf = make([]byte, 0, 512*len(recs)) // most lines are shorter
	}
	for i, r := range recs {
		c := &b.recs[i]
		*c = *r
		if err := w.complete(c, restore); err != nil {
			return err
		}
		if c.Eseq != 0 {
			w.knowEseq()
		}
		start := len(buf)
		buf = appendTail(buf, c)
		b.tails[i] = buf[start:len(buf):len(buf)] // stays good when buf moves
	}
	for _, t := range b.tails {
		b.bytes += len(t) + maxHead
	}
	b.buf = buf
	return nil
}

// clear empties b for the next use. What it grew to it keeps, unless that is a lot.
func (b *batch) clear() {
	clear(b.recs) // they hold on to the caller's texts
	*b = batch{recs: b.recs[:0], tails: b.tails[:0], buf: b.buf[:0]}
	if cap(b.buf) > maxCommit || cap(b.recs) > maxSpare {
		*b = batch{}
	}
}

// maxSpare is the size of the largest batch, in records, that is used again.
const maxSpare = 512

// maxHead is no less than the length of a line before its id.
const maxHead = 80

// complete fills in what the writer gives to a record, and holds it to its limits.
func (w *Writer) complete(r *Record, restore bool) error {
	if restore && (r.Seq == 0 || r.Seq > maxSeq || r.Eseq > maxSeq) {
		return fmt.Errorf("restore: seq %d or eseq %d is none (seq from 1, both up to %d)", r.Seq, r.Eseq, uint64(maxSeq))
	}
	if !restore {
		if r.Host == "" {
			r.Host = w.opts.Host
		}
		if r.Obs.IsZero() {
			r.Obs = w.opts.Now().UTC()
		}
		if r.Time.IsZero() {
			r.Time = r.Obs
		}
	}
	if r.ID == "" && !restore {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make a record's id: %w", err)
		}
		r.ID = id.String()
	}
	if err := r.Validate(); err != nil {
		return err
	}
	r.V = Version
	r.Trim()
	return nil
}

// number gives the records their numbers, which follow seq and eseq, and appends their lines to dst.
func (b *batch) number(dst []byte, seq, eseq uint64) ([]byte, uint64, uint64, error) {
	for i := range b.recs {
		r := &b.recs[i]
		switch {
		case !b.restore:
			seq++
			if r.Seq = seq; r.Eseq != 0 {
				eseq++
				r.Eseq = eseq
			}
		case r.Seq <= seq:
			return nil, 0, 0, fmt.Errorf("restore record %d: the log already reaches %d", r.Seq, seq)
		case r.Eseq != 0 && r.Eseq <= eseq:
			return nil, 0, 0, fmt.Errorf("restore record %d: its eseq %d is taken, the log already reaches %d", r.Seq, r.Eseq, eseq)
		default:
			if seq = r.Seq; r.Eseq != 0 {
				eseq = r.Eseq
			}
		}
		dst = append(appendHead(dst, r.V, r.Seq, r.Eseq), b.tails[i]...)
	}
	return dst, seq, eseq, nil
}

// giveBack shows the caller what was written.
func (b *batch) giveBack(recs []*Record) {
	for i, r := range recs {
		*r = b.recs[i]
	}
}
