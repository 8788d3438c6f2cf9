package seal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"shiplog/format"
)

// sealAll makes the line of each segment that is sealed and has none. The caller holds mu, here and below.
func (k *Keeper) sealAll(ctx context.Context) error {
	name, _ := k.w.Active()
	segs, err := k.log.Segments()
	if err != nil {
		return err
	}
	newest := k.chain.newest()
	for i, seg := range segs {
		if name != "" && seg.Name >= name || name == "" && i == len(segs)-1 {
			break // it may still change
		}
		if newest == "" || seg.Name > newest {
			if err := k.sealOne(ctx, seg.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// newest is the name of the newest segment that is sealed; empty: none is.
func (c *chain) newest() string {
	for _, l := range slices.Backward(c.lines) {
		if l.Seg != "" {
			return l.Seg
		}
	}
	return ""
}

// sealOne makes the line of one segment.
func (k *Keeper) sealOne(ctx context.Context, name string) error {
	f, err := k.log.OpenSegment(name)
	if err != nil {
		return err
	}
	defer f.Close()
	l := &Line{Seg: name, Late: name < k.late}
	s := k.active
	if s == nil || s.name != name || s.behind(f) {
		s = &activeSums{name, newSums(&k.moves)}
		if err := f.Sync(); err != nil { // nobody has said that it is on disk
			return err
		}
	}
	if err := s.read(ctx, f, -1, k.buf, k.pins(name, s.off, l)); err != nil {
		return err
	}
	if l.First, l.Last, err = ends(f, s.off); err != nil {
		return err
	}
	blocks := s.blocks()
	l.Lines, l.Bytes, l.SHA256, l.Blocks = s.lines, s.off, s.sum(), hashHex(blocks)
	if err := k.writeFile(filepath.Join(k.log.Dir(), name+blockSuffix), blocks); err != nil {
		return err
	}
	tail := k.cp.Tail
	if tail != nil && tail.Seg <= name {
		tail = nil
	}
	if err := k.addLine(l, tail); err != nil {
		return err
	}
	if k.active != nil && k.active.name == name {
		k.active = nil
	}
	if l.Was != nil {
		k.tellChanged(ctx, l)
	}
	return nil
}

// behind tells whether less is in the file than was hashed already: somebody cut it.
func (s *activeSums) behind(f *format.SegmentFile) bool {
	fi, err := f.Stat()
	return err != nil || fi.Size() < s.off
}

const blockSuffix = ".blk"

// pins are what was signed of a segment before, for a reading that begins at the byte from. What does not fit is
// put into the line's Was.
func (k *Keeper) pins(name string, from int64, l *Line) []pin {
	var tails []Tail
	if s := k.chain.segments()[name]; s != nil {
		tails = s.pins
	}
	if k.cp != nil && k.cp.Tail != nil && k.cp.Tail.Seg == name {
		tails = append(tails, *k.cp.Tail)
	}
	var pins []pin
	for _, t := range tails {
		if t.Bytes >= from {
			pins = append(pins, pin{t, func(*Tail) { l.Was = &t }})
		}
	}
	return pins
}

// signActive signs what is durable of the active segment, if that has changed since the last time.
func (k *Keeper) signActive(ctx context.Context) error {
	name, durable := k.w.Active()
	if name == "" {
		return nil
	}
	f, err := k.log.OpenSegment(name)
	if err != nil {
		return err
	}
	defer f.Close()
	l := &Line{}
	if k.active == nil || k.active.name != name || k.active.behind(f) {
		k.active = &activeSums{name, newSums(&k.moves)}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	s := k.active
	if err := s.read(ctx, f, durable, k.buf, k.pins(name, s.off, l)); err != nil {
		k.active = nil
		return err
	}
	tail := &Tail{Seg: name, Bytes: s.off, Lines: s.lines, SHA256: s.sum()}
	switch {
	case l.Was != nil, k.from != nil && k.chain.size == 0, s.off > 0 && k.epochOver():
		l.Tail = tail
		if err := k.addLine(l, tail); err != nil {
			return err
		}
		if l.Was != nil {
			k.tellChanged(ctx, l)
		}
		return nil
	case s.off == 0, k.cp.Tail != nil && *k.cp.Tail == *tail:
		return nil
	}
	return k.writeCheckpoint(tail)
}

// epochOver tells whether the next line is the last of its epoch. One that began far in the future did so by a clock
// that was wrong, and would last until then.
func (k *Keeper) epochOver() bool {
	return k.seals >= k.o.EpochSeals || k.o.Now().Sub(k.since).Abs() >= k.o.EpochAge
}

// addLine completes a line, appends it and renews the checkpoint.
func (k *Keeper) addLine(l *Line, tail *Tail) error {
	c := k.chain
	if c.size >= k.o.lines {
		return errLong // ready begins the next one
	}
	l.V, l.N, l.Prev, l.Epoch, l.Time = lineVersion, c.expected(), c.prev, k.key.epoch, k.o.Now().UTC()
	l.Host = k.foreignHost()
	if c.size == 0 {
		l.Key, l.From = c.keys[0].public, k.from
	}
	if l.Seg != "" {
		k.seals++
	}
	var next *epochKey
	if k.epochOver() {
		var err error
		if next, err = k.keys.create(c.origin, k.key.epoch+1); err != nil {
			return err
		}
		l.NextKey = next.public
	}
	b, err := l.sign(k.key.signer)
	if err != nil {
		return err
	}
	if err := k.appendLine(b); err != nil {
		return err
	}
	if err := c.push(l, b); err != nil {
		return err
	}
	if next != nil {
		k.key, k.since, k.seals = next, l.Time, 0
	}
	if err := k.writeCheckpoint(tail); err != nil || next == nil {
		return err
	}
	return k.keys.erase(next.epoch)
}

// appendLine writes a line to SEALS.jsonl, durably.
func (k *Keeper) appendLine(b []byte) error {
	path := filepath.Join(k.log.Dir(), SealsName)
	if err := k.step("open seals"); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	if err = k.step("write seals"); err == nil {
		_, err = f.Write(append(b[:len(b):len(b)], '\n'))
	}
	if err == nil {
		if err = k.step("sync seals"); err == nil {
			err = f.Sync()
		}
		k.unsure = err != nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err // what was written of it is taken away when the chain is read again
	}
	k.chain.good += int64(len(b)) + 1
	if k.chain.size == 0 {
		return format.SyncDir(k.log.Dir())
	}
	return nil
}

// writeCheckpoint signs the chain as it is, and tail with it.
func (k *Keeper) writeCheckpoint(tail *Tail) error {
	c := k.chain
	root, err := c.root(c.size)
	if err != nil {
		return err
	}
	cp := &Checkpoint{Origin: c.origin, Size: c.size, Root: root, Key: c.keys[0].public, Time: k.o.Now().UTC(), Tail: tail}
	if err := cp.sign(k.key.signer); err != nil {
		return err
	}
	if err := k.writeFile(filepath.Join(k.log.Dir(), CheckpointName), cp.text); err != nil {
		return err
	}
	if k.cp == nil || k.cp.Size != cp.Size {
		k.o.Logger.Info("checkpoint", "origin", cp.Origin, "size", cp.Size, "at", cp.At(), "epoch", k.key.epoch)
	}
	k.cp = cp
	return nil
}

// writeFile puts a file into place, whole or not at all.
func (k *Keeper) writeFile(path string, b []byte) error {
	what := filepath.Ext(path)
	if what == "" {
		what = filepath.Base(path)
	}
	if err := k.step("write " + what); err != nil {
		return err
	}
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := k.step("rename " + what); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return format.SyncDir(filepath.Dir(path))
}

// tellChanged writes a record that a segment is not what was signed of it, as the line l says. A failure is not more
// than the record that is missing: the chain says it too.
func (k *Keeper) tellChanged(ctx context.Context, l *Line) {
	was := l.Was
	msg := "The first " + counted(was.Bytes) + " of " + was.Seg + " are not what shiplog had signed: somebody changed them while it was not looking."
	if left := l.left(); left < was.Bytes {
		msg = "The end of " + was.Seg + " is gone: shiplog had signed " + counted(was.Bytes) + " and found " + strconv.FormatInt(left, 10) +
			". Somebody cut it, or the log was put back from a copy that took it before the checkpoint."
	}
	k.o.Logger.Error("a segment is not what was signed of it: somebody changed it while shiplog was not looking", "segment", was.Seg, "bytes", was.Bytes, "found", l.left())
	k.tell(ctx, "log.changed", msg, map[string]any{"segment": was.Seg, "bytes": was.Bytes, "sha256": was.SHA256})
}

// left is how many bytes of its segment a line with Was is about.
func (l *Line) left() int64 {
	if l.Tail != nil {
		return l.Tail.Bytes
	}
	return l.Bytes
}

// tell writes a record about the seals.
func (k *Keeper) tell(ctx context.Context, action, msg string, data map[string]any) {
	r := &format.Record{Stream: format.StreamLog, Level: format.LevelError, Category: "system", Action: action, Msg: msg,
		Actor: format.Actor{Type: format.ActorSystem}, Data: jsonOf(data)}
	if err := k.w.Append(ctx, r); err != nil {
		k.o.Logger.Warn("a record about the seals could not be written", "action", action, "err", err)
	}
}
