package index

import (
	"context"
	"errors"
	"os"
)

// summary is what is remembered of a sealed segment's columns when they are gone from memory.
type summary struct {
	known            bool
	minSeq, maxSeq   uint64 // of the records that belong to this segment; 0: none
	minEseq, maxEseq uint64
	records, damaged int
}

func summarize(v *view, c *columns) summary {
	s := summary{known: true, damaged: c.damaged, minEseq: c.minEseq, maxEseq: c.maxEseq}
	from, to := v.rows(c)
	if s.records = max(to-from, 0); s.records > 0 {
		s.minSeq, s.maxSeq = c.seq(from), c.seq(to-1)
	}
	return s
}

// rows are the rows of c that belong to the segment.
func (v *view) rows(c *columns) (from, to int) {
	from, to = c.rowAfter(v.after), c.rows
	if v.below != 0 {
		to = min(to, c.rowAfter(v.below-1))
	}
	return from, to
}

// summary returns what is known of v, reading the segment only when that is not known yet.
func (x *Index) summary(ctx context.Context, v *view) (summary, error) {
	s, ok := v.known()
	if ok {
		return s, nil
	}
	if d := x.diskOf(v.seg, v.id); d != nil {
		if ok = d.head.within(v); ok {
			s = d.head.summary()
		}
		d.release()
	}
	if !ok {
		t, err := x.open(ctx, v)
		if err != nil {
			return s, err
		}
		defer t.release()
		if err := guard(func() error { s = summarize(v, t.cols); return nil }); err != nil {
			return s, err
		}
	}
	v.seg.mu.Lock()
	v.seg.sum = s
	v.seg.mu.Unlock()
	return s, nil
}

// known is what is known of v without looking at the segment.
func (v *view) known() (s summary, ok bool) {
	if v.cols != nil {
		return summarize(v, v.cols), true
	}
	v.seg.mu.Lock()
	defer v.seg.mu.Unlock()
	return v.seg.sum, v.seg.sum.known
}

// edge finds the highest or the lowest seq and eseq.
func (x *Index) edge(ctx context.Context, last bool) (seq, eseq uint64, err error) {
	snap, err := x.look()
	if err != nil {
		return 0, 0, err
	}
	for i := range snap.views {
		v := &snap.views[i]
		if last {
			v = &snap.views[len(snap.views)-1-i]
		}
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		if seq != 0 {
			none, err := x.withoutEseq(v)
			if none || errors.Is(err, os.ErrNotExist) { // the latter: pruned since
				continue
			}
			if err != nil {
				return 0, 0, err
			}
		}
		s, err := x.summary(ctx, v)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		if seq == 0 && s.records > 0 {
			seq = s.minSeq
			if last {
				seq = s.maxSeq
			}
		}
		if eseq == 0 {
			eseq = s.minEseq
			if last {
				eseq = s.maxEseq
			}
		}
		if seq != 0 && eseq != 0 {
			break
		}
	}
	return seq, eseq, nil
}

// lastSeq is the highest seq in snap; 0: there is none. It is nearly always in the newest segment.
func (x *Index) lastSeq(ctx context.Context, snap *snapshot) (uint64, error) {
	if x.strays.Load() {
		for ln, err := range x.log.Backward(0) {
			if err == nil {
				return ln.Seq, nil
			}
		}
	}
	for i := range snap.views {
		s, err := x.summary(ctx, &snap.views[len(snap.views)-1-i])
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil || s.maxSeq > 0 {
			return s.maxSeq, err
		}
	}
	return 0, nil
}

// withoutEseq tells whether no record of v has an eseq. Where columns are not at hand the bytes of the file
// are looked through, which costs a hundredth of making columns.
func (x *Index) withoutEseq(v *view) (bool, error) {
	if s, ok := v.known(); ok {
		return s.maxEseq == 0, nil
	}
	s := v.seg
	s.mu.Lock()
	known := s.noEseq
	s.mu.Unlock()
	if known {
		return true, nil
	}
	if d := x.diskOf(s, v.id); d != nil {
		d.release()
		return false, nil // the columns tell
	}
	has, err := x.fileHas(s.Name, `"eseq"`)
	if err != nil || has {
		return false, err
	}
	s.mu.Lock()
	s.noEseq = true
	s.mu.Unlock()
	return true, nil
}
