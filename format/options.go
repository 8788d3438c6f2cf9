package format

import "time"

// Options is how a [Writer] works. The zero value is usable.
type Options struct {
	SegmentBytes int64            // a segment is sealed before it would grow above this; default 32 MiB
	SyncEvery    time.Duration    // longest time what Write wrote waits for its sync by Run; default 1s
	KeepFree     int64            // bytes of the disk left alone; default 64 MiB or 5 % of a small disk, negative: none
	Host         string           // put into records that have no host
	Now          func() time.Time // wall clock for Obs; default time.Now

	// Synced is told how long each sync of the active segment took, failed ones too; nil: nobody is. It is called
	// with the writer's lock held: it must neither block nor call the writer.
	Synced func(took time.Duration)

	disk *disk // tests put a failing one here
}

// WriterStats is what a writer has done since it was opened.
type WriterStats struct {
	Records, Bytes uint64 // appended
	Writes         uint64 // write calls
	Syncs          uint64 // fdatasync calls that succeeded
	SyncErrors     uint64
	SyncTime       time.Duration // spent in fdatasync
	Sealed         uint64        // segments
	State          string        // StateOK, StateFull or StateReadOnly
	Reason         string        // why the state is not ok
	Refused        uint64        // records refused in the states full and read-only
	LastSeq        uint64
	DurableSeq     uint64 // newest record that is safe on disk
}

// The states of a writer. It leaves the last two by itself once a write succeeds again.
const (
	StateOK       = "ok"
	StateFull     = "full"
	StateReadOnly = "read-only"
)

func (o Options) withDefaults() Options {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 32 << 20
	}
	if o.SyncEvery <= 0 {
		o.SyncEvery = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.disk == nil {
		o.disk = realDisk()
	}
	return o
}
