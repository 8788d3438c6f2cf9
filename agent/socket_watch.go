package agent

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"shiplog/format"
)

const (
	watchBlind = 5 * time.Second  // how often sockets are looked for where the kernel gives no watch
	watchBeat  = 30 * time.Second // who would look so often or more seldom does it together with all others
)

// watchSettles is between the change of a socket and the look at it: a daemon makes its socket before it listens,
// and one that makes it again and again is not asked in the same rhythm.
const watchSettles = 100 * time.Millisecond

// awaitSocket waits until one of the sockets may have come or changed, for d at most, and returns whether one did.
// absent says that none was there at the last look. It watches their folders, or the nearest that exist, so that a box
// without an engine is left to sleep.
func awaitSocket(ctx context.Context, sockets []string, absent bool, d time.Duration) bool {
	if d >= watchBeat {
		d = format.UntilBeat(time.Now(), watchBeat)
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		sleep(ctx, min(d, format.UntilBeat(time.Now(), watchBlind)))
		return false
	}
	defer w.Close()
	names := map[string]bool{}
	for _, socket := range sockets {
		dir, next := nearest(socket)
		if w.Add(dir) != nil {
			d = min(d, format.UntilBeat(time.Now(), watchBlind))
			continue
		}
		names[next], names[filepath.Base(dir)] = true, true // the folder itself may be removed
		if again, _ := nearest(socket); again != dir {
			return true // it came while the watch was made
		}
		if _, err := os.Stat(socket); absent && err == nil {
			return true
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			return false
		case <-w.Errors: // an overflow: look
		case e := <-w.Events:
			// Compared by their last part: a folder may be watched under another name, as /run is /var/run.
			if !names[filepath.Base(e.Name)] {
				continue
			}
		}
		sleep(ctx, min(d, watchSettles))
		return true
	}
}

// nearest is the innermost folder of path that exists, and the name that is looked for in it.
func nearest(path string) (dir, next string) {
	for dir = filepath.Clean(path); ; {
		parent := filepath.Dir(dir)
		next = filepath.Base(dir)
		if parent == dir {
			return dir, next
		}
		dir = parent
		if s, err := os.Stat(dir); err == nil && s.IsDir() {
			return dir, next
		}
	}
}
