package format_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"shiplog/format"
)

// asAnother runs fn as a user who is not root on the disk, on a thread of its own.
func asAnother(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with its user
		if os.Getuid() == 0 {
			_ = unix.Setfsuid(65534) // takes the rights of root on files from the thread
		}
		fn()
	}()
	<-done
}

// TestASegmentThatCannotBeLookedAtIsThere lists a folder that tells names only, as a disk that fails does: a writer
// that took its segments for gone would give their numbers again.
func TestASegmentThatCannotBeLookedAtIsThere(t *testing.T) {
	dir := store(t, map[string]string{segment(1): joined(line(1), line(2))})
	for _, path := range []string{filepath.Dir(dir), dir} { // for the lock, and the way to it
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(dir, "log")
	if err := os.Chmod(log, 0o444); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(log, 0o755) })
	asAnother(func() {
		if names, err := os.ReadDir(log); err != nil || len(names) != 1 {
			t.Logf("nothing is tested: the folder %s cannot be listed: %v", log, err)
			return
		}
		segs, err := openLog(t, dir).Segments()
		if !errors.Is(err, fs.ErrPermission) || len(segs) > 0 {
			t.Errorf("Segments = %v, %v, want why it cannot be looked at", segs, err)
		}
		if w, err := format.Open(dir, format.Options{KeepFree: -1}); err == nil {
			seq, _ := w.Last()
			t.Errorf("Open = a writer that goes on after record %d, want an error", seq)
			closed(t, w)
		}
	})
}
