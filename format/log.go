package format

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Segment is one file of a log.
type Segment struct {
	First  uint64 // by its name: the seq of its first record
	Name   string
	Size   int64
	Sealed bool // not the newest one, so it does not grow
}

// Line is one intact line of a log.
type Line struct {
	Seq     uint64
	Segment uint64  // Segment.First
	Offset  int64   // byte at which the line begins
	Bytes   []byte  // without newline; valid until the next step
	Fields  *Fields // Bytes as ScanLine sees it; valid until the next step
}

// Log reads the segments of a directory. It never writes and never locks.
type Log struct{ dir string }

// OpenLog opens the log in the data directory dir, or the log folder itself.
func OpenLog(dir string) (*Log, error) {
	if fi, err := os.Stat(filepath.Join(dir, "log")); err == nil && fi.IsDir() {
		dir = filepath.Join(dir, "log")
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &Log{dir: dir}, nil
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d.jsonl", first) }

// Segments lists the segments, oldest first.
func (l *Log) Segments() ([]Segment, error) {
	ents, err := os.ReadDir(l.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var segs []Segment
	for _, e := range ents {
		base, ok := strings.CutSuffix(e.Name(), ".jsonl")
		if !ok || len(base) != 20 {
			continue
		}
		n, perr := strconv.ParseUint(base, 10, 64)
		fi, ierr := e.Info()
		if perr != nil || ierr != nil || !fi.Mode().IsRegular() {
			continue
		}
		segs = append(segs, Segment{First: n, Name: e.Name(), Size: fi.Size(), Sealed: true})
	}
	if len(segs) > 0 {
		segs[len(segs)-1].Sealed = false
	}
	return segs, err
}

// Lines reads one segment in the order of the file, from the byte from on.
func (l *Log) Lines(seg Segment, from int64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		f, err := os.Open(filepath.Join(l.dir, seg.Name))
		if err != nil {
			yield(Line{}, err)
			return
		}
		defer f.Close()
		b, err := io.ReadAll(io.NewSectionReader(f, from, 1<<62))
		if err != nil {
			yield(Line{}, err)
			return
		}
		off, n := from, 0
		for {
			i := bytes.IndexByte(b, '\n')
			if i < 0 {
				return
			}
			n++
			var fl Fields
			ln := Line{Segment: seg.First, Offset: off, Bytes: b[:i], Fields: &fl}
			if err := ScanLine(b[:i], &fl); err != nil {
				if !yield(ln, &Damage{Segment: seg.Name, Line: n, Offset: off, Err: err}) {
					return
				}
			} else {
				ln.Seq = fl.Seq
				if !yield(ln, nil) {
					return
				}
			}
			b, off = b[i+1:], off+int64(i)+1
		}
	}
}

// Forward reads the records above after in the order of seq.
func (l *Log) Forward(after uint64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		segs, err := l.Segments()
		if err != nil {
			yield(Line{}, err)
			return
		}
		last := after
		for i, s := range segs {
			if i+1 < len(segs) && segs[i+1].First <= after+1 {
				continue
			}
			for ln, err := range l.Lines(s, 0) {
				if err == nil && ln.Seq <= last {
					continue
				}
				if err == nil {
					last = ln.Seq
				}
				if !yield(ln, err) {
					return
				}
			}
		}
	}
}

// Backward reads the records below before, newest first; 0 begins at the end.
func (l *Log) Backward(before uint64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		var all []Line
		for ln, err := range l.Forward(0) {
			if err == nil && (before == 0 || ln.Seq < before) {
				all = append(all, ln)
			}
		}
		for _, ln := range slices.Backward(all) {
			if !yield(ln, nil) {
				return
			}
		}
	}
}

// Get returns the record with the number seq; ErrNotFound when there is none.
func (l *Log) Get(seq uint64) (Line, error) {
	for ln, err := range l.Forward(seq - 1) {
		if err != nil {
			continue
		}
		if ln.Seq == seq {
			return ln, nil
		}
		break
	}
	return Line{}, fmt.Errorf("record %d: %w", seq, ErrNotFound)
}

// Follow reads as Forward does, then waits for more until ctx ends.
func (l *Log) Follow(ctx context.Context, after uint64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for ctx.Err() == nil {
			for ln, err := range l.Forward(after) {
				if err == nil {
					after = ln.Seq
				}
				if !yield(ln, err) {
					return
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}
