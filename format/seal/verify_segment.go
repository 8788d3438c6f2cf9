package seal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shiplog/format"
)

// checkSealed compares a segment with its seal.
func (v *verifier) checkSealed(ctx context.Context, seg format.Segment, s *segmentState) error {
	l := s.seal
	v.count(l, seg)
	if v.o.Fast && seg.Name != v.chain.newest() && seg.Size == l.Bytes {
		return nil
	}
	f, err := v.log.OpenSegment(seg.Name)
	if errors.Is(err, os.ErrNotExist) {
		return nil // since it was listed; checkAbsent says whether it was retired
	}
	if err != nil {
		v.unreadable(seg.Name, err)
		return nil
	}
	defer f.Close()
	sum := newSums(nil)
	pins, changed := v.pins(seg.Name, s)
	if err := sum.read(ctx, f, -1, make([]byte, verifyBytes), pins); err != nil {
		if ctx.Err() == nil {
			v.unreadable(seg.Name, err)
		}
		return ctx.Err()
	}
	v.mu.Lock()
	v.report.Hashed++
	v.mu.Unlock()
	got := sum.sum()
	if got != l.SHA256 || sum.off != l.Bytes {
		v.mu.Lock()
		v.hashes[seg.Name] = got
		v.mu.Unlock()
		if other := v.sealedAs(got); other != "" && sum.off > 0 {
			v.add(Finding{Word: WordSwapped, Severity: Damage, File: seg.Name, Text: "it holds what was sealed as " + other,
				Look: "head -n 1 " + v.path(seg.Name)})
			return nil
		}
		if faults := f.Faults(); len(faults) > 0 {
			v.broken(seg.Name, faults)
			return nil
		}
		return v.diagnose(ctx, f, l)
	}
	if t := changed(); t != nil {
		v.add(Finding{Word: WordRewritten, Severity: Damage, File: seg.Name,
			Text: fmt.Sprintf("its first %s are not what a checkpoint had signed of them, although its seal fits", counted(t.Bytes))})
	}
	v.checkBlocks(seg.Name, l)
	return nil
}

// broken tells of a compressed segment of which a part cannot be decompressed.
func (v *verifier) broken(name string, faults []error) {
	text := faults[0].Error()
	if n := len(faults); n > 1 {
		text = fmt.Sprintf("%s; so do %d other parts of it", text, n-1)
	}
	v.add(Finding{Word: WordEdited, Severity: Damage, File: name + format.CompressedSuffix, Text: text, Look: "zstd -t " + v.path(name+format.CompressedSuffix)})
}

// exists tells whether a segment is there, compressed or not.
func (v *verifier) exists(name string) bool {
	path := filepath.Join(v.dir, name)
	return isFile(path) || isFile(path+format.CompressedSuffix)
}

func (v *verifier) count(l *Line, seg format.Segment) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Segments++
	v.report.Records += l.Lines
	v.report.Bytes += seg.Size
}

func (v *verifier) unreadable(name string, err error) {
	v.add(Finding{Word: WordUnreadable, Severity: Unknown, File: name, Text: "it cannot be read: " + err.Error()})
}

// sealedAs is the name of the segment that was sealed with a hash; empty: none was.
func (v *verifier) sealedAs(hash string) string {
	for name, s := range v.state {
		if s.seal != nil && s.seal.SHA256 == hash {
			return name
		}
	}
	return ""
}

// pins are what was signed of a segment while it was active. changed tells, once it was read, which of them does not
// fit.
func (v *verifier) pins(name string, s *segmentState) (pins []pin, changed func() *Tail) {
	var tails []Tail
	if s != nil {
		tails = append(tails, s.pins...)
	}
	for _, c := range []*Checkpoint{v.cp, v.o.At} {
		if c != nil && c.Tail != nil && c.Tail.Seg == name {
			tails = append(tails, *c.Tail)
		}
	}
	slices.SortFunc(tails, func(a, b Tail) int { return int(min(1, max(-1, a.Bytes-b.Bytes))) })
	var first *Tail
	for _, t := range tails {
		pins = append(pins, pin{t, func(*Tail) {
			if first == nil {
				first = &t
			}
		}})
	}
	return pins, func() *Tail { return first }
}

// checkUnsealed compares the active segment, or one that is full and has no seal, with what was signed of it.
func (v *verifier) checkUnsealed(ctx context.Context, seg format.Segment, s *segmentState, active bool) error {
	if active {
		v.mu.Lock()
		v.report.Active, v.report.ActiveBytes = seg.Name, seg.Size
		v.mu.Unlock()
	} else if v.working {
		v.add(Finding{Word: WordUnsealed, Severity: Notice, File: seg.Name, Text: "it is full, and shiplog is making its seal"})
	} else {
		v.add(Finding{Word: WordUnsealed, Severity: Unknown, File: seg.Name,
			Text: "it is full and has no seal: shiplog was killed or is making it, or lines were cut from " + SealsName + " together with the checkpoint; start shiplog, or compare with a checkpoint that was noted elsewhere (--at)"})
	}
	pins, changed := v.pins(seg.Name, s)
	if len(pins) == 0 {
		return nil
	}
	f, err := v.log.OpenSegment(seg.Name)
	if err != nil {
		v.unreadable(seg.Name, err)
		return nil
	}
	defer f.Close()
	upto := pins[len(pins)-1].tail.Bytes
	if active {
		v.mu.Lock()
		v.report.ActiveSigned = upto
		v.mu.Unlock()
	}
	sum := newSums(nil)
	if err := sum.read(ctx, f, upto, make([]byte, verifyBytes), pins); err != nil {
		if ctx.Err() == nil {
			v.unreadable(seg.Name, err)
		}
		return ctx.Err()
	}
	t := changed()
	switch {
	case t == nil:
		return nil
	case sum.off < upto:
		v.add(Finding{Word: WordTruncated, Severity: Damage, File: seg.Name, FromLine: sum.lines, ToLine: sum.lines,
			Text: v.cutShort(f, seg.Name, sum, upto), Look: "tail -n 1 " + v.path(seg.Name)})
		return nil
	}
	return v.diagnoseActive(ctx, f, t, upto)
}

// cutShort says what is missing of a segment of which more was signed.
func (v *verifier) cutShort(f io.ReaderAt, name string, sum *sums, upto int64) string {
	last := fmt.Sprintf("%d whole lines", sum.lines)
	if _, seq, err := ends(f, sum.off); err == nil && seq > 0 {
		last += fmt.Sprintf(", the last one is record %d", seq)
	}
	by := ""
	if c := v.cp; c != nil && c.Tail != nil && c.Tail.Bytes == upto && c.Tail.Seg == name {
		by = onDate(c)
	}
	return fmt.Sprintf("%s were signed%s and %d are there, %s: the end was cut off%s", counted(upto), by, sum.off, last, orCopied)
}

// checkExtra tells of a segment among sealed ones that was never sealed.
func (v *verifier) checkExtra(ctx context.Context, seg format.Segment) error {
	f, err := v.log.OpenSegment(seg.Name)
	if err != nil {
		v.unreadable(seg.Name, err)
		return nil
	}
	defer f.Close()
	sum := newSums(nil)
	if err := sum.read(ctx, f, -1, make([]byte, verifyBytes), nil); err != nil {
		return ctx.Err()
	}
	if other := v.sealedAs(sum.sum()); other != "" {
		if !v.exists(other) {
			return nil // renamed; checkAbsent says so
		}
		v.add(Finding{Word: WordExtra, Severity: Damage, File: seg.Name, Text: "it was never sealed; it is a copy of " + other, Look: "rm " + v.path(seg.Name)})
		return nil
	}
	if slices.ContainsFunc(v.chain.faults, func(f chainFault) bool { return f.blank }) {
		v.add(Finding{Word: WordUnsealed, Severity: Unknown, File: seg.Name,
			Text: "its seal is not among the lines of " + SealsName + " that are left: it stood in one that is gone or changed, or this segment was put there"})
		return nil
	}
	v.add(Finding{Word: WordExtra, Severity: Damage, File: seg.Name, Text: "it was never sealed, and stands among segments that were: somebody put it there",
		Look: "less " + v.path(seg.Name)})
	return nil
}

// checkAbsent tells of segments that were sealed or signed and are not there.
func (v *verifier) checkAbsent(ctx context.Context) error {
	var gone []string
	for name, s := range v.state {
		if s.seal != nil && s.retired == nil && !v.exists(name) {
			gone = append(gone, name)
		}
	}
	for _, c := range []*Checkpoint{v.cp, v.o.At} {
		if c == nil || c.Tail == nil {
			continue
		}
		name := c.Tail.Seg
		if s := v.state[name]; (s == nil || s.seal == nil) && c.Tail.Bytes > 0 && !v.exists(name) && !slices.Contains(gone, name) {
			gone = append(gone, name)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if c, err := readChain(filepath.Join(v.dir, SealsName), v.o.Key, v.chain.keys[0].public); err == nil {
		now := c.segments() // retired since the verification began?
		gone = slices.DeleteFunc(gone, func(name string) bool { return now[name] != nil && now[name].retired != nil })
	}
	slices.Sort(gone)
	for _, name := range gone {
		if err := v.absent(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// isFile tells whether a segment can be there: what is no file has no place in the list of segments and is never read.
func isFile(path string) bool {
	fi, err := os.Lstat(path)
	return err == nil && fi.Mode().IsRegular()
}

// absent tells of one, and looks for it under other names.
func (v *verifier) absent(ctx context.Context, name string) error {
	if exists(filepath.Join(v.dir, name)) {
		v.add(Finding{Word: WordMissing, Severity: Damage, File: name, Text: "a link, a folder or a pipe stands in its place, which is not read; put the file itself there",
			Look: "ls -ld " + v.path(name)})
		return nil
	}
	s := v.state[name]
	if s == nil || s.seal == nil {
		v.add(Finding{Word: WordMissing, Severity: Damage, File: name, Text: "it was the active segment when the checkpoint was signed, and is gone"})
		return nil
	}
	ents, err := os.ReadDir(v.dir)
	if err != nil {
		return err
	}
	for _, e := range ents {
		fi, err := e.Info()
		if err != nil || !fi.Mode().IsRegular() || fi.Size() != s.seal.Bytes || fi.Size() == 0 || strings.HasSuffix(e.Name(), blockSuffix) {
			continue
		}
		if is, err := v.holds(ctx, e.Name(), s.seal.SHA256); err != nil || !is {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		if other := v.state[e.Name()]; other != nil && other.seal != nil {
			continue // it was swapped, and that is told
		}
		v.add(Finding{Word: WordRenamed, Severity: Damage, File: name, Text: "it has the name " + e.Name() + " now and is otherwise as it was sealed",
			Look: "mv -i " + v.path(e.Name()) + " " + v.path(name)})
		return nil
	}
	v.add(Finding{Word: WordMissing, Severity: Damage, File: name,
		Text: fmt.Sprintf("it is gone and was not retired by shiplog: records %d to %d", s.seal.First, s.seal.Last)})
	return nil
}

// holds tells whether a file has a hash.
func (v *verifier) holds(ctx context.Context, name, hash string) (bool, error) {
	f, err := format.OpenRegular(filepath.Join(v.dir, name))
	if err != nil {
		return false, err
	}
	defer f.Close()
	sum := newSums(nil)
	err = sum.read(ctx, f, -1, make([]byte, verifyBytes), nil)
	return err == nil && sum.sum() == hash, err
}

// checkBlocks tells of a .blk file that is not what it was, beside a segment that is.
func (v *verifier) checkBlocks(name string, l *Line) {
	if _, err := v.blocks(name, l); err != nil && !errors.Is(err, os.ErrNotExist) {
		v.add(Finding{Word: WordBlocks, Severity: Notice, File: name + blockSuffix, Text: err.Error()})
	}
}

// blocks reads the .blk file of a segment.
func (v *verifier) blocks(name string, l *Line) ([]byte, error) {
	b, err := readSmall(filepath.Join(v.dir, name+blockSuffix), int64(l.Lines/blockLines+1)*blockBytes)
	if err != nil {
		return nil, err
	}
	if hashHex(b) != l.Blocks {
		return nil, errors.New("it is not what it was; it only helps to find changed lines, and can be removed")
	}
	return b, nil
}
