package format

import (
	"bytes"
	"io"
)

const (
	maxLine   = 4 << 20   // what is longer is passed over
	readBlock = 256 << 10 // bytes read at a time
)

// rawLine is what stands between two newlines of a file.
type rawLine struct {
	off  int64
	b    []byte
	long bool // longer than maxLine; b is not kept
}

var byteOrderMark = []byte("\ufeff")

// content is the line without what editors and file systems put around it: a byte order mark, a carriage
// return, NUL bytes. It returns the offset of what is left and the number of NUL bytes before it.
func (l rawLine) content() (b []byte, off int64, nuls int) {
	b, off = l.b, l.off
	if off == 0 && bytes.HasPrefix(b, byteOrderMark) {
		b, off = b[len(byteOrderMark):], off+int64(len(byteOrderMark))
	}
	for nuls < len(b) && b[nuls] == 0 {
		nuls++
	}
	b, off = b[nuls:], off+int64(nuls)
	if len(b) > 0 && b[len(b)-1] <= ' ' {
		b = bytes.TrimRight(b, "\r \t")
	}
	return b, off, nuls
}

// lineReader reads a file line by line in bounded memory, and can go on when the file has grown.
type lineReader struct {
	r        io.ReaderAt
	block    int    // bytes to read next; grows up to readBlock, so that a short reading stays short
	off      int64  // in the file, of buf[0]
	buf      []byte // read and not yet used, begins with a line
	searched int    // bytes of buf known to hold no newline
	space    []byte // the array behind buf
	skipped  int64  // bytes already dropped of a line that is too long
	restLen  int    // length of the incomplete line at the last io.EOF, without skipped
}

// next returns the next line, valid until the call after; io.EOF when no newline is left. Called again
// after that, it reads anew what it saw of an incomplete line: a writer may have taken it back.
func (l *lineReader) next() (rawLine, error) {
	for {
		if i := bytes.IndexByte(l.buf[l.searched:], '\n'); i >= 0 {
			i += l.searched
			ln := rawLine{off: l.off - l.skipped, b: l.buf[:i], long: l.skipped+int64(i) > maxLine}
			l.buf, l.off, l.searched, l.skipped = l.buf[i+1:], l.off+int64(i)+1, 0, 0
			return ln, nil
		}
		l.searched = len(l.buf)
		if l.searched > maxLine {
			l.skipped += int64(len(l.buf))
			l.off += int64(len(l.buf))
			l.buf, l.searched = l.buf[:0], 0
		}
		n, err := l.fill()
		if n > 0 {
			continue
		}
		if err == nil {
			err = io.ErrNoProgress
		}
		if err != io.EOF {
			return rawLine{}, err
		}
		l.restLen, l.buf, l.searched = len(l.buf), l.buf[:0], 0
		return rawLine{}, io.EOF
	}
}

// fill reads more behind what buf holds.
func (l *lineReader) fill() (int, error) {
	block := max(l.block, 8<<10)
	l.block = min(2*block, readBlock)
	if need := len(l.buf) + block; cap(l.space) < need {
		bigger := make([]byte, max(need, min(2*cap(l.space), maxLine+readBlock+1)))
		copy(bigger, l.buf)
		l.space = bigger
	} else if len(l.buf) > 0 {
		copy(l.space[:cap(l.space)], l.buf)
	}
	at := len(l.buf)
	n, err := l.r.ReadAt(l.space[at:min(at+block, cap(l.space))], l.off+int64(at))
	l.buf = l.space[:at+n]
	return n, err
}

// rest is where the incomplete line begins that the file ended with, and how long it is so far.
func (l *lineReader) rest() (off, n int64) { return l.off - l.skipped, l.skipped + int64(l.restLen) }
