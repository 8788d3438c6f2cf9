package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"shiplog/format"
)

// fileID tells one state of a file from another.
type fileID struct {
	dev, ino uint64
	size     int64
	mtime    time.Time
}

func fileIDOf(fi os.FileInfo) fileID {
	id := fileID{size: fi.Size(), mtime: fi.ModTime()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		id.dev, id.ino = uint64(st.Dev), uint64(st.Ino)
	}
	return id
}

func (a fileID) sameFile(b fileID) bool { return a.dev == b.dev && a.ino == b.ino }

func (a fileID) same(b fileID) bool {
	return a.sameFile(b) && a.size == b.size && a.mtime.Equal(b.mtime)
}

// segment is one file of the log, as it was when it was last looked at. A file that was replaced gets a new
// segment. While it is the newest one it has a tail; sealed, its columns come and go.
type segment struct {
	format.Segment // constant; its Size is not kept up

	mu     sync.Mutex // held while columns are made: who comes second finds them done
	id     fileID     // guarded by Index.mu
	tail   *builder   // guarded by Index.mu; nil once sealed
	torn   int        // guarded by Index.mu: damaged lines after the last intact one of the tail
	cols   *columns   // guarded by mu; nil: not in memory
	sum    summary    // guarded by mu
	span   span       // guarded by mu
	thin   *columns   // guarded by mu: what is kept of cols when they are gone; nil: nothing
	noEseq bool       // guarded by mu: the file was looked through

	disk      *disk     // guarded by mu; nil unless diskState is diskOpen
	diskState int       // guarded by mu
	builds    int       // guarded by mu: how often Run made it, or tried to
	notBefore time.Time // guarded by mu: Run leaves it alone until then
	used      uint64    // guarded by Index.cache.mu: when cols was last used
}

// lines reads the segment on from byte from into b. It returns the number of damaged lines after the last
// intact one: they are read again next time. row, if any, is called after each row. The error of a segment that was
// removed meanwhile is os.ErrNotExist; that of ctx ends it between two blocks.
func (s *segment) lines(ctx context.Context, log *format.Log, b *builder, from int64, row func(f *format.Fields)) (torn int, err error) {
	var own format.Fields
	seg := s.Segment
	if fi, err := log.StatSegment(s.Name); err == nil {
		seg.Size = fi.Size()
	}
	for ln, err := range log.Lines(seg, from) {
		var damage *format.Damage
		if errors.As(err, &damage) {
			switch {
			case errors.Is(err, format.ErrPruned): // it is no empty segment: nothing is known of it
				return torn, fmt.Errorf("read segment %s: %w", s.Name, os.ErrNotExist)
			case cannotRead(err):
				return torn, fmt.Errorf("read %w", err)
			}
			torn++
			continue
		}
		if err != nil {
			return torn, fmt.Errorf("read segment %s: %w", s.Name, err)
		}
		f := ln.Fields
		if f == nil {
			f = &own
			if format.ScanLine(ln.Bytes, f) != nil {
				torn++
				continue
			}
		}
		b.c.damaged += torn
		torn = 0
		if b.c.rows%blockRecords == 0 && ctx.Err() != nil {
			return torn, ctx.Err()
		}
		if b.add(f, ln.Offset, ln.Offset+int64(len(ln.Bytes))+1) && row != nil {
			row(f)
		}
	}
	return torn, nil
}

// cannotRead tells whether damage is not in the file but in the reading of it, as without a free file descriptor:
// the lines may be there the next time, so nothing must be concluded from their absence. A bad place of the disk
// is damage like any other; a disk that does not even open the file is gone.
func cannotRead(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe) && (pe.Op != "read" || !errors.Is(err, syscall.EIO))
}

// readOn brings the tail up to the size of the file, and makes it anew when the file is another one.
// Index.mu is held.
func (s *segment) readOn(log *format.Log) (changed bool, err error) {
	fi, err := log.StatSegment(s.Name)
	if err != nil {
		return false, err
	}
	id := fileIDOf(fi)
	if s.tail != nil && s.id.same(id) { // by time, too: a torn end may be cut and something as long put in its place
		return false, nil
	}
	if s.tail == nil || !s.id.sameFile(id) || id.size < s.tail.c.end {
		s.tail = newBuilder(true)
		s.tail.c.live, s.tail.c.zones = new(liveRollup), new(timeZones)
	}
	s.torn, err = s.lines(context.Background(), log, s.tail, s.tail.c.end, nil)
	if err != nil {
		return false, err
	}
	s.id = id
	return true, nil
}

// columns returns the columns of a sealed segment, from memory or made now by reading it.
func (x *Index) columns(ctx context.Context, s *segment) (*columns, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil { // it ended while another one made them
		return nil, err
	}
	if s.cols != nil {
		x.cache.touch(s)
		return s.cols, nil
	}
	b := newBuilder(!x.mayWrite()) // else Run is about to make something better
	b.fold = b.c.grams != nil
	torn, err := s.lines(ctx, x.log, b, 0, nil)
	if err != nil {
		return nil, err
	}
	b.c.damaged += torn
	s.cols = b.view()
	s.cols.cube = makeCube(s.cols)
	s.thin, s.span = s.cols.thin(), s.cols.span()
	x.cache.touch(s)
	return s.cols, nil
}

func newSegment(fs format.Segment) *segment {
	return &segment{Segment: fs}
}
