package torturetest

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullDisk fills the disk while clients write, kills shiplog on the full disk, starts it there, and makes room.
func TestFullDisk(t *testing.T) {
	asked(t)
	for fs, mib := range map[string]int64{"ext4": 64, "xfs": 320} {
		t.Run(fs, func(t *testing.T) {
			d := newDisk(t, fs, mib)
			b := newBox(t, filepath.Join(d.dir, "d"), keep...)
			l := &ledger{holes: true}
			ballast := filepath.Join(d.dir, "ballast")
			for round := range 2 {
				b.start(t)
				b.check(t, l, round)
				b.underLoad(t, l, perKill, func() {
					fillUp(t, ballast)
					b.refuses(t)
					if round%2 == 1 {
						b.kill(t)
						b.launch(t)
						b.refuses(t)
					}
					l.check(t, b.recordsOf(t, true)) // what was acknowledged is there, and no half line among the rest
				})
				b.counts(t) // reading goes on
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
				b.ready(t) // by itself
				b.underLoad(t, l, perKill, func() { b.kill(t) })
				b.verify(t)
			}
			b.finish(t, l)
		})
	}
}

// fillUp writes a file until not one more byte can be written.
func fillUp(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		_, err := f.Write(make([]byte, size))
		if errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil && !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// refuses waits until it says that it cannot write.
func (b *box) refuses(t *testing.T) {
	t.Helper()
	b.await(t, "/readyz does not say that the disk is full", func() bool {
		status, _ := b.get("/readyz")
		return status == http.StatusServiceUnavailable
	})
}
