package main

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// coldStart starts shiplog when none of its files is in memory, as after a boot.
func (b *bench) coldStart() error {
	if err := forget(b.data()); err != nil {
		return err
	}
	s, err := b.start(b.data())
	if err != nil {
		return err
	}
	defer s.stop()
	b.report.set("memory", "cold start to first answer", "ms", shiplog, &cell{Value: ms(s.first)}).atMost(100)
	b.report.set("memory", "cold start to first answer, CPU", "ms", shiplog, &cell{Value: ms(s.used)})
	path, _ := b.shiplogProbe(rare)
	_, took, err := get(s.client, s.url+path)
	if err != nil {
		return err
	}
	b.report.set("memory", "first text search after it", "ms", shiplog, &cell{Value: ms(took)})
	return nil
}

// forget asks the kernel to drop the files of dir from its memory. What is not on the disk yet goes there first.
func forget(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
}
