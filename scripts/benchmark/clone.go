package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"shiplog/format"
)

// sealed are the names of the segments that will not change any more, the oldest first.
func sealed(data string) ([]string, error) {
	ents, err := os.ReadDir(filepath.Join(data, "log"))
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range ents {
		if _, ok := format.SegmentFirst(e.Name()); ok {
			all = append(all, e.Name())
		}
	}
	return all[:max(len(all)-1, 0)], nil
}

// sealedSize is the size of the sealed segments, in bytes.
func sealedSize(data string) (size int64, err error) {
	all, err := sealed(data)
	for _, name := range all {
		info, failed := os.Stat(filepath.Join(data, "log", name))
		if failed != nil {
			return 0, failed
		}
		size += info.Size()
	}
	return size, err
}

// age makes sealed segments look two hours old, as otherwise they would be when they are compressed.
func age(data string) error {
	all, err := sealed(data)
	then := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	for _, name := range all {
		err = errors.Join(err, os.Chtimes(filepath.Join(data, "log", name), then, then))
	}
	return err
}

// cloneData makes a second data directory. Sealed segments are the same files in both, for none of them is ever
// changed; what is compressed in one stays plain in the other.
func cloneData(from, to string) error {
	all, err := sealed(from)
	if err != nil {
		return err
	}
	same := map[string]bool{}
	for _, name := range all {
		same[filepath.Join("log", name)] = true
	}
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(path, from), "/")
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), info.Mode().Perm())
		case same[name]:
			return os.Link(path, filepath.Join(to, name))
		case d.Type().IsRegular():
			return copyFile(path, filepath.Join(to, name), info)
		}
		return nil // a socket
	})
}

func copyFile(from, to string, info os.FileInfo) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close(), os.Chtimes(to, info.ModTime(), info.ModTime()))
}
