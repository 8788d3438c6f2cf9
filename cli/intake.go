package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"shiplog/agent"
	"shiplog/format"
)

const (
	intakeBatch   = 256     // records handed to the writer at a time
	rejectedShown = 20      // rejected lines that are named
	maxQNAPID     = 1 << 53 // what JavaScript can count to; a larger id of another system is not kept
)

// recordWriter is what an import needs of a writer.
type recordWriter interface {
	Write(recs ...*format.Record) error
	Restore(recs ...*format.Record) error
	NewBatch(restore bool) *format.Batch
	Last() (seq, eseq uint64)
	LastSeq() uint64
}

// intake is one import under way.
type intake struct {
	w                      recordWriter
	stderr                 io.Writer
	read, stored, rejected uint64

	batch []*format.Record
	keep  bool   // the batch keeps its numbers
	last  uint64 // newest seq in the log or in the batch

	lines *format.Batch // in place of batch, of native records; nil before the first
	refs  refs
}

func newIntake(w recordWriter, stderr io.Writer) *intake {
	return &intake{w: w, stderr: stderr}
}

// all imports in, which holds what from says.
func (t *intake) all(ctx context.Context, from string, in io.Reader) error {
	switch from {
	case "native":
		return t.native(ctx, in)
	case "qnap-csv":
		return t.qnap(ctx, agent.ReadQNAPCSV(in))
	case "qnap-json":
		return t.qnap(ctx, agent.ReadQNAPJSON(in))
	}
	return t.engine(ctx, from, in)
}

// reject names what could not be taken, up to a limit.
func (t *intake) reject(line uint64, err error) {
	if t.rejected++; t.rejected > rejectedShown {
		return
	}
	var named *agent.LineError
	if !errors.As(err, &named) {
		err = fmt.Errorf("line %d: %w", line, err)
	}
	msg := appendVisible(nil, []byte(err.Error()))
	fmt.Fprintf(t.stderr, "shiplog: rejected %s\n", msg)
}

// put queues one record for the writer.
func (t *intake) put(r *format.Record) error {
	if t.batch = append(t.batch, r); len(t.batch) < intakeBatch {
		return nil
	}
	return t.flush()
}

// flush hands the queued records to the writer.
func (t *intake) flush() error {
	if t.lines != nil {
		n := t.lines.Len()
		if err := t.lines.Write(); err != nil {
			return err
		}
		t.stored += uint64(n)
	}
	if len(t.batch) == 0 {
		return nil
	}
	write := t.w.Write
	if t.keep {
		write = t.w.Restore
	}
	if err := write(t.batch...); err != nil {
		return err
	}
	t.stored += uint64(len(t.batch))
	t.batch = t.batch[:0]
	return nil
}

// rejection is what is wrong with one line; the import goes on with the next.
type rejection struct{ error }

// reject makes a rejection of err, unless it is nil.
func reject(err error) error {
	if err == nil {
		return nil
	}
	return rejection{err}
}

// eachLine counts the lines of in that are not blank and hands each to take. A line that is too long, or that
// take rejects, is named and passed over; any other error ends the import.
func (t *intake) eachLine(ctx context.Context, in io.Reader, take func(line []byte) error) error {
	n := uint64(0)
	for line, err := range lines(in) {
		if n++; n%intakeBatch == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		switch {
		case err == nil:
			t.read++
			err = take(line)
		case errors.Is(err, errLongLine):
			t.read++
			err = rejection{err}
		}
		var no rejection
		if errors.As(err, &no) {
			t.reject(n, no.error)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// qnap takes records of another box's Container Station. Its ids become the seqs of an empty log, and its
// event positions the eseqs of a log without events, so that the API answers as that box did.
func (t *intake) qnap(ctx context.Context, records iter.Seq2[*format.Record, error]) error {
	last, lastEvent := t.w.Last()
	ids, events := last == 0, lastEvent == 0
	t.keep, t.last = true, last
	for r, err := range records {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var named *agent.LineError
		if err != nil && !errors.As(err, &named) {
			return err
		}
		t.read++
		if err == nil {
			err = r.Validate()
		}
		if err != nil {
			t.reject(t.read, err)
			continue
		}
		if !ids || r.Seq <= t.last || r.Seq > maxQNAPID {
			r.Seq = t.last + 1
		}
		t.last = r.Seq
		if r.Eseq > 0 {
			if !events || r.Eseq <= lastEvent || r.Eseq > maxQNAPID {
				r.Eseq = lastEvent + 1
			}
			lastEvent = r.Eseq
		}
		complete(r)
		if err := t.put(r); err != nil {
			return err
		}
	}
	return nil
}
