package seal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"shiplog/format"
)

// setAside renames the files of a chain that cannot be continued, and says so; damaged: because they are not what was
// signed. Nothing is deleted but keys, which are of no use without their chain.
func (k *Keeper) setAside(reason string, damaged bool) error {
	dir := k.log.Dir()
	n := 1
	for exists(oldName(dir, SealsName, n)) || exists(oldName(dir, CheckpointName, n)) {
		n++
	}
	for _, name := range []string{SealsName, CheckpointName} {
		if err := k.step("set aside"); err != nil {
			return err
		}
		err := os.Rename(filepath.Join(dir, name), oldName(dir, name, n))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := format.SyncDir(dir); err != nil {
		return err
	}
	if k.from = k.earlier(reason, damaged); k.from == nil {
		k.from = &From{Reason: reason, Damaged: damaged} // nothing is left of it
	}
	k.o.Logger.Error("the chain of seals cannot be continued; it was set aside and a new one is begun, with a new key", "reason", reason)
	data := map[string]any{"reason": reason}
	if k.from.Origin != "" {
		data["origin"], data["size"] = k.from.Origin, k.from.Size
	}
	k.tell(context.Background(), "log.seals_begun", "The chain of seals could not be continued ("+reason+"); a new one was begun.", data)
	return nil
}

func oldName(dir, name string, n int) string {
	return filepath.Join(dir, name+"."+strconv.Itoa(n)+".old")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// wasSealed tells, when there is neither a chain nor a checkpoint, whether there was one: else the key that is here was
// made by a start that came no further.
func (k *Keeper) wasSealed(have map[int]*epochKey) bool {
	for epoch := range have {
		if epoch > 0 {
			return true
		}
	}
	side, _ := filepath.Glob(filepath.Join(k.log.Dir(), "[0-9]*"+blockSuffix)) // made with the first line
	return len(have) > 0 && len(side) > 0 && k.earlier("", false) == nil
}

// earlier describes the newest chain that was set aside, with the reason; none: a start before this one did it and came
// no further, and what is wrong with its files is found out again. It is nil when there is none.
func (k *Keeper) earlier(reason string, damaged bool) *From {
	dir, n := k.log.Dir(), 1
	for exists(oldName(dir, SealsName, n)) || exists(oldName(dir, CheckpointName, n)) {
		n++
	}
	if n--; n == 0 {
		return nil
	}
	text, err := readSmall(oldName(dir, CheckpointName, n), maxCheckpoint)
	var cp *Checkpoint
	if err == nil {
		cp, err = ParseCheckpoint(text)
	}
	fallback := ""
	if cp != nil {
		fallback = cp.Key
	}
	c, cerr := readChain(oldName(dir, SealsName, n), "", fallback)
	if reason == "" {
		reason, damaged = "its files were set aside", err != nil || cerr != nil || spoiled(c, cp) != ""
	}
	from := &From{Reason: reason, Damaged: damaged}
	if cp != nil {
		from.Origin, from.Key, from.Size, from.Root = cp.Origin, cp.Key, cp.Size, cp.Root.String()
	} else if cerr == nil {
		if root, err := c.root(c.size); err == nil {
			from.Origin, from.Key, from.Size, from.Root = c.origin, c.keys[0].public, c.size, root.String()
		}
	}
	return from
}
