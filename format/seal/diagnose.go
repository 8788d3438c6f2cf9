package seal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"

	"shiplog/format"
)

// shape is what a second reading of a segment that is not what was sealed finds.
type shape struct {
	lines    uint64
	bytes    int64
	crlf     uint64    // lines that end in CR LF
	stripped hash.Hash // of the file with LF alone
	prefix   string    // hash of the first bytes, as many as were sealed
	torn     bool      // it does not end in a newline

	last     uint64 // seq of the last line that has one
	disorder uint64 // first line whose seq is not above the one before; 0: none
	strange  uint64 // first line that is no record; 0: none
	gap      uint64 // first line whose seq is not the next after the one before; 0: none
	gapFrom  uint64 // the two seqs
	gapTo    uint64

	bad      []uint64 // blocks that are not what they were, from 0, at most maxBad
	badCount int
}

const maxBad = 1000

// diagnose tells what happened to a sealed segment whose hash is another now.
func (v *verifier) diagnose(ctx context.Context, f io.ReaderAt, l *Line) error {
	blk, blkErr := v.blocks(l.Seg, l)
	s, err := look(ctx, f, l.Bytes, blk)
	if err != nil {
		if ctx.Err() == nil {
			v.unreadable(l.Seg, err)
		}
		return ctx.Err()
	}
	word, text, from, to := s.judge(l)
	if blkErr != nil && from == 0 {
		text += "; which lines cannot be told without its " + blockSuffix + " file"
	}
	v.add(Finding{Word: word, Severity: Damage, File: l.Seg, FromLine: from, ToLine: to, Text: text, Look: v.lookAt(l.Seg, from, to)})
	return nil
}

func (v *verifier) lookAt(name string, from, to uint64) string {
	show, file := "less ", v.path(name)
	if slices.ContainsFunc(v.segs, func(s format.Segment) bool { return s.Name == name && s.Compressed }) {
		show, file = "zstdless ", v.path(name+format.CompressedSuffix)
	}
	if from == 0 {
		return show + file
	}
	if show != "less " {
		return fmt.Sprintf("zstdcat %s | sed -n %d,%dp | less", file, from, to)
	}
	return fmt.Sprintf("sed -n %d,%dp %s | less", from, to, file)
}

// look reads a segment line by line.
func look(ctx context.Context, f io.ReaderAt, sealed int64, blk []byte) (*shape, error) {
	s := &shape{stripped: sha256.New()}
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, math.MaxInt64), verifyBytes)
	prefix, block := sha256.New(), sha256.New()
	begin := true // of a line
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(part) > 0 {
			s.addPrefix(prefix, part, sealed)
			block.Write(part)
			if begin {
				line = append(line[:0], part[:min(len(part), 64<<10)]...)
			}
			begin = part[len(part)-1] == '\n'
			s.strip(part)
			if begin {
				s.endLine(line)
				if s.lines%blockLines == 0 {
					s.endBlock(block, blk)
				}
				if err := ctx.Err(); s.lines%blockLines == 0 && err != nil {
					return nil, err
				}
			}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	s.torn = !begin
	if s.lines%blockLines != 0 || s.torn {
		s.endBlock(block, blk)
	}
	if s.bytes <= sealed {
		s.prefix = hex.EncodeToString(prefix.Sum(nil))
	}
	return s, nil
}

// addPrefix hashes the first sealed bytes.
func (s *shape) addPrefix(h hash.Hash, part []byte, sealed int64) {
	if left := sealed - s.bytes; left > 0 {
		h.Write(part[:min(left, int64(len(part)))])
		if left <= int64(len(part)) {
			s.prefix = hex.EncodeToString(h.Sum(nil))
		}
	}
	s.bytes += int64(len(part))
}

// strip hashes a part of a line without the CR before its LF.
func (s *shape) strip(part []byte) {
	if bytes.HasSuffix(part, []byte("\r\n")) {
		s.crlf++
		s.stripped.Write(part[:len(part)-2])
		s.stripped.Write(newline)
		return
	}
	s.stripped.Write(part)
}

func (s *shape) endLine(line []byte) {
	s.lines++
	seq := format.LineSeq(bytes.TrimRight(line, "\r\n"))
	switch {
	case seq == 0:
		if s.strange == 0 {
			s.strange = s.lines
		}
		return
	case s.last == 0:
	case seq <= s.last:
		if s.disorder == 0 {
			s.disorder = s.lines
		}
	case seq > s.last+1 && s.gap == 0:
		s.gap, s.gapFrom, s.gapTo = s.lines, s.last, seq
	}
	s.last = seq
}

// endBlock compares a block with its hash.
func (s *shape) endBlock(h hash.Hash, blk []byte) {
	defer h.Reset()
	if blk == nil {
		return
	}
	at := (max(s.lines, 1) - 1) / blockLines
	if s.torn && s.lines%blockLines == 0 {
		at = s.lines / blockLines
	}
	have := blk[min(int(at)*blockBytes, len(blk)):min(int(at+1)*blockBytes, len(blk))]
	if !bytes.Equal(have, h.Sum(nil)[:blockBytes]) {
		s.badCount++
		if len(s.bad) < maxBad {
			s.bad = append(s.bad, at)
		}
	}
}

// judge names what happened, and the lines it happened to.
func (s *shape) judge(l *Line) (word Word, text string, from, to uint64) {
	from, to = s.block()
	missing := int64(l.Lines) - int64(s.lines)
	switch {
	case s.crlf > 0 && hex.EncodeToString(s.stripped.Sum(nil)) == l.SHA256:
		return WordLineEnds, fmt.Sprintf("the ends of %d lines were changed to CR LF; without these it is as it was sealed", s.crlf), 0, 0
	case s.bytes > l.Bytes && s.prefix == l.SHA256:
		return WordAppended, fmt.Sprintf("%d bytes stand after its end", s.bytes-l.Bytes), l.Lines + 1, max(s.lines, l.Lines+1)
	case s.bytes < l.Bytes && s.endIsGone(l):
		return WordTruncated, fmt.Sprintf("%d bytes are gone from its end, records %d to %d", l.Bytes-s.bytes, s.last+1, l.Last), max(s.lines, 1), max(s.lines, 1)
	case missing > 0:
		text = fmt.Sprintf("%d of its %d lines are gone", missing, l.Lines)
		if s.gap > 0 && s.inBad(s.gap) {
			return WordDeleted, fmt.Sprintf("%s, between record %d and record %d", text, s.gapFrom, s.gapTo), max(s.gap, 2) - 1, s.gap
		}
		return WordDeleted, text, from, to
	case missing < 0:
		text = fmt.Sprintf("%d lines were put in between its %d", -missing, l.Lines)
		for _, at := range []uint64{s.strange, s.disorder} {
			if at > 0 && s.inBad(at) {
				return WordInserted, text, max(at, 2) - 1, at
			}
		}
		return WordInserted, text, from, to
	case s.disorder > 0 && s.bytes == l.Bytes && s.strange == 0:
		if len(s.bad) > 0 {
			to = min((s.bad[len(s.bad)-1]+1)*blockLines, s.lines)
		} else {
			from, to = max(s.disorder, 2)-1, s.disorder
		}
		return WordReordered, "its lines are not in the order in which they were sealed", from, to
	}
	text = "lines were changed"
	if s.badCount > 1 {
		text = fmt.Sprintf("lines were changed in %d blocks of %d lines; this is the first", s.badCount, blockLines)
	}
	return WordEdited, text, from, to
}

// block is the first block that is not what it was, as lines; 0 when that is not known.
func (s *shape) block() (from, to uint64) {
	if len(s.bad) == 0 {
		return 0, 0
	}
	from = s.bad[0]*blockLines + 1
	return from, max(from, min(from+blockLines-1, s.lines))
}

// inBad tells whether a line is in or next to the first changed block, or that block is not known.
func (s *shape) inBad(line uint64) bool {
	from, _ := s.block()
	return from == 0 || line+1 >= from && line <= from+blockLines
}

// endIsGone tells whether all that is there is what was sealed, as far as blocks can tell, and the last records are
// not.
func (s *shape) endIsGone(l *Line) bool {
	whole := s.lines / blockLines
	if len(s.bad) > 0 && s.bad[0] < whole || s.disorder > 0 || s.strange > 0 {
		return false
	}
	return s.last < l.Last && (s.gap == 0 || !s.inBad(s.gap)) || s.torn
}

// diagnoseActive tells what happened to the first bytes of the active segment, of which only their hash is known.
func (v *verifier) diagnoseActive(ctx context.Context, f io.ReaderAt, t *Tail, upto int64) error {
	s, err := look(ctx, f, upto, nil)
	if err != nil {
		return err
	}
	word, text, from, to := WordEdited, "", uint64(0), uint64(0)
	switch {
	case s.crlf > 0:
		word, text = WordLineEnds, fmt.Sprintf("the ends of %d lines were changed to CR LF", s.crlf)
	case s.strange > 0:
		text, from, to = "a line is no record", s.strange, s.strange
	case s.disorder > 0:
		word, text, from, to = WordReordered, "its lines are not in order, or some came in between", max(s.disorder, 2)-1, s.disorder
	case s.gap > 0:
		word, text, from, to = WordDeleted, fmt.Sprintf("lines may be gone between record %d and record %d", s.gapFrom, s.gapTo), max(s.gap, 2)-1, s.gap
	default:
		text = "lines were changed"
	}
	v.add(Finding{Word: word, Severity: Damage, File: t.Seg, FromLine: from, ToLine: to,
		Text: fmt.Sprintf("its first %s, of %d lines, are not what was signed of them: %s", counted(t.Bytes), t.Lines, text),
		Look: v.lookAt(t.Seg, from, to)})
	return nil
}
