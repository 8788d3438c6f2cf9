package index

import "sync/atomic"

// counters count since Open.
type counters struct {
	searches   atomic.Int64
	distrusted atomic.Int64
}

// Stats is the state of an index, for metrics.
type Stats struct {
	Segments    int    // files of the log
	Records     int    // intact records in the segments looked at so far
	Damaged     int    // lines that are no record, likewise
	Bytes       int64  // size of all segments
	LastSeq     uint64 // newest record
	LagRecords  uint64 // records in sealed segments that have no index on disk yet
	MemoryBytes int    // columns of sealed segments in memory
	Searches    int64  // since Open
	SetAside    int64  // since Open: times that columns or index files were not what they should be
}

// Stats returns the state as of the last look at the files; it does not look itself.
func (x *Index) Stats() Stats {
	s := Stats{Searches: x.count.searches.Load(), SetAside: x.count.distrusted.Load(), MemoryBytes: x.cache.bytes()}
	x.mu.Lock()
	snap := x.snap
	x.mu.Unlock()
	if snap == nil {
		return s
	}
	s.Segments = len(snap.views)
	for i := range snap.views {
		v := &snap.views[i]
		s.Bytes += v.size
		sum, _ := v.known()
		s.Records += sum.records
		s.Damaged += sum.damaged
		s.LastSeq = max(s.LastSeq, sum.maxSeq)
	}
	return s
}

// Ready tells whether answers are complete, and if not why.
func (x *Index) Ready() (bool, []string) {
	if _, err := x.look(); err != nil {
		return false, []string{err.Error()}
	}
	return true, nil
}
