package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// CompressedSuffix ends the name of the file of a compressed segment, behind the name that the plain one had.
const CompressedSuffix = ".zst"

// A compressed segment is a Zstandard file (RFC 8878) of independent frames, each with its size and checksum, and a
// seek table at its end, in a skippable frame that other programs pass over. The table is that of the Zstandard
// Seekable Format 0.1.0, without checksums: it is a convenience, and where it does not fit the frames are looked
// for one by one.
const (
	skippableMagic = 0x184D2A5E
	seekableMagic  = 0x8F92EAB1
	seekableFooter = 9         // frames u32, descriptor u8, magic u32
	seekableEntry  = 8         // compressed u32, plain u32
	maxTable       = 8 << 20   // bytes of a seek table
	maxFrame       = 8 << 20   // plain bytes of one frame that are believed; the writer makes less
	maxPlain       = 1<<40 - 1 // plain bytes of one segment that are believed
	frameOverhead  = 4 << 10   // more than that no compressed frame is longer than what it holds
	blockHeader    = 3         // of a block in a frame
	checksumBytes  = 4         // at the end of a frame
	walkBytes      = 64        // enough for the header of a frame and of its first block
)

// frame is one frame of a compressed segment.
type frame struct {
	at, off int64 // in the file, and of its plain bytes
	size    int   // in the file
	plain   int   // bytes in it
}

// frames is where the frames of a compressed segment are.
type frames struct {
	list  []frame
	plain int64 // bytes in all of them
	cut   error // what comes behind them; nil: nothing
}

var errNoFrames = errors.New("it is no compressed segment: no frame with its size was found")

// readFrames finds the frames of a file of size bytes. One that holds none is a segment without lines that ends too
// early: it is damage in one place and keeps nobody from the others.
func readFrames(r io.ReaderAt, size int64) (*frames, error) {
	fs, err := readTable(r, size)
	if err == nil && fs.agree(r) {
		return fs, nil
	}
	walked, werr := walkFrames(r, size)
	switch {
	case werr == nil && (err != nil || walked.cut == nil):
		return walked, nil
	case err == nil: // it is the headers that are damaged
		return fs, nil
	}
	if _, read := errors.AsType[*iofs.PathError](errors.Join(err, werr)); read {
		return nil, err // nothing is known of what is in it
	}
	return &frames{cut: err}, nil
}

// agree tells whether the frames say of themselves what the table says, which has no checksum.
func (fs *frames) agree(r io.ReaderAt) bool {
	var buf [walkBytes]byte
	for _, f := range fs.list {
		b := buf[:min(walkBytes, f.size)]
		var h zstd.Header
		if _, err := r.ReadAt(b, f.at); err != nil || h.Decode(b) != nil || h.Skippable || !h.HasFCS || h.FrameContentSize != uint64(f.plain) {
			return false
		}
	}
	return true
}

// readTable reads the seek table. It must account for each byte of the file: frames that are not in it would be seen
// by other programs and not here.
func readTable(r io.ReaderAt, size int64) (*frames, error) {
	var foot [seekableFooter]byte
	if size < seekableFooter+8 {
		return nil, errNoFrames
	}
	if _, err := r.ReadAt(foot[:], size-seekableFooter); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(foot[:]))
	table := 8 + n*seekableEntry + seekableFooter
	if foot[4] != 0 || binary.LittleEndian.Uint32(foot[5:]) != seekableMagic || table > maxTable || table > size {
		return nil, errNoFrames
	}
	b := make([]byte, table-seekableFooter)
	if _, err := r.ReadAt(b, size-table); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(b) != skippableMagic || int64(binary.LittleEndian.Uint32(b[4:])) != table-8 {
		return nil, errNoFrames
	}
	fs := &frames{list: make([]frame, 0, n)}
	at := int64(0)
	for e := b[8:]; len(e) > 0; e = e[seekableEntry:] {
		packed, plain := int64(binary.LittleEndian.Uint32(e)), int64(binary.LittleEndian.Uint32(e[4:]))
		if err := fs.add(at, packed, plain); err != nil {
			return nil, err
		}
		at += packed
	}
	if at != size-table {
		return nil, errNoFrames
	}
	return fs, nil
}

// add notes the next frame.
func (fs *frames) add(at, size, plain int64) error {
	if plain > maxFrame || size > plain+frameOverhead || fs.plain+plain > maxPlain {
		return fmt.Errorf("a frame of %d bytes with %d plain ones is none of a segment", size, plain)
	}
	fs.list = append(fs.list, frame{at: at, off: fs.plain, size: int(size), plain: int(plain)})
	fs.plain += plain
	return nil
}

// walkFrames finds the frames by their headers, as other programs do.
func walkFrames(r io.ReaderAt, size int64) (*frames, error) {
	fs := new(frames)
	for at := int64(0); at < size; {
		n, plain, skip, err := walkFrame(r, at, size)
		switch {
		case err != nil && len(fs.list) > 0: // what is whole counts
			fs.cut = fmt.Errorf("from byte %d of the compressed file on nothing can be read: %w", at, err)
			return fs, nil
		case err != nil:
			return nil, err
		case !skip:
			if err := fs.add(at, n, plain); err != nil {
				return nil, err
			}
		}
		at += n
	}
	if len(fs.list) == 0 {
		return nil, errNoFrames
	}
	return fs, nil
}

// walkFrame returns the bytes of the frame at at, and the plain ones that it says it holds.
func walkFrame(r io.ReaderAt, at, size int64) (n, plain int64, skip bool, err error) {
	var buf [walkBytes]byte
	got, err := r.ReadAt(buf[:min(walkBytes, size-at)], at)
	if err != nil && err != io.EOF {
		return 0, 0, false, err
	}
	var h zstd.Header
	if err := h.Decode(buf[:got]); err != nil {
		return 0, 0, false, err
	}
	if h.Skippable {
		return int64(h.HeaderSize) + int64(h.SkippableSize), 0, true, nil
	}
	if !h.HasFCS || h.FrameContentSize > maxFrame {
		return 0, 0, false, errNoFrames
	}
	n = int64(h.HeaderSize)
	for last := false; !last; {
		var b [blockHeader]byte
		if _, err := r.ReadAt(b[:], at+n); err != nil {
			return 0, 0, false, err
		}
		word := int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
		last = word&1 != 0
		n += blockHeader + word>>3
		if word>>1&3 == 1 { // one byte, repeated
			n += 1 - word>>3
		}
	}
	if h.HasCheckSum {
		n += checksumBytes
	}
	if at+n > size {
		return 0, 0, false, io.ErrUnexpectedEOF
	}
	return n, int64(h.FrameContentSize), false, nil
}

// find returns the number of the frame that holds the plain byte off.
func (fs *frames) find(off int64) int {
	i, ok := slices.BinarySearchFunc(fs.list, off, func(f frame, off int64) int {
		switch {
		case f.off > off:
			return 1
		case f.off+int64(f.plain) <= off:
			return -1
		}
		return 0
	})
	if !ok {
		return len(fs.list)
	}
	return i
}

// decode appends the plain bytes of a frame to dst; packed is space that may be used. What it says of itself must be
// what the table said: nothing larger is made of it.
func (f frame) decode(r io.ReaderAt, dst, packed []byte) (plain, space []byte, err error) {
	packed = slices.Grow(packed[:0], f.size)[:f.size]
	if _, err := r.ReadAt(packed, f.at); err != nil {
		return dst, packed, err
	}
	var h zstd.Header
	if err := h.Decode(packed); err != nil {
		return dst, packed, err
	}
	if h.Skippable || !h.HasFCS || h.FrameContentSize != uint64(f.plain) {
		return dst, packed, errors.New("the frame is not as long as the seek table says")
	}
	out, err := zstd.DecodeTo(dst, packed)
	if err == nil && len(out)-len(dst) != f.plain {
		err = errors.New("the frame is not as long as it says")
	}
	if err != nil {
		return dst, packed, err
	}
	return out, packed, nil
}
