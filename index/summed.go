package index

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// checkBleve holds the files of the Bleve index against their sums: Bleve itself does not. A file that is the one that
// was summed before, by all that the file system tells of it, is not summed again.
func (d *disk) checkBleve() error {
	for name, want := range d.man.Files {
		if !strings.HasPrefix(name, bleveFolder+"/") {
			continue
		}
		path := filepath.Join(d.dir, filepath.FromSlash(name))
		var got *fileSum
		state, err := stateOf(path)
		if err == nil && d.isSummed(name, state) {
			continue
		}
		if err == nil {
			got, err = sumFile(path)
		}
		if isShortage(err) {
			return err
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errStale, err)
		}
		if *got != *want {
			return fmt.Errorf("%w: checksum of %s does not match", errStale, name)
		}
		d.noteSummed(name, state)
	}
	return nil
}

// fileState is what the file system tells of a file: whoever writes to it changes one of its times.
type fileState struct {
	dev, ino       uint64
	size           int64
	mtime, changed int64 // Unix ns: of its bytes, of anything about it
}

func stateOf(path string) (fileState, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return fileState{}, err
	}
	return fileState{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}, nil
}

// isSummed tells whether the file had the right sum when it was in that state.
func (d *disk) isSummed(name string, state fileState) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was, ok := d.summed[name]
	return ok && was == state
}

// noteSummed notes that it had. A state so young that a further change may not show in its times is none to rely on.
func (d *disk) noteSummed(name string, state fileState) {
	if time.Since(time.Unix(0, state.changed)) < racyAge {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.summed == nil {
		d.summed = make(map[string]fileState)
	}
	d.summed[name] = state
}
