package format

import (
	"bytes"
	"io"
)

// backReader reads the lines of a file from its end on, block by block.
type backReader struct {
	r       io.ReaderAt
	off     int64  // in the file, of buf[0]
	buf     []byte // ends with the end of a line; its newline is cut off
	skipped int64  // bytes dropped behind buf of a line that is too long
}

// newBackReader begins before the byte end. What stands there without a newline is passed over.
func newBackReader(r io.ReaderAt, end int64) (*backReader, error) {
	b := &backReader{r: r, off: end}
	_, err := b.prev()
	if err == io.EOF {
		return b, nil
	}
	return b, err
}

// prev returns the line before the last one returned, valid until the next call; io.EOF at the begin.
func (b *backReader) prev() (rawLine, error) {
	searched := 0 // bytes at the end of buf known to hold no newline
	for {
		if i := bytes.LastIndexByte(b.buf[:len(b.buf)-searched], '\n'); i >= 0 {
			ln := b.line(i + 1)
			b.buf, b.skipped = b.buf[:i], 0
			return ln, nil
		}
		searched = len(b.buf)
		if b.off == 0 {
			if b.buf == nil {
				return rawLine{}, io.EOF
			}
			ln := b.line(0)
			b.buf, b.skipped = nil, 0
			return ln, nil
		}
		if searched > maxLine {
			b.skipped += int64(searched)
			b.buf, searched = b.buf[:0], 0
		}
		if err := b.fill(); err != nil {
			return rawLine{}, err
		}
	}
}

func (b *backReader) line(from int) rawLine {
	n := int64(len(b.buf)-from) + b.skipped
	return rawLine{off: b.off + int64(from), b: b.buf[from:], long: n > maxLine}
}

// fill reads one more block before what buf holds.
func (b *backReader) fill() error {
	n := min(int64(max(64<<10, len(b.buf))), b.off, readBlock)
	buf := make([]byte, int(n)+len(b.buf))
	if _, err := b.r.ReadAt(buf[:n], b.off-n); err != nil && err != io.EOF {
		return err
	}
	copy(buf[n:], b.buf)
	b.buf, b.off = buf, b.off-n
	return nil
}
