package format

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWhatIsNoFileIsNamed puts other things in the place of a segment: it must not be missed in silence, and not be
// waited for.
func TestWhatIsNoFileIsNamed(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a link":   func(path string) error { return os.Symlink("/nonexistent/file", path) },
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		dir := t.TempDir()
		w, err := Open(dir, Options{KeepFree: -1})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Append(context.Background(), &Record{Stream: StreamLog, Category: "test", Msg: "kept"}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		odd := segmentName(7)
		if err := put(filepath.Join(dir, "log", odd)); err != nil {
			t.Fatal(err)
		}
		l, err := OpenLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		read, named := 0, 0
		for _, err := range l.Forward(0) {
			var d *Damage
			switch {
			case err == nil:
				read++
			case errors.As(err, &d) && d.Segment == odd && strings.Contains(err.Error(), name):
				named++
			default:
				t.Errorf("Forward beside %s = %v", name, err)
			}
		}
		if read != 1 || named != 1 {
			t.Errorf("Forward beside %s = %d records, named %d times; want 1 and once", name, read, named)
		}
		if _, err := l.Get(1); err != nil {
			t.Errorf("Get(1) beside %s = %v, want the record", name, err)
		}
	}
}
