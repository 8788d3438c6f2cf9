package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"slices"
	"sync/atomic"

	"shiplog/format"
)

const (
	blockLines  = 1024     // lines of which one hash stands in the .blk file
	blockBytes  = 16       // of that hash, the first of a SHA-256
	readBytes   = 32 << 10 // at once beside a writer: while they are hashed the garbage collector waits
	verifyBytes = 256 << 10
)

// sums is the running hash of a segment and, when wanted, of its blocks.
type sums struct {
	all   hash.Hash
	block hash.Hash // nil: blocks are not wanted
	blk   []byte    // hashes of the whole blocks
	lines uint64    // newlines so far
	off   int64     // bytes so far
	full  bool      // the last byte was a newline, or there was none

	moves *atomic.Uint64 // counts the reads; nil: nobody asks
}

// newSums is the hash of nothing. With moves it is a keeper's: it has blocks, and counts there that it moves on.
func newSums(moves *atomic.Uint64) *sums {
	s := &sums{all: sha256.New(), full: true, moves: moves}
	if moves != nil {
		s.block = sha256.New()
	}
	return s
}

// add takes the next bytes of the segment.
func (s *sums) add(p []byte) {
	if len(p) == 0 {
		return
	}
	s.all.Write(p)
	s.off += int64(len(p))
	s.full = p[len(p)-1] == '\n'
	if s.block == nil {
		s.lines += uint64(bytes.Count(p, newline))
		return
	}
	for len(p) > 0 {
		want := blockLines - int(s.lines%blockLines)
		n := bytes.Count(p, newline)
		if n < want {
			s.block.Write(p)
			s.lines += uint64(n)
			return
		}
		end := 0
		for range want {
			end += bytes.IndexByte(p[end:], '\n') + 1
		}
		s.block.Write(p[:end])
		s.lines += uint64(want)
		s.blk = appendBlock(s.blk, s.block)
		s.block.Reset()
		p = p[end:]
	}
}

var newline = []byte("\n")

func appendBlock(dst []byte, h hash.Hash) []byte { return append(dst, h.Sum(nil)[:blockBytes]...) }

// sum is the hash of what was added so far, in hexadecimal.
func (s *sums) sum() string { return hex.EncodeToString(s.all.Sum(nil)) }

// blocks is the content of the .blk file for what was added so far.
func (s *sums) blocks() []byte {
	if s.lines%blockLines == 0 && s.full {
		return s.blk
	}
	return appendBlock(slices.Clip(s.blk), s.block)
}

// pin is a hash that the first bytes of a segment must have.
type pin struct {
	tail Tail
	told func(got *Tail) // called when they do not; got nil: there are not so many bytes
}

// read adds what stands in f from s.off up to limit, or to the end when limit is negative. Pins between are
// compared. The file is read in blocks of buf.
func (s *sums) read(ctx context.Context, f io.ReaderAt, limit int64, buf []byte, pins []pin) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		for len(pins) > 0 && pins[0].tail.Bytes <= s.off {
			s.compare(pins[0])
			pins = pins[1:]
		}
		b := buf
		if limit >= 0 {
			b = b[:min(int64(len(b)), limit-s.off)]
		}
		if len(pins) > 0 {
			b = b[:min(int64(len(b)), pins[0].tail.Bytes-s.off)]
		}
		if len(b) == 0 {
			tooShort(pins)
			return nil
		}
		n, err := f.ReadAt(b, s.off)
		if s.moves != nil {
			s.moves.Add(1)
		}
		s.add(b[:n])
		if errors.Is(err, io.EOF) {
			if n == 0 {
				tooShort(pins)
				return nil
			}
			continue
		}
		if err != nil {
			return err
		}
	}
}

// tooShort tells the pins that come after the end.
func tooShort(pins []pin) {
	for _, p := range pins {
		p.told(nil)
	}
}

func (s *sums) compare(p pin) {
	if p.tail.Bytes < s.off {
		return // it was passed before it was known
	}
	if got := s.sum(); got != p.tail.SHA256 {
		p.told(&Tail{Seg: p.tail.Seg, Bytes: s.off, Lines: s.lines, SHA256: got})
	}
}

// ends returns the numbers of the first and the last line of a file; 0 for one that is no record.
func ends(f io.ReaderAt, size int64) (first, last uint64, err error) {
	const longest = 1 << 20 // more than any record has
	head := make([]byte, min(size, longest))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	if line, _, ok := bytes.Cut(head, newline); ok {
		first = format.LineSeq(line)
	}
	tail := make([]byte, min(size, longest))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	if tail, ok := bytes.CutSuffix(tail, newline); ok {
		last = format.LineSeq(tail[bytes.LastIndexByte(tail, '\n')+1:])
	}
	return first, last, nil
}
