package format_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shiplog/format"
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
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill appends until the disk is full and returns the messages that were acknowledged.
func fill(t *testing.T, w *format.Writer) (acked []string) {
	t.Helper()
	for i := range 10_000 {
		msg := fmt.Sprintf("%d %s", i, strings.Repeat("x", 300))
		err := w.Append(t.Context(), record(msg))
		if errors.Is(err, format.ErrFull) {
			return acked
		}
		if err != nil {
			t.Fatalf("Append on a full disk = %v, want ErrFull", err)
		}
		acked = append(acked, msg)
	}
	t.Fatal("the disk does not get full")
	return nil
}

func TestFullTmpfs(t *testing.T) {
	for _, row := range []struct {
		name    string
		options string
		segment int64
	}{
		{"no space", "size=128k", 0},
		{"no space at the begin of a segment", "size=128k", 8 << 10},
		{"no inodes", "size=4m,nr_inodes=12", 4 << 10},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := mountTmpfs(t, row.options)
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 32<<10), 0o600); err != nil {
				t.Fatal(err)
			}
			w := open(t, dir, format.Options{KeepFree: -1, SegmentBytes: row.segment})
			acked := fill(t, w)
			msgs, damage := messages(t, dir)
			if fmt.Sprint(msgs) != fmt.Sprint(acked) || len(damage) > 0 {
				t.Fatalf("a full disk holds %d records with damage %v, want the %d acknowledged", len(msgs), damage, len(acked))
			}
			if s := w.Stats(); s.State != format.StateFull {
				t.Errorf("State = %s, want full", s.State)
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			time.Sleep(1100 * time.Millisecond)
			mustAppend(t, w, "after")
			closed(t, w)
			msgs, damage = messages(t, dir)
			if len(msgs) != len(acked)+2 || !strings.Contains(msgs[len(acked)], "1 record was refused") || len(damage) > 0 {
				t.Errorf("log = %d records with damage %v, want %d, one of which says what was refused", len(msgs), damage, len(acked)+2)
			}
		})
	}
}

// TestOpenOnAFullTmpfs recovers a torn tail where there is no room to keep it: nothing may be cut off.
func TestOpenOnAFullTmpfs(t *testing.T) {
	dir := mountTmpfs(t, "size=64k")
	if err := os.Mkdir(filepath.Join(dir, "log"), 0o755); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "log", segment(1))
	appendFile(t, name, joined(line(1))+"half a line")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 64<<10), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the disk: %v, want no space", err)
	}
	w := open(t, dir, format.Options{KeepFree: -1})
	if err := w.Append(t.Context(), record("refused")); !errors.Is(err, format.ErrFull) {
		t.Errorf("Append = %v, want ErrFull", err)
	}
	if b, err := os.ReadFile(name); err != nil || !strings.HasSuffix(string(b), "half a line") {
		t.Errorf("the segment ends in %q, %v, want the half line", b, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	mustAppend(t, w, "after")
	closed(t, w)
	torn, err := os.ReadFile(name + ".torn")
	if err != nil || !strings.HasSuffix(string(torn), "half a line\n") {
		t.Errorf(".torn = %q, %v, want the half line", torn, err)
	}
	if msgs, damage := messages(t, dir); len(msgs) != 4 || msgs[3] != "after" || len(damage) > 0 {
		t.Errorf("log = %q with damage %v, want the line, recovered, full and after", msgs, damage)
	}
}

// TestReadOnlyMount reads a log on a mount that may not be written, and writes again once it may.
func TestReadOnlyMount(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "log"), 0o755); err != nil {
		t.Fatal(err)
	}
	log := mountTmpfs(t, "size=1m")
	if err := unix.Mount(log, filepath.Join(dir, "log"), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	log = filepath.Join(dir, "log")
	t.Cleanup(func() { _ = unix.Unmount(log, unix.MNT_DETACH) })
	remount := func(flags uintptr) {
		t.Helper()
		if err := unix.Mount("", log, "", unix.MS_REMOUNT|unix.MS_BIND|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	appendFile(t, filepath.Join(log, segment(1)), joined(line(1), line(2)))
	remount(unix.MS_RDONLY)
	if seqs, damage := both(t, openLog(t, dir)); len(seqs) != 2 || damage != 0 {
		t.Errorf("a read-only mount serves %v and %d damaged, want two records", seqs, damage)
	}
	next := follow(t, openLog(t, dir), 2)
	w := open(t, dir, format.Options{KeepFree: -1}) // the lock can be had
	if err := w.Append(t.Context(), record("refused")); !errors.Is(err, format.ErrReadOnly) {
		t.Errorf("Append on a read-only mount = %v, want ErrReadOnly", err)
	}
	remount(0)
	time.Sleep(1100 * time.Millisecond)
	mustAppend(t, w, "after")
	closed(t, w)
	for want := uint64(3); want <= 4; want++ {
		if seq, err := next(); seq != want || err != nil {
			t.Errorf("Follow = %d, %v, want %d", seq, err, want)
		}
	}
}
