package format

import "slices"

// LastSeq returns the newest Seq; 0 when there is none.
func (w *Writer) LastSeq() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seq
}

// Last returns the newest Seq and the newest Eseq; 0 when there is none. The first call may read a log without events
// as a whole.
func (w *Writer) Last() (seq, eseq uint64) {
	w.knowEseq()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seq, w.eseq
}

// knowEseq makes sure that the newest eseq is known. A log without events is read as a whole for that, which at Open
// would make each start wait; who appends no event never waits. The caller does not hold mu.
func (w *Writer) knowEseq() {
	w.eseqOnce.Do(func() {
		if len(w.older) == 0 {
			return
		}
		eseq := newestEseq(newLog(w.dir), w.older)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.eseq, w.older = max(w.eseq, eseq), nil
	})
}

// newestEseq finds the newest eseq in the newest of segs that has one, or that the newest removal knew of.
func newestEseq(l *Log, segs []Segment) uint64 {
	for _, seg := range slices.Backward(segs) {
		found, err := l.mentions(seg, `"eseq":`)
		if err != nil || !found {
			continue // damage: a reader will say so
		}
		for ln, err := range l.ordered(seg, 0, descending) {
			if err == nil && ln.Fields.Eseq > 0 {
				return ln.Fields.Eseq
			}
		}
	}
	return removedEseq(l, segs)
}
