package seal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"shiplog/format"
)

// ready reads the chain from disk, unless that is done, and begins one when there is none that can be continued. The
// caller holds mu, here and below.
func (k *Keeper) ready() error {
	if k.chain != nil {
		return nil
	}
	k.active, k.cp, k.from = nil, nil, nil
	have, err := k.keys.load()
	if err != nil {
		return err
	}
	cp, err := ReadCheckpoint(k.log.Dir())
	broken, damaged := "", true
	if errors.Is(err, errCannotRead) {
		return err // a new chain would be one with another key, for a disk that was away or too many open files
	}
	if err != nil && !errors.Is(err, ErrNoCheckpoint) {
		broken = err.Error()
	}
	c, why, err := k.existing(cp)
	if err != nil {
		return err
	}
	switch {
	case broken != "":
	case why != "":
		broken = why
	case c != nil:
		if broken = spoiled(c, cp); broken == "" {
			broken, damaged = withoutKey(c, have), false
			if broken == "" && c.size >= k.o.lines {
				broken = errLong.Error()
			}
		}
	case k.wasSealed(have):
		broken = SealsName + " and the checkpoint are gone, although a key for them is here"
	}
	if broken != "" {
		if err := k.setAside(broken, damaged); err != nil {
			return err
		}
		return k.begin()
	}
	if c == nil {
		return k.begin()
	}
	return k.resume(c, cp, have[c.epoch()])
}

// existing reads the chain that is there; nil when there is none, with the reason why when there should be one.
func (k *Keeper) existing(cp *Checkpoint) (c *chain, why string, err error) {
	path, fallback := filepath.Join(k.log.Dir(), SealsName), ""
	if cp != nil {
		fallback = cp.Key
	}
	c, err = readChain(path, "", fallback)
	switch {
	case err == nil:
		return c, "", errors.Join(k.takeTorn(c), k.writeAgain())
	case !errors.Is(err, errNotChain):
		return nil, "", err
	case cp != nil:
		return nil, err.Error(), nil
	}
	if fi, serr := os.Stat(path); serr == nil && fi.Size() > 0 {
		return nil, err.Error(), nil
	}
	return nil, "", nil
}

// epoch is the number of the key that signs the next line.
func (c *chain) epoch() int { return len(c.keys) - 1 }

var errLong = fmt.Errorf("%s has as many lines as it may have", SealsName)

// withoutKey says that a chain cannot be continued here, although nothing is wrong with it; empty: it can.
func withoutKey(c *chain, have map[int]*epochKey) string {
	if key := have[c.epoch()]; key == nil || key.public != c.key(c.size).public {
		return fmt.Sprintf("the private key of epoch %d is not here: this is a copy without it, or it was removed", c.epoch())
	}
	return ""
}

// spoiled says why a chain and its checkpoint are not what was signed; empty: they are.
func spoiled(c *chain, cp *Checkpoint) string {
	if len(c.faults) > 0 {
		f := c.faults[0]
		return fmt.Sprintf("line %d of %s: %s", f.line, SealsName, f.text)
	}
	if cp == nil {
		return ""
	}
	if cp.Size > c.size {
		return fmt.Sprintf("%s has %d lines, and the checkpoint was signed over %d", SealsName, c.size, cp.Size)
	}
	if err := cp.signedBy(c.key(cp.Size).verifier); err != nil {
		return fmt.Sprintf("the checkpoint: %v", err)
	}
	if root, err := c.root(cp.Size); err != nil || root != cp.Root {
		return SealsName + " is not what the checkpoint was signed over"
	}
	return ""
}

// resume goes on with a chain.
func (k *Keeper) resume(c *chain, cp *Checkpoint, key *epochKey) error {
	k.chain, k.key, k.cp, k.seals = c, key, cp, 0
	k.since = k.o.Now()
	switch {
	case len(c.lines) > 0:
		k.since = c.lines[0].Time
	case cp != nil:
		k.since = cp.Time
	}
	for _, l := range c.lines {
		if l.Seg != "" {
			k.seals++
		}
		if l.NextKey != "" {
			k.since, k.seals = l.Time, 0
		}
	}
	if c.size == 0 {
		k.from = k.earlier("", false)
	}
	if host := k.foreignHost(); host != "" {
		k.o.Logger.Warn("the log was begun on another host and is continued here; only one of the two may go on with it",
			"origin", c.origin, "host", host)
	}
	if cp == nil && c.size > 0 {
		const what = "The checkpoint of the log was missing and was made anew: whether the end of the log was cut cannot be told."
		k.o.Logger.Error("the checkpoint is missing and is made anew", "size", c.size)
		k.tell(context.Background(), "log.checkpoint_missing", what, map[string]any{"size": c.size})
		if err := k.addLost(); err != nil {
			k.chain = nil
			return err
		}
	} else if cp == nil || cp.Size < c.size { // a crash came between
		var tail *Tail
		if cp != nil && cp.Tail != nil && cp.Tail.Seg > c.newest() {
			tail = cp.Tail
		}
		if err := k.writeCheckpoint(tail); err != nil {
			k.chain = nil
			return err
		}
	}
	return k.keys.erase(k.key.epoch)
}

// addLost says in the chain that the checkpoint was missing. Without that a start would hide it.
func (k *Keeper) addLost() error {
	if end := k.chain.end(); end != nil {
		return k.addLine(&Line{Tail: end, Lost: true}, nil)
	}
	return k.writeCheckpoint(nil)
}

// end is the begin of a segment that the chain knew last, sealed or not; nil: it knew none.
func (c *chain) end() *Tail {
	for _, l := range slices.Backward(c.lines) {
		switch {
		case l.Tail != nil:
			return l.Tail
		case l.Seg != "":
			return &Tail{Seg: l.Seg, Bytes: l.Bytes, Lines: l.Lines, SHA256: l.SHA256}
		}
	}
	return nil
}

// begin makes the key and the checkpoint of a new chain.
func (k *Keeper) begin() error {
	if err := k.keys.erase(-1); err != nil {
		return err
	}
	key, err := k.keys.create(newOrigin(k.o.Host), 0)
	if err != nil {
		return err
	}
	c, err := newChain(key.public)
	if err != nil {
		return err
	}
	k.chain, k.key, k.cp, k.since, k.seals, k.begun = c, key, nil, k.o.Now(), 0, true
	if k.from == nil {
		k.from = k.earlier("", false)
	}
	if err := k.writeCheckpoint(nil); err != nil {
		k.chain = nil
		return err
	}
	if k.opened { // nobody asks for NewKey any more
		k.o.Logger.Warn("the log is sealed under a new key; note it down outside of this machine", "key", key.public)
	}
	return nil
}

// writeAgain writes SEALS.jsonl anew after a sync of it failed: the kernel tells such an error once and then believes
// that all is on disk, so another sync of the same file would prove nothing.
func (k *Keeper) writeAgain() error {
	if !k.unsure {
		return nil
	}
	path := filepath.Join(k.log.Dir(), SealsName)
	b, err := readSmall(path, maxSealLines*1024)
	if err == nil {
		err = k.writeFile(path, b)
	}
	k.unsure = err != nil
	return err
}

// takeTorn moves what stands after the last newline of SEALS.jsonl to a .torn file.
func (k *Keeper) takeTorn(c *chain) error {
	if c.torn == 0 {
		return nil
	}
	path := filepath.Join(k.log.Dir(), SealsName)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	to, err := os.OpenFile(path+".torn", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.NewSectionReader(f, c.good, c.torn))
	if err == nil {
		_, err = to.Write(newline)
	}
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	if err := k.step("cut seals"); err != nil {
		return err
	}
	if err := f.Truncate(c.good); err != nil {
		return err
	}
	c.torn = 0
	return errors.Join(f.Sync(), format.SyncDir(k.log.Dir()))
}

func jsonOf(data map[string]any) json.RawMessage {
	b, err := json.Marshal(data)
	if err != nil {
		return nil
	}
	return b
}

func counted(bytes int64) string {
	if bytes == 1 {
		return "byte"
	}
	return strconv.FormatInt(bytes, 10) + " bytes"
}
