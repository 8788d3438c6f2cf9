package format

import (
	"errors"
	"os"
	"sync"
	"time"
)

// AppendLine appends the line that c becomes when it keeps its numbers.
func (c *Canonical) AppendLine(dst []byte) []byte {
	return append(append(appendHead(dst, Version, c.Seq, c.Eseq), c.tail...), '\n')
}

// ErrShort, from a Hook, lets a write write less than it was given and say no error. Other operations succeed.
var ErrShort = errors.New("short write")

// Faults stands between a writer and its disk. It counts every operation by its kind and calls Hook before
// each; what Hook returns is done instead.
type Faults struct {
	mu    sync.Mutex
	count map[string]int
	total int

	// Hook sees the kind (create, open, write, sync, truncate, rename, syncdir) and the number of the operation
	// from 1. An error fails it; a write keeps only the first keep bytes then.
	Hook func(kind string, n int) (keep int, err error)
	// SyncTakes is how long a sync lasts.
	SyncTakes time.Duration
	// Free is what the disk says of itself; nil: plenty.
	Free func() (free, total uint64)
}

// Options returns o with the faults in it.
func (f *Faults) Options(o Options) Options {
	real := realDisk()
	o.disk = &disk{
		open: func(path string, flag int) (file, error) {
			kind := "open"
			if flag&os.O_CREATE != 0 {
				kind = "create"
			}
			if _, err := f.step(kind); err != nil {
				return nil, &os.PathError{Op: kind, Path: path, Err: err}
			}
			opened, err := real.open(path, flag)
			if err != nil {
				return nil, err
			}
			return &faultyFile{opened, f}, nil
		},
		rename: func(from, to string) error {
			if _, err := f.step("rename"); err != nil {
				return err
			}
			return real.rename(from, to)
		},
		syncDir: func(path string) error {
			if _, err := f.step("syncdir"); err != nil {
				return err
			}
			return real.syncDir(path)
		},
		free: func(string) (uint64, uint64, error) {
			if f.Free != nil {
				free, total := f.Free()
				return free, total, nil
			}
			return 1 << 40, 1 << 41, nil
		},
	}
	return o
}

func (f *Faults) step(kind string) (keep int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		f.count = map[string]int{}
	}
	f.count[kind]++
	f.total++
	if f.Hook == nil {
		return 0, nil
	}
	if keep, err = f.Hook(kind, f.total); err == ErrShort && kind != "write" {
		return 0, nil
	}
	return keep, err
}

// Count is how often an operation was tried.
func (f *Faults) Count(kind string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[kind]
}

// Total is how many operations there were.
func (f *Faults) Total() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}

type faultyFile struct {
	file
	f *Faults
}

func (f *faultyFile) Write(b []byte) (int, error) {
	keep, err := f.f.step("write")
	if err == nil {
		return f.file.Write(b)
	}
	n, werr := f.file.Write(b[:min(keep, len(b))])
	if werr != nil {
		return n, werr
	}
	if err == ErrShort {
		err = nil
	}
	return n, err
}

func (f *faultyFile) Sync() error {
	if _, err := f.f.step("sync"); err != nil {
		return err
	}
	time.Sleep(f.f.SyncTakes)
	return nil // these tests cut no power
}

func (f *faultyFile) Truncate(size int64) error {
	if _, err := f.f.step("truncate"); err != nil {
		return err
	}
	return f.file.Truncate(size)
}
