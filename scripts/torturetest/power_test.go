package torturetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// disk is a file system in a file.
type disk struct {
	image, dir string
	mounted    bool
}

// newDisk makes and mounts one of so many MiB. The test is skipped where that cannot be done.
func newDisk(t *testing.T, fs string, mib int64) *disk {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system for this test")
	}
	mkfs, err := exec.LookPath("mkfs." + fs)
	if err != nil {
		t.Skipf("there is no mkfs.%s: install e2fsprogs or xfsprogs", fs)
	}
	base := shortDir(t)
	d := &disk{image: filepath.Join(base, "image"), dir: filepath.Join(base, "m")}
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(d.image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(mib << 20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(mkfs, "-q", d.image).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", mkfs, err, out)
	}
	if out, err := d.tryMount(); err != nil {
		t.Skipf("this machine does not let root mount %s: %v %s", fs, err, out)
	}
	t.Cleanup(func() {
		if d.mounted { // the process may hold it for a moment yet
			_ = unix.Unmount(d.dir, unix.MNT_DETACH)
		}
	})
	return d
}

func (d *disk) tryMount() (string, error) {
	out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput()
	d.mounted = err == nil
	return strings.TrimSpace(string(out)), err
}

// cut cuts the power: whatever the kernel has not given to the disk yet, its journal too, never gets there.
func (d *disk) cut(t *testing.T) {
	t.Helper()
	const (
		shutdown   = 0x8004587d // FS_IOC_SHUTDOWN: _IOR('X', 125, __u32), of ext4 and XFS
		noLogFlush = 2
	)
	f, err := os.Open(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdown, noLogFlush); err != nil {
		t.Fatalf("cut the power of %s: %v", d.dir, err)
	}
}

// again mounts it anew, as the next boot does. Nothing may have it open.
func (d *disk) again(t *testing.T) {
	t.Helper()
	var err error
	for range 100 {
		if err = unix.Unmount(d.dir, 0); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("unmount %s: %v", d.dir, err)
	}
	d.mounted = false
	if out, err := d.tryMount(); err != nil {
		t.Fatalf("mount after a cut: %v %s", err, out)
	}
}

// TestPowerCut cuts the power of the disk while clients write.
func TestPowerCut(t *testing.T) {
	asked(t)
	for fs, mib := range map[string]int64{"ext4": 256, "xfs": 512} { // XFS is at least 300 MiB
		t.Run(fs, func(t *testing.T) {
			d := newDisk(t, fs, mib)
			b := newBox(t, filepath.Join(d.dir, "d"), keep...)
			unix.Sync() // the accounts were made long ago
			l := &ledger{}
			began := time.Now()
			for round := range *cuts {
				b.start(t)
				b.check(t, l, round)
				b.underLoad(t, l, perCut, func() {
					l.end()
					d.cut(t)
					b.kill(t)
				})
				d.again(t)
				b.verify(t)
			}
			b.finish(t, l)
			t.Logf("%s: %d cuts in %.0f s: %d texts sent, the newest record is %d", fs, *cuts, time.Since(began).Seconds(), l.made, l.last)
		})
	}
}
