package format_test

import (
	"errors"
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

func record(msg string) *format.Record {
	return &format.Record{Stream: format.StreamLog, Category: "system", Msg: msg}
}

func open(t testing.TB, dir string, o format.Options) *format.Writer {
	t.Helper()
	w, err := format.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func closed(t testing.TB, w *format.Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func openLog(t testing.TB, dir string) *format.Log {
	t.Helper()
	l, err := format.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// messages reads the whole log forward. It fails on a seq that does not rise, and returns damage apart.
func messages(t testing.TB, dir string) (msgs []string, damage []error) {
	t.Helper()
	last := uint64(0)
	for ln, err := range openLog(t, dir).Forward(0) {
		if err != nil {
			damage = append(damage, err)
			continue
		}
		if ln.Seq <= last {
			t.Fatalf("Forward: seq %d after %d", ln.Seq, last)
		}
		last = ln.Seq
		msgs = append(msgs, ln.Fields.Msg.String())
	}
	return msgs, damage
}

func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "log", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// runUnderFaults writes ten records under a disk that fails and returns the acknowledged ones. A refused record is
// tried again, once the writer allows the next attempt.
func runUnderFaults(t *testing.T, dir string, o format.Options) (acked []string) {
	w, err := format.Open(dir, o)
	if err != nil {
		return nil
	}
	for i := range 10 {
		msg := fmt.Sprintf("record %d", i)
		for try := range 3 {
			m := msg
			if try > 0 { // the first attempt may be in the log all the same
				m = fmt.Sprintf("%s again %d", msg, try)
			}
			if err := w.Append(t.Context(), record(m)); err == nil {
				acked = append(acked, m)
				break
			} else if !errors.Is(err, format.ErrFull) && !errors.Is(err, format.ErrReadOnly) {
				t.Fatalf("Append: %v, want ErrFull or ErrReadOnly", err)
			}
			time.Sleep(time.Minute)
		}
		if i == 5 {
			_, _ = w.Seal()
		}
	}
	_ = w.Close()
	return acked
}

// TestFailTheNthOperation fails the first, the second ... operation of a run until a run has none left to fail.
func TestFailTheNthOperation(t *testing.T) {
	for _, fault := range []struct {
		name string
		err  error
		keep int // bytes that a failing write writes
		ever bool
		only string
	}{
		{"no space, once", syscall.ENOSPC, 0, false, ""},
		{"no space in the middle of a line, once", syscall.ENOSPC, 17, false, ""},
		{"an I/O error, once", syscall.EIO, 0, false, ""},
		{"an I/O error in the middle of a line, once", syscall.EIO, 100, false, ""},
		{"an I/O error for ever", syscall.EIO, 40, true, ""},
		{"no space for ever", syscall.ENOSPC, 40, true, ""},
		{"a read-only disk, once", syscall.EROFS, 0, false, ""},
		{"a read-only disk for ever", syscall.EROFS, 0, true, ""},
		{"a write that is short and says nothing, once", format.ErrShort, 30, false, ""},
		{"writes that are short and say nothing, for ever", format.ErrShort, 30, true, ""},
		{"half a line and no truncating any more", syscall.ENOSPC, 40, true, "write truncate"},
		{"no sync any more", syscall.EIO, 0, true, "sync"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for n := 1; ; n++ {
				failed := false
				f := &format.Faults{Hook: func(kind string, i int) (int, error) {
					if i == n || fault.ever && i > n && i < n+40 {
						if fault.only == "" || strings.Contains(fault.only, kind) {
							failed = true
							return fault.keep, fault.err
						}
					}
					return 0, nil
				}}
				dir := t.TempDir()
				var acked []string
				synctest.Test(t, func(t *testing.T) {
					acked = runUnderFaults(t, dir, f.Options(format.Options{SegmentBytes: 900}))
				})
				checkAcked(t, dir, acked, fmt.Sprintf("operation %d failed", n))
				if !failed && f.Total() < n {
					return
				}
				if n > 500 {
					t.Fatal("the runs do not end")
				}
			}
		})
	}
}

// checkAcked reopens the directory without faults and holds that everything acknowledged is there, once, and
// that no half line is glued to another.
func checkAcked(t *testing.T, dir string, acked []string, what string) {
	t.Helper()
	w := open(t, dir, format.Options{})
	if err := w.Append(t.Context(), record("the end")); err != nil {
		t.Fatalf("%s: Append after reopening: %v", what, err)
	}
	closed(t, w)
	msgs, damage := messages(t, dir)
	count := map[string]int{}
	for _, m := range msgs {
		count[m]++
	}
	for _, m := range append(acked, "the end") {
		if count[m] != 1 {
			t.Fatalf("%s: %q is there %d times, want once; damage: %v", what, m, count[m], damage)
		}
	}
	for m, n := range count {
		if n > 1 && strings.HasPrefix(m, "record") {
			t.Fatalf("%s: %q is there %d times", what, m, n)
		}
	}
	for _, d := range damage {
		if !errors.Is(d, format.ErrTorn) {
			t.Fatalf("%s: %v", what, d)
		}
	}
}

// TestRecoverCutAtEveryByte cuts the active segment at each byte: a crash may leave any of these.
func TestRecoverCutAtEveryByte(t *testing.T) {
	src := t.TempDir()
	w := open(t, src, format.Options{})
	for i := range 3 {
		if err := w.Append(t.Context(), record(fmt.Sprintf("record %d", i))); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, w)
	whole, err := os.ReadFile(segmentFiles(t, src)[0])
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		for _, nuls := range []int{0, 5} {
			checkCut(t, whole[:cut], nuls)
		}
	}
}

func checkCut(t *testing.T, left []byte, nuls int) {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "log", "00000000000000000001.jsonl")
	if err := os.Mkdir(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(left[:len(left):len(left)], make([]byte, nuls)...), 0o644); err != nil {
		t.Fatal(err)
	}
	good := strings.Count(string(left), "\n")
	torn := string(left[strings.LastIndexByte(string(left), '\n')+1:])
	w := open(t, dir, (&format.Faults{}).Options(format.Options{}))
	if err := w.Append(t.Context(), record("next")); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	msgs, damage := messages(t, dir)
	want := good + 1
	if len(torn)+nuls > 0 {
		want++ // the recovered record
	}
	if len(msgs) != want || len(damage) != 0 || msgs[len(msgs)-1] != "next" {
		t.Fatalf("after cut at byte %d and %d NUL: %q and damage %v, want %d records", len(left), nuls, msgs, damage, want)
	}
	if len(torn)+nuls > 0 && !strings.Contains(msgs[good], fmt.Sprintf("%d bytes", len(torn)+nuls)) {
		t.Fatalf("after cut at byte %d: %q does not name %d bytes", len(left), msgs[good], len(torn)+nuls)
	}
	kept, _ := os.ReadFile(name + ".torn")
	if strings.TrimSuffix(string(kept), "\n") != torn {
		t.Fatalf("after cut at byte %d: .torn holds %q, want %q", len(left), kept, torn)
	}
}

func TestDiskFullAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		free := uint64(1 << 30)
		f := &format.Faults{Free: func() (uint64, uint64) { return free, 10 << 30 }}
		w := open(t, dir, f.Options(format.Options{}))
		mustAppend(t, w, "before")
		free = 48 << 20
		time.Sleep(2 * time.Second)
		writes := f.Count("write")
		for range 17 {
			err := w.Append(t.Context(), record("refused"))
			if !errors.Is(err, format.ErrFull) || !strings.Contains(err.Error(), "48 MiB left, keep-free is 64 MiB") {
				t.Fatalf("Append on a full disk = %v, want ErrFull and what to do", err)
			}
		}
		if n := f.Count("write"); n != writes {
			t.Errorf("%d writes to a full disk, want none", n-writes)
		}
		if s := w.Stats(); s.State != format.StateFull || s.Refused != 17 || s.Reason == "" {
			t.Errorf("Stats = %+v, want full with 17 refused", s)
		}
		free = 1 << 30
		time.Sleep(2 * time.Second)
		mustAppend(t, w, "after")
		if s := w.Stats(); s.State != format.StateOK || s.Reason != "" {
			t.Errorf("Stats = %+v, want ok", s)
		}
		closed(t, w)
		msgs, _ := messages(t, dir)
		if len(msgs) != 3 || !strings.Contains(msgs[1], "17 records were refused") || msgs[2] != "after" {
			t.Errorf("log = %q, want a record of 17 refused between before and after", msgs)
		}
	})
}

func mustAppend(t testing.TB, w *format.Writer, msg string) {
	t.Helper()
	if err := w.Append(t.Context(), record(msg)); err != nil {
		t.Fatal(err)
	}
}

// TestRunEndsABadState holds that a state that has ended is noticed, and said, without anybody writing.
func TestRunEndsABadState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var bad atomic.Bool
		bad.Store(true)
		f := &format.Faults{Hook: func(kind string, n int) (int, error) {
			if bad.Load() && kind == "write" {
				return 0, syscall.EROFS
			}
			return 0, nil
		}}
		w := open(t, dir, f.Options(format.Options{}))
		go w.Run(t.Context())
		if err := w.Write(record("refused")); !errors.Is(err, format.ErrReadOnly) {
			t.Fatalf("Write = %v, want ErrReadOnly", err)
		}
		time.Sleep(time.Minute)
		if s := w.Stats(); s.State != format.StateReadOnly {
			t.Errorf("State = %s, want read-only", s.State)
		}
		bad.Store(false)
		time.Sleep(time.Minute)
		if s := w.Stats(); s.State != format.StateOK {
			t.Errorf("State = %s, want ok", s.State)
		}
		closed(t, w)
		if msgs, _ := messages(t, dir); len(msgs) != 1 || !strings.Contains(msgs[0], "1 record was refused") {
			t.Errorf("log = %q, want one record that says what was refused", msgs)
		}
	})
}

// TestSyncErrorKeepsEveryLine holds that lines whose sync failed are written again to a new segment.
func TestSyncErrorKeepsEveryLine(t *testing.T) {
	dir := t.TempDir()
	fail := false
	f := &format.Faults{Hook: func(kind string, n int) (int, error) {
		if fail && kind == "sync" {
			fail = false
			return 0, syscall.EIO
		}
		return 0, nil
	}}
	w := open(t, dir, f.Options(format.Options{}))
	mustAppend(t, w, "durable")
	if err := w.Write(record("written")); err != nil {
		t.Fatal(err)
	}
	fail = true
	mustAppend(t, w, "acknowledged after all")
	mustAppend(t, w, "next")
	closed(t, w)
	msgs, damage := messages(t, dir)
	if len(msgs) != 5 || len(damage) != 0 || msgs[2] != "acknowledged after all" {
		t.Errorf("log = %q with damage %v", msgs, damage)
	}
	if n := len(segmentFiles(t, dir)); n != 2 {
		t.Errorf("%d segments, want 2", n)
	}
	if s := w.Stats(); s.SyncErrors != 1 {
		t.Errorf("SyncErrors = %d, want 1", s.SyncErrors)
	}
}
