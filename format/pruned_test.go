package format_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"shiplog/format"
)

// prunable makes a log of five segments with the records 1 to 10.
func prunable(t *testing.T) (dir string, w *format.Writer) {
	t.Helper()
	dir = t.TempDir()
	w = open(t, dir, format.Options{KeepFree: -1})
	for i := range 5 {
		mustAppend(t, w, fmt.Sprint("a ", i))
		mustAppend(t, w, fmt.Sprint("b ", i))
		if _, err := w.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	return dir, w
}

func unlink(t *testing.T, files ...string) {
	t.Helper()
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadingWhileTheOldestAreRemoved(t *testing.T) {
	for _, c := range []struct {
		name     string
		backward bool
		from     uint64 // after or before
		at       uint64 // record at which segments are removed
		gone     int
		want     []uint64
		told     int // holes
	}{
		{"forward, behind those that are removed", false, 4, 5, 2, []uint64{5, 6, 7, 8, 9, 10}, 0},
		{"forward, inside of them: the open one is read to its end, and the hole is told", false, 0, 1, 3, []uint64{1, 2, 7, 8, 9, 10}, 2},
		{"backward, the log ends earlier", true, 0, 9, 3, []uint64{10, 9, 8, 7}, 0},
		{"backward, inside of them", true, 0, 6, 3, []uint64{10, 9, 8, 7, 6, 5}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, w := prunable(t)
			defer closed(t, w)
			files := segmentFiles(t, dir)
			l := openLog(t, dir)
			read := l.Forward(c.from)
			if c.backward {
				read = l.Backward(c.from)
			}
			var got []uint64
			told := 0
			for ln, err := range read {
				if err != nil {
					if _, ok := errors.AsType[*format.Damage](err); !ok || !errors.Is(err, format.ErrPruned) {
						t.Fatal(err)
					}
					told++
					continue
				}
				if got = append(got, ln.Seq); ln.Seq == c.at {
					unlink(t, files[:c.gone]...)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) || told != c.told {
				t.Errorf("read %d and was told of %d holes, want %d and %d", got, told, c.want, c.told)
			}
		})
	}
}

func TestFollowWhileTheOldestAreRemoved(t *testing.T) {
	dir, w := prunable(t)
	files := segmentFiles(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	last := uint64(0)
	for ln, err := range openLog(t, dir).Follow(ctx, 8) {
		if err != nil {
			t.Fatal(err)
		}
		if ln.Seq != max(last, 8)+1 {
			t.Fatalf("Follow: record %d after %d", ln.Seq, last)
		}
		switch last = ln.Seq; last {
		case 9:
			unlink(t, files[:4]...)
		case 10:
			mustAppend(t, w, "eleven")
			if _, err := w.Seal(); err != nil {
				t.Fatal(err)
			}
			unlink(t, files[4])
			mustAppend(t, w, "twelve")
		case 12:
			cancel()
		}
	}
	if last != 12 {
		t.Errorf("Follow ended after record %d, want 12", last)
	}
	closed(t, w)
}

// TestReservedMakesSpace holds that what makes space is written where nothing else may be, and that the rest goes on
// when there is some.
func TestReservedMakesSpace(t *testing.T) {
	free := uint64(1 << 40)
	f := &format.Faults{Free: func() (uint64, uint64) { return free, 1 << 41 }}
	dir := t.TempDir()
	w := open(t, dir, f.Options(format.Options{}))
	mustAppend(t, w, "one")
	free = 1 << 20
	time.Sleep(1100 * time.Millisecond) // it looks once a second
	if err := w.Append(t.Context(), record("refused")); !errors.Is(err, format.ErrFull) {
		t.Fatalf("Append with 1 MiB free = %v, want ErrFull", err)
	}
	r := record("makes space")
	if err := w.AppendReserved(r); err != nil || r.Seq == 0 {
		t.Fatalf("AppendReserved = %v, record %d", err, r.Seq)
	}
	free = 1 << 40
	time.Sleep(1100 * time.Millisecond)
	mustAppend(t, w, "two")
	closed(t, w)
	msgs, damage := messages(t, dir)
	if len(damage) > 0 || len(msgs) < 4 || msgs[0] != "one" || msgs[len(msgs)-1] != "two" {
		t.Errorf("the log holds %q, %v", msgs, damage)
	}
}

// TestBellsOfTheirOwn holds that each who wants to know of a sealed segment hears it.
func TestBellsOfTheirOwn(t *testing.T) {
	w := open(t, t.TempDir(), format.Options{})
	defer closed(t, w)
	a, b := w.SealBell(), w.SealBell()
	mustAppend(t, w, "one")
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	for _, bell := range []<-chan struct{}{a, b} {
		select {
		case <-bell:
		default:
			t.Error("a bell did not ring")
		}
	}
}
