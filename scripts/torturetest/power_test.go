package torturetest

import (
	"io"
	"net/http"
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
					client := b.loggedIn(t)
					l.end()
					d.cut(t)
					if round == 0 {
						b.saysSo(t, client)
					}
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

// loggedIn is a client with a session, which cannot be had any more on a disk without power.
func (b *box) loggedIn(t *testing.T) *http.Client {
	t.Helper()
	client, err := login(b.url)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// saysSo holds that a disk that is gone is no internal error: a request is answered, or with 503 and what to do.
func (b *box) saysSo(t *testing.T, client *http.Client) {
	t.Helper()
	defer client.CloseIdleConnections()
	journal := `{"journal": {"object_type": "dark", "object_id": "dark", "action": "dark.write", "status": "success", "message": "dark"}}`
	for _, r := range []struct {
		method, path, body string
		writes             bool
	}{
		{"DELETE", v2 + "/log", "", true},
		{"POST", "/v1/journal/", journal, true},
		{"GET", v2 + "/log", "", false},
		{"GET", v2 + "/log/export", "", false},
		{"GET", v2 + "/event", "", false},
		{"GET", "/v1/journal/", "", false},
		{"GET", "/v5/p/container/image/events", "", false},
		{"GET", "/readyz", "", true},
		{"GET", "/metrics", "", false},
	} {
		b.await(t, r.method+" "+r.path+" is not refused", func() bool {
			req, err := http.NewRequest(r.method, b.url+r.path, strings.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Auth-Token", token)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatalf("%s %s without a disk: %v", r.method, r.path, err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			switch status := resp.StatusCode; {
			case status == http.StatusServiceUnavailable:
				if r.path != "/readyz" && (!strings.Contains(string(text), "/readyz says why") || resp.Header.Get("Retry-After") == "") {
					t.Errorf("%s %s without a disk = 503 %q %s, want when to try again and where it is said why", r.method, r.path, resp.Header.Get("Retry-After"), text)
				}
				return true
			case status/100 == 2:
				return !r.writes // what was on its way when the power went may have come through
			default:
				t.Fatalf("%s %s without a disk = %d %s, want 503", r.method, r.path, status, text)
				return true
			}
		})
	}
}
