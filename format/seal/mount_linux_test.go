package seal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// mountTmpfs makes a small file system of its own.
func mountTmpfs(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system for this test")
	}
	if err := unix.Mount("shiplog-test", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("this machine does not let root mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// TestVerifyReadOnlyMount verifies where nothing can be written.
func TestVerifyReadOnlyMount(t *testing.T) {
	b := filled(t)
	dir := mountTmpfs(t, "size=8m")
	must(t, os.CopyFS(filepath.Join(dir, "log"), os.DirFS(filepath.Join(b.dir, "log"))))
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); !errors.Is(err, unix.EROFS) {
		t.Fatalf("the mount can be written: %v", err)
	}
	b.dir = dir
	wantOK(t, "read-only", b.verify(VerifyOptions{}))
}

// TestFullDisk fills the disk, so that segments get no seal, and makes room again.
func TestFullDisk(t *testing.T) {
	dir := mountTmpfs(t, "size=512k")
	b := openBox(t, dir, Options{})
	key := b.k.NewKey()
	b.write(300)
	b.seal()
	b.write(300)
	if _, err := b.w.Seal(); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 512<<10), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the disk: %v, want no space", err)
	}
	for range 3 {
		if err := b.k.CatchUp(t.Context()); !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("CatchUp on a full disk = %v, want no space", err)
		}
		if r := b.verify(VerifyOptions{Key: key}); r.Result != ResultUnknown || words(r) != "unsealed" {
			t.Fatalf("Verify on a full disk = %s %+v, want unsealed", r.Result, r.Findings)
		}
	}
	must(t, os.Remove(ballast))
	b.close()
	r := b.verify(VerifyOptions{Key: key})
	wantOK(t, "with room again", r)
	if r.Segments != 2 {
		t.Errorf("%d segments are sealed, want 2", r.Segments)
	}
}
