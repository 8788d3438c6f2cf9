package prune

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"syscall"

	"shiplog/format"
)

// ReserveName is a file of the data directory that is given up when the disk is so full that not even what has to be
// written before a removal fits.
const ReserveName = "reserve"

// reserveBytes is room for both records of a removal, its line of the chain and what makes that durable.
const reserveBytes = 1 << 20

// reserve is that file. It is made as soon as a rule is there and the disk has room for it, and made again after it
// was needed. All is done with Pruner.working held.
type reserve struct {
	path string
	made bool // it is there, as far as is known
}

// keepReserve makes the reserve where there is room. What goes wrong matters only when it is needed, and is not tried
// again each minute.
func (p *Pruner) keepReserve() {
	free, _, err := p.o.space(p.log.Dir())
	if err == nil {
		err = p.reserve.keep(free)
	}
	if err != nil {
		p.reserve.made = true
		p.o.Logger.Warn("no file could be made that is given up when the disk is full; space is then to be made by hand", "err", err)
	}
}

// keep makes the file unless it is there, or there is little room.
func (r *reserve) keep(free uint64) error {
	if r.made || free < 8*reserveBytes {
		return nil
	}
	if fi, err := os.Lstat(r.path); err == nil && (!fi.Mode().IsRegular() || fi.Size() >= reserveBytes) {
		r.made = true
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, reserveBytes) // zeros take no room where the file system compresses
	if err == nil {
		err = f.Sync() // some give it room only then
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(r.path))
	}
	r.made = true
	return nil
}

// with calls do, and calls it once more with the room of the file when the disk is full.
func (r *reserve) with(dir string, do func() error) error {
	err := do()
	if !isFull(err) {
		return err
	}
	if fi, lerr := os.Lstat(r.path); lerr != nil || !fi.Mode().IsRegular() || os.Remove(r.path) != nil {
		return err
	}
	r.made = false
	_ = format.SyncDir(dir) // some give room back only then
	return do()
}

func isFull(err error) bool {
	return errors.Is(err, format.ErrFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
