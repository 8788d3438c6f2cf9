package index

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// folderWatch watches a folder, or the one around it until it is there.
type folderWatch struct {
	*fsnotify.Watcher
	folder os.FileInfo // the folder that is watched; nil: it is not there
}

// watchFolder is nil when the kernel has no watch left, or the folder around dir is not there either.
func watchFolder(dir string) *folderWatch {
	fsw, err := fsnotify.NewWatcher()
	if err != nil {
		return nil
	}
	w := &folderWatch{Watcher: fsw}
	if !w.add(dir) {
		// Once more, should dir have come while the watch around it was made.
		if err := fsw.Add(filepath.Dir(dir)); err != nil || w.add(dir) && fsw.Remove(filepath.Dir(dir)) != nil {
			w.close()
			return nil
		}
	}
	return w
}

// add watches dir itself.
func (w *folderWatch) add(dir string) bool {
	if w.Watcher.Add(dir) != nil {
		return false
	}
	folder, err := os.Stat(dir)
	if err != nil {
		return false
	}
	w.folder = folder
	return true
}

// holds tells whether w watches what is to be watched now: dir, or the folder around it while dir is not there. It
// may not: a folder that was moved away or removed is watched no longer, and a file system can be mounted over it.
func (w *folderWatch) holds(dir string) bool {
	if w == nil {
		return false
	}
	folder, err := os.Stat(dir)
	if w.folder == nil {
		return errors.Is(err, os.ErrNotExist)
	}
	return err == nil && os.SameFile(folder, w.folder)
}

func (w *folderWatch) close() {
	if w != nil {
		_ = w.Watcher.Close()
	}
}
