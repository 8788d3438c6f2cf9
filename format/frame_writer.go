package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	// FrameLines is how many lines are in one frame: four blocks of package index and two of package seal. The package
	// comment has what more or fewer cost.
	FrameLines = 2048
	frameBytes = 2 << 20 // plain bytes after which a frame ends earlier, with the line
	frameMost  = 4 << 20 // and where it ends in the middle of a line
)

// FrameWriter compresses a segment: what is written to it goes to another writer as frames. It has one user.
type FrameWriter struct {
	w     io.Writer
	enc   *zstd.Encoder
	plain []byte // of the frame that is being filled
	lines int    // in it
	out   []byte
	table []byte
}

// NewFrameWriter makes one. Only Close writes the end.
func NewFrameWriter(w io.Writer) (*FrameWriter, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithEncoderCRC(true), zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(frameMost))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return &FrameWriter{w: w, enc: enc, plain: make([]byte, 0, frameBytes/2)}, nil
}

// Write takes the next plain bytes.
func (f *FrameWriter) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		end := bytes.IndexByte(p[n:], '\n') + 1
		whole := end > 0
		if !whole {
			end = len(p) - n
		}
		if end = min(end, frameMost-len(f.plain)); n+end < len(p) && p[n+end-1] != '\n' {
			whole = false
		}
		f.plain = append(f.plain, p[n:n+end]...)
		n += end
		if whole {
			f.lines++
		}
		if whole && (f.lines == FrameLines || len(f.plain) >= frameBytes) || len(f.plain) == frameMost {
			if err := f.flush(); err != nil {
				return n, err
			}
		}
	}
	return len(p), nil
}

// flush writes what was taken as a frame.
func (f *FrameWriter) flush() error {
	if len(f.plain) == 0 {
		return nil
	}
	f.out = f.enc.EncodeAll(f.plain, f.out[:0])
	f.table = binary.LittleEndian.AppendUint32(f.table, uint32(len(f.out)))
	f.table = binary.LittleEndian.AppendUint32(f.table, uint32(len(f.plain)))
	f.plain, f.lines = f.plain[:0], 0
	_, err := f.w.Write(f.out)
	return err
}

// Reset begins another segment, which goes to w. What this one takes to compress, some 5 MB, is used again.
func (f *FrameWriter) Reset(w io.Writer) {
	f.w, f.plain, f.lines, f.table = w, f.plain[:0], 0, f.table[:0]
}

// Close writes the last frame and the seek table. It does not close the other writer.
func (f *FrameWriter) Close() error {
	if err := f.flush(); err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32(nil, skippableMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.table)+seekableFooter))
	b = append(b, f.table...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.table)/seekableEntry))
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint32(b, seekableMagic)
	_, err := f.w.Write(b)
	return err
}
