package index

import (
	"runtime"
	"time"
)

// Budget bounds the work of one call. It is looked at between blocks and between pieces of long ones, so a call
// goes over it by one of them at most; something is always done, however small it is. The zero value bounds nothing.
type Budget struct {
	Bytes int64         // of lines that are read
	Time  time.Duration // since the call began
}

// purse is what one call may still spend. A nil purse is never empty.
type purse struct {
	of    Budget
	bytes int64 // read since it was filled
	until time.Time
}

func newPurse(b Budget) *purse {
	if b == (Budget{}) {
		return nil
	}
	p := &purse{of: b}
	p.fill()
	return p
}

// fill makes the purse what it was at the beginning.
func (p *purse) fill() { p.bytes, p.until = 0, time.Now().Add(p.of.Time) }

func (p *purse) empty() bool {
	return p != nil && (p.of.Bytes > 0 && p.bytes >= p.of.Bytes || p.of.Time > 0 && !time.Now().Before(p.until))
}

// spend notes that bytes of lines were read.
func (r *run) spend(bytes int) {
	r.fetched += bytes
	if r.purse != nil {
		r.purse.bytes += int64(bytes)
	}
}

// breathe is called after each block: a search that goes on for long lets others come in between.
func (r *run) breathe() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.fetched > 0 { // else the columns answered, in microseconds
		r.fetched = 0
		runtime.Gosched()
	}
	if r.q.Pause != nil {
		return r.q.Pause(r.ctx)
	}
	return nil
}

// pause is called when the rows up to row are done with, in the order of the run. It tells whether the run ends here.
func (r *run) pause(p *plan, row int) (stop bool, err error) {
	if r.sight != nil && r.purse != nil {
		if err := guard(func() error { r.tasks = append(r.tasks, r.task(p, row)); return nil }); err != nil {
			return true, err
		}
	}
	if err := r.breathe(); err != nil {
		return true, err
	}
	if !r.purse.empty() {
		return false, nil
	}
	err = guard(func() error {
		r.stopAt(p.c.seq(row))
		if r.sight != nil {
			r.ahead = r.lowestBehind(p, row)
		}
		return nil
	})
	return true, err
}

// stopAt ends the run behind a record.
func (r *run) stopAt(seq uint64) {
	r.spent = true
	r.q.begin(seq)
}

// begin lets q begin behind a seq.
func (q *Query) begin(seq uint64) {
	if q.Ascending {
		q.After = max(q.After, seq)
	} else if q.Before == 0 || seq < q.Before {
		q.Before = seq
	}
}

// rest is what is left of q when the run was ended by its budget.
func (r *run) rest(q Query) *Query {
	q.After, q.Before, q.Offset, q.m = r.q.After, r.q.Before, r.skip, nil
	return &q
}

// cut makes q ask for what is left of its Limit when n were found. When all were, it asks only whether there are more.
func (q *Query) cut(n int) {
	if q.Limit > 0 {
		q.Limit -= n
		q.full = q.Limit == 0
	}
}

// border is the seq at the end of v that a run comes to last. v is not the segment that a run ends with.
func (v *view) border(ascending bool) uint64 {
	if ascending {
		return v.below - 1
	}
	return v.after + 1
}
