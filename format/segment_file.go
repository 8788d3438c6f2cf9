package format

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// SegmentFile is a segment that is open for reading, be it plain or compressed. All offsets are those of the plain
// bytes. A frame that cannot be decompressed reads as NUL bytes and a newline: it is one damaged line, and what
// stands behind it is where it was. Its methods may be called by any number of goroutines.
type SegmentFile struct {
	file *os.File
	info fs.FileInfo // as it was when it was opened; nil: plain, ask the file
	fs   *frames     // nil: it is plain
	pool *sync.Pool  // of *frameSpace, shared by all files of a log; nil with fs

	mu     sync.Mutex
	at     int // the frame that is in space; -1: none. Guarded by mu, as all below
	space  *frameSpace
	faults map[int]error // of frames that cannot be decompressed
}

// frameSpace is what one frame is read and decompressed into: some MiB at the most.
type frameSpace struct{ plain, packed []byte }

// OpenSegment opens the segment with the name of a plain file, compressed or not. While one takes the place of the
// other both are there, and the plain one is opened. The error is fs.ErrNotExist when there is neither.
func (l *Log) OpenSegment(name string) (*SegmentFile, error) {
	path := filepath.Join(l.dir, name)
	f, err := OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		var z *SegmentFile
		if z, err = l.OpenCompressed(name); err == nil {
			return z, nil
		}
		if errors.Is(err, fs.ErrNotExist) { // taken out again meanwhile
			f, err = OpenRegular(path)
		}
	}
	if err != nil {
		return nil, err
	}
	return &SegmentFile{file: f, at: -1}, nil
}

// OpenCompressed opens the compressed file of the segment with that name, also while the plain one is there.
func (l *Log) OpenCompressed(name string) (*SegmentFile, error) {
	f, err := OpenRegular(filepath.Join(l.dir, name+CompressedSuffix))
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	var frames *frames
	if err == nil {
		if frames, err = l.framesOf(name, f, fi); err != nil {
			err = fmt.Errorf("read %s: %w", name+CompressedSuffix, err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &SegmentFile{file: f, info: plainInfo{fi, frames.plain}, fs: frames, pool: &l.spaces, at: -1}, nil
}

// OpenRegular opens a file for reading. What else has its name gives ErrNotFile; a pipe that somebody put there is not
// waited for.
func OpenRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s is %w", filepath.Base(path), ErrNotFile)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// plainInfo is what is known of a compressed file, with the number of its plain bytes as its size.
type plainInfo struct {
	fs.FileInfo
	size int64
}

// Size is that of the plain bytes.
func (i plainInfo) Size() int64 { return i.size }

func isCompressed(fi fs.FileInfo) bool {
	_, ok := fi.(plainInfo)
	return ok
}

// sameFile is os.SameFile of files of which some are compressed.
func sameFile(a, b fs.FileInfo) bool {
	if p, ok := a.(plainInfo); ok {
		a = p.FileInfo
	}
	if p, ok := b.(plainInfo); ok {
		b = p.FileInfo
	}
	return os.SameFile(a, b)
}

// StatSegment tells of a segment what OpenSegment would open. Size is the number of its plain bytes.
func (l *Log) StatSegment(name string) (fs.FileInfo, error) {
	fi, err := os.Stat(filepath.Join(l.dir, name))
	if !errors.Is(err, fs.ErrNotExist) {
		return fi, err
	}
	if fi, err = os.Stat(filepath.Join(l.dir, name+CompressedSuffix)); err == nil {
		var plain int64
		if plain, err = l.plainSize(name, fi); err == nil {
			return plainInfo{fi, plain}, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) { // taken out again meanwhile
		fi, err = os.Stat(filepath.Join(l.dir, name))
	}
	return fi, err
}

// Close closes the file.
func (f *SegmentFile) Close() error {
	f.mu.Lock()
	if f.space != nil {
		f.pool.Put(f.space)
		f.space, f.at = nil, -1
	}
	f.mu.Unlock()
	return f.file.Close()
}

// Sync makes what is in the file durable, whoever wrote it.
func (f *SegmentFile) Sync() error { return f.file.Sync() }

// Stat tells of the file; Size is the number of plain bytes.
func (f *SegmentFile) Stat() (fs.FileInfo, error) {
	if f.info != nil {
		return f.info, nil
	}
	return f.file.Stat()
}

// Compressed tells whether it is.
func (f *SegmentFile) Compressed() bool { return f.fs != nil }

// ReadAt reads plain bytes, as io.ReaderAt wants it.
func (f *SegmentFile) ReadAt(p []byte, off int64) (int, error) {
	if f.fs == nil {
		return f.file.ReadAt(p, off)
	}
	if off < 0 {
		return 0, fmt.Errorf("read at byte %d: there is none", off)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for n < len(p) {
		i := f.fs.find(off + int64(n))
		if i == len(f.fs.list) {
			return n, io.EOF
		}
		if err := f.load(i); err != nil {
			return n, err
		}
		n += copy(p[n:], f.space.plain[off+int64(n)-f.fs.list[i].off:])
	}
	return n, nil
}

// load puts a frame into plain. The caller holds mu.
func (f *SegmentFile) load(i int) (err error) {
	if f.at == i {
		return nil
	}
	f.at = -1
	fr := f.fs.list[i]
	if f.space == nil {
		if f.space, _ = f.pool.Get().(*frameSpace); f.space == nil {
			f.space = new(frameSpace)
		}
	}
	f.space.plain, f.space.packed, err = fr.decode(f.file, f.space.plain[:0], f.space.packed)
	var read *fs.PathError
	switch {
	case errors.As(err, &read) && !errors.Is(err, syscall.EIO):
		return err // nothing is known of the frame
	case err != nil:
		f.fault(i, err)
	}
	f.at = i
	return nil
}

// fault notes what is wrong with a frame, and puts what it reads as into space.
func (f *SegmentFile) fault(i int, err error) {
	if f.faults == nil {
		f.faults = map[int]error{}
	}
	n := f.fs.list[i].plain
	f.faults[i] = fmt.Errorf("%d bytes cannot be decompressed: %w", n, err)
	f.space.plain = append(f.space.plain[:0], make([]byte, n)...)
	if n > 0 {
		f.space.plain[n-1] = '\n'
	}
}

// Faults is what is wrong with the frames that were read so far and could not be decompressed, in their order.
func (f *SegmentFile) Faults() []error {
	if f.fs == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []error
	for i := range f.fs.list {
		if err := f.faults[i]; err != nil {
			all = append(all, err)
		}
	}
	return all
}

// cut is why the file ends too early; nil: it does not, as far as can be told without a seal.
func (f *SegmentFile) cut() error {
	if f == nil || f.fs == nil {
		return nil
	}
	return f.fs.cut
}

// faultAt is what is wrong with the frame that begins at the plain byte off; nil: nothing is known.
func (f *SegmentFile) faultAt(off int64) error {
	if f == nil || f.fs == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := f.fs.find(off); i < len(f.fs.list) && f.fs.list[i].off == off {
		return f.faults[i]
	}
	return nil
}
