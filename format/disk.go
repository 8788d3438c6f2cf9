package format

import (
	"io"
	"os"
)

// file is what a writer does with a file. Tests put one between that fails.
type file interface {
	io.Writer
	Sync() error // file data and size, as fdatasync
	Truncate(size int64) error
	Close() error
}

// disk is what a writer does with a directory, likewise.
type disk struct {
	open    func(path string, flag int) (file, error)
	rename  func(from, to string) error
	syncDir func(path string) error
	free    func(path string) (free, total uint64, err error) // bytes that may be written, bytes in all
}

// FreeSpace returns the bytes of dir's disk that are free for this process. Where the system does not tell,
// it is the largest number there is.
func FreeSpace(dir string) (uint64, error) {
	free, _, err := freeSpace(dir)
	return free, err
}

// SpaceOf returns the bytes of dir's disk that are free for this process, and those it has in all.
func SpaceOf(dir string) (free, total uint64, err error) { return freeSpace(dir) }

func realDisk() *disk {
	return &disk{
		open: func(path string, flag int) (file, error) {
			f, err := os.OpenFile(path, flag, 0o640)
			if err != nil {
				return nil, err
			}
			return osFile{f}, nil
		},
		rename:  os.Rename,
		syncDir: syncDir,
		free:    freeSpace,
	}
}

// syncDir makes the names in a directory durable: without it a new file may be gone after a power cut.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// SyncDir makes the names in a directory durable: without it a new file may be gone after a power cut.
func SyncDir(path string) error { return syncDir(path) }

// osFile is an os.File that syncs data only.
type osFile struct{ *os.File }
