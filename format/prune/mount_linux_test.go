package prune_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"shiplog/format"
	"shiplog/format/prune"
)

// mountTmpfs makes a small file system of its own.
func mountTmpfs(t *testing.T, options string) (dir string) {
	t.Helper()
	if dir = t.TempDir(); os.Getuid() != 0 {
		t.Skip("only root can mount a file system for this test")
	}
	if err := unix.Mount("shiplog-test", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("this machine does not let root mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillUp writes a file until the disk has not a byte left.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err == nil {
		_, err = io.Copy(f, neverEnding{})
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the disk: %v, want no space", err)
	}
	if free, err := format.FreeSpace(filepath.Dir(path)); free > 0 || err != nil {
		t.Fatalf("%d bytes are free on a full disk, %v", free, err)
	}
	f.Close()
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

// TestADiskWithoutAByteLeft lets others fill the disk to the last byte. There is a reserve for what has to be written
// before the first segment may go, made when there was room; it comes back.
func TestADiskWithoutAByteLeft(t *testing.T) {
	for _, c := range []struct {
		name    string
		reserve bool
	}{{"with a reserve", true}, {"without one", false}} {
		t.Run(c.name, func(t *testing.T) {
			disk := mountTmpfs(t, "size=24m")
			dir, ballast := filepath.Join(disk, "data"), filepath.Join(disk, "ballast")
			b := openBox(t, dir, prune.Options{Policy: prune.Policy{Free: prune.Space{Percent: 10}}})
			for range 8 {
				b.fillLarge(1 << 20)
			}
			if r, err := b.p.Once(t); err != nil || len(r.Segments) > 0 {
				t.Fatalf("with room Once() = %+v, %v, want nothing removed", r, err)
			}
			path := filepath.Join(dir, prune.ReserveName)
			if fi, err := os.Stat(path); err != nil || fi.Size() != 1<<20 {
				t.Fatalf("Stat(reserve) = %v, %v, want 1 MiB", fi, err)
			}
			if !c.reserve {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			fillUp(t, ballast)
			r, err := b.p.Once(t)
			if !c.reserve {
				if !errors.Is(err, unix.ENOSPC) || len(r.Segments) > 0 || len(b.segments()) != 9 {
					t.Fatalf("on a full disk Once() = %+v, %v with segments %v, want no space and all segments", r, err, b.segments())
				}
				return
			}
			if err != nil || len(r.Segments) != 2 {
				t.Fatalf("on a full disk Once() = %+v, %v, want a quarter of the segments removed", r, err)
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			if _, err := b.p.Once(t); err != nil {
				t.Fatal(err)
			}
			if fi, err := os.Stat(path); err != nil || fi.Size() != 1<<20 {
				t.Errorf("with room again Stat(reserve) = %v, %v, want 1 MiB", fi, err)
			}
			b.close()
			_, _, removals := b.check("after the disk was full")
			if len(removals) != 2 {
				t.Errorf("the log tells %q, want a start and an end", removals)
			}
		})
	}
}

// fillLarge writes a segment of about so many bytes.
func (b *box) fillLarge(size int) {
	b.t.Helper()
	msg := string(bytes.Repeat([]byte("x"), 64<<10))
	for range size / len(msg) {
		if err := b.w.Append(b.t.Context(), &format.Record{Stream: format.StreamLog, Category: "container", Msg: msg}); err != nil {
			b.t.Fatal(err)
		}
	}
	if _, err := b.w.Seal(); err != nil {
		b.t.Fatal(err)
	}
	if err := b.k.CatchUp(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}
