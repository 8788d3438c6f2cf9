package format

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// batch is the records of one write, encoded but for their numbers, which only the moment of writing gives.
type batch struct {
	lines    []batchLine
	buf      []byte   // that they lie in
	bytes    int      // of lines, with their numbers
	recs     []Record // as they will be given back; of a [Batch] none are
	restore  bool     // the records keep their numbers
	reserved bool     // they may use what is kept free of the disk
}

// batchLine is one line, newline included.
type batchLine struct {
	seq, eseq uint64 // to be kept, or given; an eseq that is not zero asks for one
	tail      []byte // from the comma before its id on
}

// prepare makes b, which is empty, a batch of copies of recs. The caller's records are touched only when all is done.
func (w *Writer) prepare(b *batch, recs []*Record, restore bool) error {
	b.recs, b.lines = slices.Grow(b.recs, len(recs))[:len(recs)], slices.Grow(b.lines, len(recs))
	b.restore = restore
	if b.buf == nil {
		b.buf = make([]byte, 0, 512*len(recs)) // most lines are shorter
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
		b.encode(c)
	}
	return nil
}

// encode adds the line of r, which is complete.
func (b *batch) encode(r *Record) {
	start := len(b.buf)
	b.buf = appendTail(b.buf, r)
	b.add(r.Seq, r.Eseq, start)
}

// add adds the line whose tail is what buf holds from start on.
func (b *batch) add(seq, eseq uint64, start int) {
	tail := b.buf[start:len(b.buf):len(b.buf)] // stays good when buf moves
	b.lines = append(b.lines, batchLine{seq, eseq, tail})
	b.bytes += len(tail) + maxHead
}

// clear empties b for the next use. What it grew to it keeps, unless that is a lot.
func (b *batch) clear() {
	clear(b.recs) // they hold on to the caller's texts
	*b = batch{recs: b.recs[:0], lines: b.lines[:0], buf: b.buf[:0]}
	if cap(b.buf) > maxCommit || cap(b.lines) > maxSpare {
		*b = batch{}
	}
}

// maxSpare is the size of the largest batch, in records, that is used again.
const maxSpare = 512

// maxHead is no less than the length of a line before its id.
const maxHead = 80

// complete fills in what the writer gives to a record, and holds it to its limits.
func (w *Writer) complete(r *Record, restore bool) error {
	if restore {
		if err := restorable(r.Seq, r.Eseq); err != nil {
			return err
		}
	} else {
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

// restorable says why a record cannot keep its numbers.
func restorable(seq, eseq uint64) error {
	if seq == 0 || seq > maxSeq || eseq > maxSeq {
		return fmt.Errorf("restore: seq %d or eseq %d is none (seq from 1, both up to %d)", seq, eseq, uint64(maxSeq))
	}
	return nil
}

// number gives the records their numbers, which follow seq and eseq, and appends their lines to dst.
func (b *batch) number(dst []byte, seq, eseq uint64) ([]byte, uint64, uint64, error) {
	for i := range b.lines {
		l := &b.lines[i]
		switch {
		case !b.restore:
			seq++
			if l.seq = seq; l.eseq != 0 {
				eseq++
				l.eseq = eseq
			}
		case l.seq <= seq:
			return nil, 0, 0, fmt.Errorf("restore record %d: the log already reaches %d", l.seq, seq)
		case l.eseq != 0 && l.eseq <= eseq:
			return nil, 0, 0, fmt.Errorf("restore record %d: its eseq %d is taken, the log already reaches %d", l.seq, l.eseq, eseq)
		default:
			if seq = l.seq; l.eseq != 0 {
				eseq = l.eseq
			}
		}
		dst = append(appendHead(dst, Version, l.seq, l.eseq), l.tail...)
	}
	return dst, seq, eseq, nil
}

// giveBack shows the caller what was written.
func (b *batch) giveBack(recs []*Record) {
	for i, r := range recs {
		*r = b.recs[i]
		r.Seq, r.Eseq = b.lines[i].seq, b.lines[i].eseq
	}
}
