package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/google/uuid"

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
	Last() (seq, eseq uint64)
}

// intake is one import under way.
type intake struct {
	w                      recordWriter
	stderr                 io.Writer
	read, stored, rejected uint64

	batch []*format.Record
	slab  []format.Record // that those of batch lie in, of native records; used again for the next
	keep  bool            // the batch keeps its numbers
	last  uint64          // newest seq in the log or in the batch
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

// native takes records as they are. They keep seq, eseq and id in an empty log; else they are numbered
// anew, and their references follow.
func (t *intake) native(ctx context.Context, in io.Reader) error {
	first := true
	t.slab = make([]format.Record, intakeBatch)
	return t.lines(ctx, in, func(line []byte) error {
		r := &t.slab[len(t.batch)]
		if err := format.ParseLine(line, r); err != nil {
			return reject(err)
		}
		if err := r.Validate(); err != nil {
			return reject(err)
		}
		if first {
			last, _ := t.w.Last()
			t.keep, first = last == 0 && r.Seq > 0, false
		}
		if t.keep {
			if r.Seq <= t.last {
				return reject(fmt.Errorf("seq %d does not rise (the record before has %d)", r.Seq, t.last))
			}
			t.last = r.Seq
			complete(r)
		} else {
			t.renumber(r)
		}
		return t.put(r)
	})
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

// lines counts the lines of in that are not blank and hands each to take. A line that is too long, or that
// take rejects, is named and passed over; any other error ends the import.
func (t *intake) lines(ctx context.Context, in io.Reader, take func(line []byte) error) error {
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

// renumber makes r a record that the writer will number, and what it refers to the number that got.
func (t *intake) renumber(r *format.Record) {
	const head = `{"ref":`
	if rest, ok := bytes.CutPrefix(r.Data, []byte(head)); ok {
		end := bytes.IndexAny(rest, ",}")
		old, err := strconv.ParseUint(string(bytes.TrimSpace(rest[:max(end, 0)])), 10, 64)
		if now := t.refs.now(old); err == nil && now != 0 {
			r.Data = append(strconv.AppendUint([]byte(head), now, 10), rest[end:]...)
		} else if err == nil {
			r.Data = append([]byte(`{"was_ref":`), rest...)
		}
	}
	if last, _ := t.w.Last(); r.Seq > 0 {
		t.refs.add(r.Seq, last+uint64(len(t.batch))+1)
	}
	r.Seq = 0
	if r.Eseq != 0 {
		r.Eseq = format.NextEseq
	}
}

// complete gives a record that keeps its numbers what the writer gives others.
func complete(r *format.Record) {
	if r.Obs.IsZero() {
		r.Obs = time.Now().UTC()
	}
	if r.Time.IsZero() {
		r.Time = r.Obs
	}
	if r.ID == "" {
		r.ID = uuid.Must(uuid.NewV7()).String()
	}
}

// refs remembers the new numbers of the newest records with a number in the file, for those that refer to
// them. A derived record follows what it is derived from closely.
type refs struct {
	old, new [4096]uint64
	n        int
}

func (f *refs) add(old, now uint64) {
	f.old[f.n%len(f.old)], f.new[f.n%len(f.new)] = old, now
	f.n++
}

// now returns the new number of what was old, 0 when it is not known.
func (f *refs) now(old uint64) uint64 {
	for i := range min(f.n, len(f.old)) {
		if at := (f.n - 1 - i) % len(f.old); f.old[at] == old {
			return f.new[at]
		}
	}
	return 0
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
