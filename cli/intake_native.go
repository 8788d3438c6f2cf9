package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"

	"shiplog/format"
)

// native takes records as they are. They keep seq, eseq and id in an empty log; else they are numbered
// anew, and their references follow.
func (t *intake) native(ctx context.Context, in io.Reader) error {
	var c format.Canonical
	var r format.Record
	return t.eachLine(ctx, in, func(line []byte) error {
		if format.ScanCanonical(line, &c) { // nearly every line of an export: no record needs to be made of it
			if done, err := t.takeOver(&c); done || err != nil {
				return err
			}
		}
		if err := format.ParseLine(line, &r); err != nil {
			return reject(err)
		}
		if err := r.Validate(); err != nil {
			return reject(err)
		}
		t.begin(r.Seq)
		if t.keep {
			if err := t.rise(r.Seq); err != nil {
				return err
			}
			complete(&r)
		} else {
			t.renumber(&r)
		}
		if err := t.lines.Add(&r); err != nil {
			return err
		}
		return t.full()
	})
}

// takeOver takes in a line as it stands; done is false when that does not do.
func (t *intake) takeOver(c *format.Canonical) (done bool, err error) {
	t.begin(c.Seq)
	if t.keep {
		if err := t.rise(c.Seq); err != nil {
			return false, err
		}
	} else {
		if bytes.HasPrefix(c.Data, []byte(refHead)) {
			return false, nil
		}
		t.refer(c.Seq)
	}
	if err := t.lines.AddLine(c); err != nil {
		return false, err
	}
	return true, t.full()
}

// begin decides with the first record whether all keep their numbers.
func (t *intake) begin(seq uint64) {
	if t.lines == nil {
		t.keep = t.w.LastSeq() == 0 && seq > 0
		t.lines = t.w.NewBatch(t.keep)
	}
}

// rise rejects a number that is not above the one before.
func (t *intake) rise(seq uint64) error {
	if seq <= t.last {
		return reject(fmt.Errorf("seq %d does not rise (the record before has %d)", seq, t.last))
	}
	t.last = seq
	return nil
}

// full writes the batch when it is large enough.
func (t *intake) full() error {
	if t.lines.Len() < intakeBatch {
		return nil
	}
	return t.flush()
}

// renumber makes r a record that the writer will number, and what it refers to the number that got.
func (t *intake) renumber(r *format.Record) {
	if rest, ok := bytes.CutPrefix(r.Data, []byte(refHead)); ok {
		end := bytes.IndexAny(rest, ",}")
		old, err := strconv.ParseUint(string(bytes.TrimSpace(rest[:max(end, 0)])), 10, 64)
		if now := t.refs.now(old); err == nil && now != 0 {
			r.Data = append(strconv.AppendUint([]byte(refHead), now, 10), rest[end:]...)
		} else if err == nil {
			r.Data = append([]byte(`{"was_ref":`), rest...)
		}
	}
	t.refer(r.Seq)
	r.Seq = 0
	if r.Eseq != 0 {
		r.Eseq = format.NextEseq
	}
}

// refHead is how the data of a record begins that refers to another one.
const refHead = `{"ref":`

// refer remembers the number that the next record will get, for those that refer to it by its old one; 0: it has none.
func (t *intake) refer(old uint64) {
	if old > 0 {
		t.refs.add(old, t.w.LastSeq()+uint64(t.lines.Len())+1)
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
