package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// recover finds where the log ends and makes it ready to go on. What keeps it from being written is no error:
// it is tried again when something is to be written.
func (w *Writer) recover() error {
	l := newLog(w.dir)
	segs, err := l.Segments()
	if err != nil {
		return err
	}
	if err := w.findLast(l, segs); err != nil {
		return err
	}
	w.synced = w.seq
	if len(segs) == 0 {
		return nil
	}
	last := segs[len(segs)-1]
	if last.Compressed {
		return nil // the file that grew is gone: a new one begins
	}
	good, err := endOfLines(filepath.Join(w.dir, last.Name), last.Size)
	if err != nil {
		return err
	}
	w.torn = &tornTail{segment: last.Name, good: good, size: last.Size}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.put() == nil {
		_ = w.syncTo(w.seq) // as above: the state says it
	}
	return nil
}

// findLast finds the newest numbers: in the newest segment, as a whole because a tool may have changed the order
// of its lines. An eseq that is not there is looked for when it is needed.
func (w *Writer) findLast(l *Log, segs []Segment) error {
	if len(segs) == 0 {
		return nil
	}
	newest := segs[len(segs)-1]
	w.seq = max(newest.First, 1) - 1
	if err := w.countNumbers(l, newest); err != nil {
		return err
	}
	if err := w.countOlder(l, segs[:len(segs)-1]); err != nil {
		return err
	}
	if w.eseq == 0 {
		w.older = segs
	}
	return nil
}

// countNumbers raises the newest numbers to those in a segment. It looks at the begin of each line only.
func (w *Writer) countNumbers(l *Log, seg Segment) error {
	f, err := l.OpenSegment(seg.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.cut(); err != nil && f.fs.plain == 0 { // its numbers would be given again
		return fmt.Errorf("read %s: %w", seg.Name+CompressedSuffix, err)
	}
	lines := lineReader{r: f, block: readBlock}
	var fields Fields
	lost := uint64(0) // damaged lines after the newest: they had numbers, which are not given again
	for {
		raw, err := lines.next()
		if err == io.EOF {
			w.seq += lost
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", seg.Name, err)
		}
		b, _, _ := raw.content()
		if raw.long {
			lost++
			continue
		}
		if len(b) == 0 {
			continue
		}
		seq, eseq, ok := prefixNumbers(b)
		if !ok {
			err := ScanLine(b, &fields)
			if errors.Is(err, ErrVersion) {
				return fmt.Errorf("read %s: %w", seg.Name, err)
			}
			seq, eseq = fields.Seq, fields.Eseq
			if err != nil || checkSeq(b, &fields) != nil {
				lost++
				continue
			}
		}
		w.eseq = max(w.eseq, eseq)
		if seq > w.seq {
			w.seq, lost = seq, 0
		}
	}
}

// countOlder raises the newest numbers to those in older segments: lines whose sync failed are written again to a
// new segment, and a crash in between leaves more of them in the old one. It looks at last lines only.
func (w *Writer) countOlder(l *Log, segs []Segment) error {
	for _, seg := range slices.Backward(segs) {
		last, err := w.lastNumber(l, seg)
		if err != nil || last > 0 && last <= w.seq {
			return nil // damage: a reader will say so
		}
		if last > 0 {
			if err := w.countNumbers(l, seg); err != nil {
				return err
			}
		}
	}
	return nil
}

// lastNumber returns the seq of the last intact line of a segment; 0 when there is none.
func (w *Writer) lastNumber(l *Log, seg Segment) (uint64, error) {
	f, err := l.OpenSegment(seg.Name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var fields Fields
	lines, err := newBackReader(f, seg.Size)
	for err == nil {
		var raw rawLine
		if raw, err = lines.prev(); err == nil && !raw.long {
			if b, _, _ := raw.content(); len(b) > 0 {
				if seq := seqOf(b, &fields); seq > 0 {
					return seq, nil
				}
			}
		}
	}
	if err == io.EOF {
		err = nil
	}
	return 0, err
}

// mentions tells whether a segment holds a text.
func (l *Log) mentions(seg Segment, text string) (bool, error) {
	f, err := l.OpenSegment(seg.Name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	kept := 0 // bytes of the block before, in which the text may begin
	for off := int64(0); ; {
		n, err := f.ReadAt(buf[kept:], off)
		off += int64(n)
		b := buf[:kept+n]
		if bytes.Contains(b, []byte(text)) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		kept = copy(buf, b[max(0, len(b)-len(text)+1):])
	}
}

// endOfLines returns the offset after the last newline of a file.
func endOfLines(path string, size int64) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(0, end-int64(len(buf)))
		b := buf[:end-start]
		if _, err := f.ReadAt(b, start); err != nil {
			return 0, fmt.Errorf("read %s: %w", filepath.Base(path), err)
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}
