package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// tornSuffix ends the name of a file that holds what is no line of a segment.
const tornSuffix = ".torn"

// tornTail is what stands after the last newline of the newest segment: the line a crash cut off.
type tornTail struct {
	segment string
	good    int64 // bytes of whole lines
	size    int64 // of the file
	kept    bool  // the tail is safe in the .torn file
	nuls    int64 // at its end, valid when kept
}

// takeTorn opens the segment that was the newest at Open for appending. A torn tail goes to the segment's
// .torn file first and is then cut off; nothing is cut off that is not safe there. The caller holds mu.
func (w *Writer) takeTorn() error {
	t := w.torn
	path := filepath.Join(w.dir, t.segment)
	if t.good < t.size && !t.kept {
		nuls, err := w.quarantine(path, t)
		if err != nil {
			return err
		}
		t.kept, t.nuls = true, nuls // what follows may fail and be tried again every second
	}
	f, err := w.disk.open(path, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	if t.good < t.size {
		if err := f.Truncate(t.good); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := f.Sync(); err != nil {
			return errors.Join(err, f.Close())
		}
		w.notices = append(w.notices, tornNotice(t))
	}
	w.seg, w.name, w.size, w.durable, w.torn = f, t.segment, t.good, t.good, nil
	return nil
}

// quarantine copies a torn tail, without the NUL bytes at its end, to the segment's .torn file. It returns how
// many those are: some file systems make a file longer before its data is there.
func (w *Writer) quarantine(path string, t *tornTail) (nuls int64, err error) {
	src, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	end, err := endOfData(src, t.good, t.size)
	if err != nil || end == t.good {
		return t.size - end, err
	}
	dst, err := w.disk.open(path+tornSuffix, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(dst, io.NewSectionReader(src, t.good, end-t.good))
	if err == nil {
		_, err = dst.Write([]byte("\n"))
	}
	if err == nil {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return 0, err
	}
	return t.size - end, w.disk.syncDir(w.dir)
}

// endOfData returns where the NUL bytes begin that f ends with between from and to.
func endOfData(f *os.File, from, to int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for to > from {
		start := max(from, to-int64(len(buf)))
		b := buf[:to-start]
		if _, err := f.ReadAt(b, start); err != nil {
			return 0, err
		}
		if n := len(bytes.TrimRight(b, "\x00")); n > 0 {
			return start + int64(n), nil
		}
		to = start
	}
	return from, nil
}

func tornNotice(t *tornTail) *Record {
	n := t.size - t.good
	msg := fmt.Sprintf("The last line of %s was not complete: its %d bytes were moved to %s%s.", t.segment, n, t.segment, tornSuffix)
	if n == t.nuls {
		msg = fmt.Sprintf("%s ended in %d bytes without content, which were dropped.", t.segment, n)
	}
	return notice(LevelWarn, "log.recovered", msg,
		map[string]any{"segment": t.segment, "offset": t.good, "bytes": n, "nul": t.nuls})
}
