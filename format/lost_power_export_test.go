package format

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// LostPower is a disk that keeps what it was made to keep: the content of a file as of its last sync, and the names
// of a folder as of the folder's. Its power goes before operation number At, and Crash makes the directory
// what is found at the next boot. No file system loses as much, and none promises to lose less.
type LostPower struct {
	At int // operations from 1; 0: the power stays

	// KeepNames lets names be there that were not synced, and KeepHalf half of the bytes that were not: what was lost
	// is then in the middle, as it happens.
	KeepNames, KeepHalf bool

	mu    sync.Mutex // guards all below
	ops   int
	log   string            // the folder of segments
	known bool              // the folder's own name is synced
	now   map[string]*inode // by name
	safe  map[string]*inode // as of the folder's last sync
}

// inode is a file, whatever it is called.
type inode struct {
	now, safe []byte
}

// Options returns o with the disk in it. dir is the data directory.
func (p *LostPower) Options(dir string, o Options) Options {
	p.log, p.now, p.safe = filepath.Join(dir, "log"), map[string]*inode{}, map[string]*inode{}
	real := realDisk()
	o.disk = &disk{
		open: func(path string, flag int) (f file, err error) {
			err = p.do(func() error {
				if f, err = real.open(path, flag); err != nil {
					return err
				}
				ino := p.now[path]
				if ino == nil {
					ino = &inode{}
					p.now[path] = ino
				}
				f = &lostFile{file: f, p: p, ino: ino}
				return nil
			})
			return f, err
		},
		rename: func(from, to string) error {
			return p.do(func() error {
				p.now[to] = p.now[from]
				delete(p.now, from)
				return real.rename(from, to)
			})
		},
		syncDir: func(path string) error {
			return p.do(func() error {
				if path == p.log {
					p.safe = maps.Clone(p.now)
				}
				p.known = p.known || path == filepath.Dir(p.log)
				return nil
			})
		},
		free: func(string) (uint64, uint64, error) { return 1 << 40, 1 << 41, nil },
	}
	return o
}

// do counts an operation and does it, while there is power.
func (p *LostPower) do(op func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ops++; p.At > 0 && p.ops >= p.At {
		return syscall.EIO
	}
	return op()
}

// Gone tells whether the power went.
func (p *LostPower) Gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.At > 0 && p.ops >= p.At
}

// Crash leaves what was safe, with what KeepNames and KeepHalf add. Nothing may have the directory open.
func (p *LostPower) Crash() error {
	if err := os.RemoveAll(p.log); err != nil || !p.known && !p.KeepNames {
		return err
	}
	names := p.safe
	if p.KeepNames {
		names = p.now
	}
	if err := os.Mkdir(p.log, 0o750); err != nil {
		return err
	}
	for path, ino := range names {
		if err := os.WriteFile(path, ino.left(p.KeepHalf), fs.FileMode(0o640)); err != nil {
			return err
		}
	}
	return nil
}

// left is the content of a file after a crash.
func (i *inode) left(half bool) []byte {
	if rest, ok := strings.CutPrefix(string(i.now), string(i.safe)); ok && half {
		return append(i.safe[:len(i.safe):len(i.safe)], rest[:len(rest)/2]...)
	}
	return i.safe
}

type lostFile struct {
	file
	p   *LostPower
	ino *inode
}

func (f *lostFile) Write(b []byte) (n int, err error) {
	err = f.p.do(func() error {
		n, err = f.file.Write(b)
		f.ino.now = append(f.ino.now[:len(f.ino.now):len(f.ino.now)], b[:n]...)
		return err
	})
	return n, err
}

func (f *lostFile) Sync() error {
	return f.p.do(func() error {
		f.ino.safe = f.ino.now
		return nil
	})
}

func (f *lostFile) Truncate(size int64) error {
	return f.p.do(func() error {
		f.ino.now = f.ino.now[:size:size]
		return f.file.Truncate(size)
	})
}
