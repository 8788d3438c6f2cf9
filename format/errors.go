package format

import (
	"errors"
	"fmt"
)

// What reading and writing a data directory can fail with. They come wrapped in what was being done and what
// to do next; test with errors.Is.
var (
	ErrTorn     = errors.New("line is not complete")
	ErrTooLong  = errors.New("line is too long")
	ErrFull     = errors.New("disk full")
	ErrReadOnly = errors.New("data directory cannot be written")
	ErrLocked   = errors.New("data directory is locked")
	ErrVersion  = errors.New("record format is newer than this program")
	ErrNotFound = errors.New("no such record")
	ErrNotFile  = errors.New("not a file")
	ErrPruned   = errors.New("removed by retention while it was read")
)

// Damage is a place in a segment that could not be read. It is reported and passed over: it never ends a
// reading and is never part of an answer.
type Damage struct {
	Segment string // file name
	Line    int    // from 1; 0 when it was not counted (reading backward or by seq)
	Offset  int64  // byte at which the line begins
	Err     error
}

// Error names the place.
func (d *Damage) Error() string {
	if d.Line == 0 {
		return fmt.Sprintf("segment %s byte %d: %v", d.Segment, d.Offset, d.Err)
	}
	return fmt.Sprintf("segment %s line %d (byte %d): %v", d.Segment, d.Line, d.Offset, d.Err)
}

// Unwrap returns Err.
func (d *Damage) Unwrap() error { return d.Err }
