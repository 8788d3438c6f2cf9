package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Segment is one file of a log.
type Segment struct {
	First  uint64 // by its name: no record in it has a smaller seq, unless a tool has been at work
	Name   string // of the plain file, also when it is compressed
	Size   int64  // plain bytes
	Sealed bool   // not the newest one, or compressed, so it does not grow

	Stored     int64 // bytes of its files on the disk
	Compressed bool
}

// Line is one intact line of a log.
type Line struct {
	Seq     uint64
	Segment uint64  // Segment.First
	Offset  int64   // byte at which the line begins
	Bytes   []byte  // without its end; valid until the next step, as Fields
	Fields  *Fields // Bytes as ScanLine sees it
}

// Clone returns a copy that stays valid.
func (ln Line) Clone() Line {
	f := ln.Fields.Clone()
	ln.Bytes, ln.Fields = f.Line, &f
	return ln
}

// Log reads the segments of a directory that may be live, a copy or on a read-only disk: it never writes and
// never locks. All methods may be called by any number of goroutines.
type Log struct {
	dir string

	mu     sync.Mutex
	orders map[string]*order // by segment name, guarded by mu, as the next two
	sizes  map[string]packed // of compressed ones, by segment name
	tables int               // of sizes, how many have frames

	spaces sync.Pool // of *frameSpace: those of files that were closed
}

// newLog reads the folder of segments dir.
func newLog(dir string) *Log {
	return &Log{dir: dir, orders: map[string]*order{}, sizes: map[string]packed{}}
}

// OpenLog opens the log in the data directory dir, or the folder of segments itself. A data directory without
// a log yet is an empty log.
func OpenLog(dir string) (*Log, error) {
	fi, err := os.Stat(dir)
	if err == nil && !fi.IsDir() {
		err = errors.New("not a directory")
	}
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	l := newLog(filepath.Join(dir, "log"))
	if _, err := os.Stat(l.dir); err == nil {
		return l, nil
	}
	if segs, err := newLog(dir).Segments(); err == nil && len(segs) > 0 {
		l.dir = dir
	}
	return l, nil
}

// AwaitLog is OpenLog of a data directory that need not be there yet: until a writer makes it, its log is empty.
func AwaitLog(dir string) (*Log, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return newLog(filepath.Join(dir, "log")), nil
	}
	return OpenLog(dir)
}

// Dir is the folder the segments are in.
func (l *Log) Dir() string { return l.dir }

const segmentSuffix = ".jsonl"

// SegmentFirst returns the number in the name of a segment, and whether it is such a name.
func SegmentFirst(name string) (uint64, bool) { return segmentFirst(name) }

// LineSeq returns the seq of a line, given without its end; 0 when it is no line of a record.
func LineSeq(line []byte) uint64 { return seqOf(line, new(Fields)) }

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// segmentFirst reads a segment's name.
func segmentFirst(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n <= maxSeq
}

// Segments lists the segments, oldest first. Files with other names are none.
func (l *Log) Segments() ([]Segment, error) {
	segs, _, err := l.List()
	return segs, err
}

// List is Segments, and tells also what has the name of a segment and is no file: such a thing is not read, since a
// link leads anywhere and a pipe could be waited for without end.
func (l *Log) List() (segs []Segment, odd []*Damage, err error) {
	ents, err := os.ReadDir(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list segments: %w", err)
	}
	for _, e := range ents { // in the order of names, which is the order of numbers
		name, compressed := strings.CutSuffix(e.Name(), CompressedSuffix)
		first, ok := segmentFirst(name)
		if !ok {
			continue
		}
		if !e.Type().IsRegular() {
			odd = append(odd, &Damage{Segment: e.Name(), Err: fmt.Errorf("it is %s and not read; put the file itself in its place", kindOf(e.Type()))})
			continue
		}
		fi, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since: pruned
		}
		if err != nil { // it is there: left out, its numbers would be given again
			return nil, nil, fmt.Errorf("list segments: %w", err)
		}
		if n := len(segs); n > 0 && segs[n-1].First == first { // one is about to take the other's place
			segs[n-1].Stored += fi.Size()
			continue
		}
		seg := Segment{First: first, Name: name, Size: fi.Size(), Stored: fi.Size(), Sealed: true, Compressed: compressed}
		if compressed {
			seg.Size, _ = l.plainSize(name, fi) // a reader will say what is wrong
		}
		segs = append(segs, seg)
	}
	if n := len(segs); n > 0 {
		segs[n-1].Sealed = segs[n-1].Compressed
	}
	return segs, odd, nil
}

// kindOf names what is no file.
func kindOf(mode fs.FileMode) string {
	switch mode & fs.ModeType {
	case fs.ModeSymlink:
		return "a link"
	case fs.ModeDir:
		return "a folder"
	case fs.ModeNamedPipe:
		return "a pipe"
	}
	return "no file"
}

// Lines reads one segment in the order of its file, from the byte from on, which must be the begin of a line.
// A place that is no line of a record comes as [*Damage] together with a Line that has Segment and Offset; the
// reading goes on after it. An incomplete last line is damage in a sealed segment, and in the active one
// nothing at all: it may still be growing. Of a segment that was removed since it was listed comes ErrPruned, as damage
// without a place.
func (l *Log) Lines(seg Segment, from int64) iter.Seq2[Line, error] {
	return l.linesWith(seg, from, "")
}

// LinesWith is Lines of a whole segment for those lines that hold text as it is written there. To pass over the others
// costs a tenth of making records of them; what is damaged in them is passed over, too.
func (l *Log) LinesWith(seg Segment, text string) iter.Seq2[Line, error] {
	return l.linesWith(seg, 0, text)
}

func (l *Log) linesWith(seg Segment, from int64, text string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		f, err := l.OpenSegment(seg.Name)
		if err != nil {
			yield(Line{Segment: seg.First}, unread(seg, err))
			return
		}
		defer f.Close()
		r := &segmentReader{seg: seg, file: f, lines: lineReader{r: f, off: from}, counted: from == 0, only: []byte(text)}
		r.each(yield)
	}
}

// segmentReader makes lines and damage of the raw lines of one segment.
type segmentReader struct {
	seg     Segment
	file    *SegmentFile
	lines   lineReader
	number  int    // of the line, from 1
	counted bool   // number is known: the reading began with the first line
	only    []byte // lines without it are passed over
	fields  Fields
}

// each yields everything up to the end of the file; false when yield asked to stop.
func (r *segmentReader) each(yield func(Line, error) bool) bool {
	for {
		raw, err := r.lines.next()
		if err == io.EOF {
			if off, n := r.lines.rest(); n > 0 && r.seg.Sealed {
				r.number++
				return yield(r.damage(off, tornEnd(n)))
			}
			if err := r.file.cut(); err != nil {
				off, _ := r.lines.rest()
				return yield(r.damage(off, err))
			}
			return true
		}
		if err != nil {
			off, _ := r.lines.rest()
			return yield(r.damage(off, err))
		}
		r.number++
		if !r.deliver(raw, yield) {
			return false
		}
	}
}

func tornEnd(n int64) error { return fmt.Errorf("%d bytes after the last newline: %w", n, ErrTorn) }

// deliver yields one raw line: as a line, as damage, or as both when NUL bytes stand before it.
func (r *segmentReader) deliver(raw rawLine, yield func(Line, error) bool) bool {
	if err := r.file.faultAt(raw.off); err != nil {
		return yield(r.damage(raw.off, err))
	}
	if raw.long {
		return yield(r.damage(raw.off, fmt.Errorf("longer than %d MiB: %w", maxLine>>20, ErrTooLong)))
	}
	b, off, nuls := raw.content()
	if nuls > 0 && !yield(r.damage(raw.off, fmt.Errorf("%d NUL bytes", nuls))) {
		return false
	}
	if len(b) == 0 || len(r.only) > 0 && !bytes.Contains(b, r.only) {
		return true
	}
	err := ScanLine(b, &r.fields)
	if err == nil {
		err = checkSeq(b, &r.fields)
	}
	if err != nil {
		ln, err := r.damage(off, err)
		ln.Bytes = b
		return yield(ln, err)
	}
	return yield(Line{Seq: r.fields.Seq, Segment: r.seg.First, Offset: off, Bytes: b, Fields: &r.fields}, nil)
}

func (r *segmentReader) damage(off int64, err error) (Line, error) {
	d := &Damage{Segment: r.seg.Name, Offset: off, Err: err}
	if r.file != nil && r.file.Compressed() {
		d.Segment += CompressedSuffix
	}
	if r.counted {
		d.Line = r.number
	}
	return Line{Segment: r.seg.First, Offset: off}, d
}

// checkSeq holds that a line has a seq, and one only: whoever looks at its begin must see the same.
func checkSeq(b []byte, f *Fields) error {
	if f.Seq == 0 {
		return errors.New("no seq")
	}
	if f.Seq > maxSeq || f.Eseq > maxSeq {
		return fmt.Errorf("seq %d or eseq %d is too large", f.Seq, f.Eseq)
	}
	if seq, ok := prefixSeq(b); ok && seq != f.Seq {
		return fmt.Errorf("two seq: %d and %d", seq, f.Seq)
	}
	return nil
}

// prefixSeq reads the seq of a line as the writer writes it, without looking at the rest.
func prefixSeq(b []byte) (uint64, bool) {
	seq, _, ok := prefixNumbers(b)
	return seq, ok
}

// prefixNumbers reads the seq and the eseq, if there is one, of a line as the writer writes it.
func prefixNumbers(b []byte) (seq, eseq uint64, ok bool) {
	const head, second = `{"v":1,"seq":`, `,"eseq":`
	if len(b) <= len(head) || string(b[:len(head)]) != head {
		return 0, 0, false
	}
	s := scanner{b: b, i: len(head)}
	if seq, ok = s.uint(); !ok || seq == 0 || seq > maxSeq {
		return 0, 0, false
	}
	if len(b)-s.i > len(second) && string(b[s.i:s.i+len(second)]) == second {
		s.i += len(second)
		eseq, ok = s.uint()
	}
	return seq, eseq, ok && eseq <= maxSeq
}

// seqOf reads the seq of any line; 0 when it has none.
func seqOf(b []byte, f *Fields) uint64 {
	if seq, ok := prefixSeq(b); ok {
		return seq
	}
	if ScanLine(b, f) != nil || checkSeq(b, f) != nil {
		return 0
	}
	return f.Seq
}
