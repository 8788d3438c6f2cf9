package format_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format"
)

// TestNumbersOfAFailedWriteAreNotReused fails a write after its first whole lines. Where these cannot be taken back
// they are in the log, and an acknowledged record with the number of one of them would not be served.
func TestNumbersOfAFailedWriteAreNotReused(t *testing.T) {
	for _, row := range []struct {
		name   string
		broken string // operations that fail
		want   []string
	}{
		{"the lines are taken back", "write", []string{"1 first", "4 refused", "5 again 0", "6 again 1", "7 again 2"}},
		{"the lines stay", "write truncate", []string{"1 first", "2 lost 0", "3 lost 1", "4 refused", "5 again 0", "6 again 1", "7 again 2"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				broken := ""
				f := &format.Faults{Hook: func(kind string, n int) (int, error) {
					if strings.Contains(broken, kind) {
						return 700, syscall.ENOSPC
					}
					return 0, nil
				}}
				w := open(t, dir, f.Options(format.Options{}))
				mustAppend(t, w, "first")
				batch := func(msg string) (recs []*format.Record) {
					for i := range 3 {
						recs = append(recs, record(fmt.Sprint(msg, " ", i)+strings.Repeat(" ", 100)))
					}
					return recs
				}
				broken = row.broken
				if err := w.Append(t.Context(), batch("lost")...); err == nil {
					t.Fatal("Append on a full disk = nil")
				}
				if broken == "write" {
					broken = ""
				} else {
					broken = "truncate" // for good
				}
				time.Sleep(2 * time.Second)
				if err := w.Append(t.Context(), batch("again")...); err != nil {
					t.Fatal(err)
				}
				closed(t, w)
				var got []string
				for ln, err := range openLog(t, dir).Forward(0) {
					if err != nil {
						continue // the half line
					}
					msg := strings.TrimSpace(ln.Fields.Msg.String())
					if strings.Contains(msg, "refused") {
						msg = "refused"
					}
					got = append(got, fmt.Sprint(ln.Seq, " ", msg))
				}
				if fmt.Sprint(got) != fmt.Sprint(row.want) {
					t.Errorf("log = %q, want %q", got, row.want)
				}
			})
		})
	}
}

// TestSyncErrorLosesNothingToAKill fails a sync and then everything: what was written must still be in a file,
// for the process may be killed before the disk comes back.
func TestSyncErrorLosesNothingToAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		broken := ""
		f := &format.Faults{Hook: func(kind string, n int) (int, error) {
			if strings.Contains(broken, kind) {
				return 0, syscall.EIO
			}
			return 0, nil
		}}
		w := open(t, dir, f.Options(format.Options{}))
		mustAppend(t, w, "durable")
		if err := w.Write(record("written")); err != nil {
			t.Fatal(err)
		}
		broken = "sync create"
		if err := w.Append(t.Context(), record("unknown")); err == nil {
			t.Fatal("Append without a sync = nil")
		}
		if msgs, damage := messages(t, dir); len(msgs) < 2 || msgs[1] != "written" || len(damage) > 0 {
			t.Errorf("log = %q with damage %v, want what Write acknowledged in it", msgs, damage)
		}
		broken = ""
		time.Sleep(2 * time.Second)
		mustAppend(t, w, "next")
		closed(t, w)
		if msgs, damage := messages(t, dir); len(msgs) != 6 || msgs[5] != "next" || len(damage) > 0 {
			t.Errorf("log = %q with damage %v, want six records", msgs, damage)
		}
	})
}

// TestTornTailIsKeptOnce recovers a segment that cannot be cut: each attempt must not copy the tail anew.
func TestTornTailIsKeptOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := store(t, map[string]string{segment(1): joined(line(1)) + "half a line"})
		var bad atomic.Bool
		bad.Store(true)
		f := &format.Faults{Hook: func(kind string, n int) (int, error) {
			if bad.Load() && kind == "truncate" {
				return 0, syscall.EPERM
			}
			return 0, nil
		}}
		w := open(t, dir, f.Options(format.Options{}))
		ran := make(chan error)
		go func() { ran <- w.Run(t.Context()) }()
		time.Sleep(time.Hour)
		bad.Store(false)
		time.Sleep(time.Minute)
		closed(t, w)
		<-ran
		torn, err := os.ReadFile(filepath.Join(dir, "log", segment(1)+".torn"))
		if err != nil || string(torn) != "half a line\n" {
			t.Errorf(".torn = %d bytes %.40q, %v, want the half line once", len(torn), torn, err)
		}
		if msgs, damage := messages(t, dir); len(msgs) != 3 || len(damage) > 0 {
			t.Errorf("log = %q with damage %v, want the line, recovered and readonly", msgs, damage)
		}
	})
}

// TestNoticesLeaveRestoredNumbersAlone fails a sync in the middle of an import: what is said of it comes after the
// records that have their numbers already.
func TestNoticesLeaveRestoredNumbersAlone(t *testing.T) {
	dir := t.TempDir()
	bad := false
	f := &format.Faults{Hook: func(kind string, n int) (int, error) {
		if bad && kind == "sync" {
			bad = false
			return 0, syscall.EIO
		}
		return 0, nil
	}}
	w := open(t, dir, f.Options(format.Options{}))
	for seq := uint64(1); seq <= 3; seq++ {
		if err := w.Restore(&format.Record{Seq: seq, Stream: format.StreamLog, Msg: fmt.Sprint(seq)}); err != nil {
			t.Fatal(err)
		}
		bad = seq == 1
		if _, err := w.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, w)
	msgs, damage := messages(t, dir)
	if len(msgs) != 4 || msgs[2] != "3" || !strings.Contains(msgs[3], "failed to store") || len(damage) > 0 {
		t.Errorf("log = %q with damage %v, want 1, 2, 3 and what failed", msgs, damage)
	}
}
