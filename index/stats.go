package index

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// counters count since Open.
type counters struct {
	searches   atomic.Int64
	ended      atomic.Int64 // searches too: one that gives out a long list takes long
	setAside   atomic.Int64
	builds     atomic.Int64
	buildNanos atomic.Int64
}

// Stats is the state of an index, for metrics.
type Stats struct {
	Segments    int       // files of the log
	Records     int       // intact records in the segments looked at so far
	Damaged     int       // lines that are no record, likewise, and what is called a segment and is no file
	Bytes       int64     // size of all segments
	LastSeq     uint64    // newest record
	LagRecords  uint64    // records in sealed segments that have no index on disk yet
	LagSince    time.Time // when the oldest of these segments was written to last; zero: there is none
	Documents   int       // records that are in an index on disk, as far as these were looked at
	MemoryBytes int       // columns of sealed segments in memory
	Pending     int       // sealed segments without an index on disk, when there is to be one
	OpenShards  int       // Bleve indexes open
	Searches    int64     // since Open
	Builds      int64     // since Open: segments indexed
	BuildTime   time.Duration
	SetAside    int64 // since Open: times that an index on disk was not what it should be
}

// Stats returns the state as of the last look at the files; it does not look itself.
func (x *Index) Stats() Stats {
	s := Stats{Searches: x.count.searches.Load(), SetAside: x.count.setAside.Load(), MemoryBytes: x.cache.bytes(),
		Builds: x.count.builds.Load(), BuildTime: time.Duration(x.count.buildNanos.Load()), OpenShards: x.shards.len()}
	x.mu.Lock()
	snap := x.snap
	s.Damaged = x.odd
	x.mu.Unlock()
	if snap == nil {
		return s
	}
	s.Segments = len(snap.views)
	for i := range snap.views {
		v := &snap.views[i]
		s.Bytes += v.id.size
		sum, _ := v.known()
		s.Records += sum.records
		s.Damaged += sum.damaged
		s.LastSeq = max(s.LastSeq, sum.maxSeq)
		if x.mayWrite() && v.below != 0 && !x.hasDisk(v.seg) {
			s.Pending++
			s.LagRecords += v.below - v.after - 1
			if s.LagSince.IsZero() || v.id.mtime.Before(s.LagSince) {
				s.LagSince = v.id.mtime
			}
		} else if v.below != 0 && x.opts.Dir != "" && x.hasDisk(v.seg) {
			s.Documents += sum.records
		}
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

// hasDisk tells whether s has an index on disk, without opening it.
func (x *Index) hasDisk(s *segment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.diskState != diskUnknown {
		return s.diskState == diskOpen
	}
	_, err := os.Stat(filepath.Join(x.indexDir(s), manifestFile))
	return err == nil
}
