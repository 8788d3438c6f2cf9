package format_test

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format"
)

// asked asks w for a second.
func asked(w *format.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return w.Alive(ctx)
}

// TestWriterSaysWhatHangs has the disk hang in a sync: that of Write, which Run makes, or that of Append.
func TestWriterSaysWhatHangs(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(*format.Writer)
		want  string
	}{
		{"a sync by Run", func(w *format.Writer) { _ = w.Write(record("one")) }, "what syncs the log"},
		{"a sync of a commit", func(w *format.Writer) { _ = w.Append(context.Background(), record("one")) }, "what commits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				f := &format.Faults{Hook: func(kind string, _ int) (int, error) {
					if kind == "sync" {
						<-release
					}
					return 0, nil
				}}
				w := open(t, t.TempDir(), f.Options(format.Options{}))
				ctx, cancel := context.WithCancel(context.Background())
				var wg sync.WaitGroup
				wg.Go(func() { _ = w.Run(ctx) })
				if err := asked(w); err != nil {
					t.Errorf("Alive of an idle writer = %v, want nil", err)
				}
				if n := f.Count("write") + f.Count("sync"); n > 0 {
					t.Errorf("Alive made %d writes and syncs, want none", n)
				}
				wg.Go(func() { c.write(w) })
				time.Sleep(2 * time.Second) // Run syncs after one
				for range 2 {               // nothing is left of who gave up
					if err := asked(w); err == nil || !strings.Contains(err.Error(), c.want) {
						t.Errorf("Alive while a sync hangs = %v, want %q", err, c.want)
					}
				}
				close(release)
				synctest.Wait()
				if err := asked(w); err != nil {
					t.Errorf("Alive after it = %v, want nil", err)
				}
				cancel()
				wg.Wait()
				closed(t, w)
			})
		})
	}
}

func TestFullDiskIsNoHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &format.Faults{Hook: func(kind string, _ int) (int, error) {
			if kind == "write" {
				return 0, syscall.ENOSPC
			}
			return 0, nil
		}}
		w := open(t, t.TempDir(), f.Options(format.Options{}))
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = w.Run(ctx) })
		if err := w.Write(record("one")); err == nil {
			t.Fatal("Write on a full disk = nil, want an error")
		}
		for range 10 {
			if err := asked(w); err != nil {
				t.Errorf("Alive on a full disk = %v, want nil", err)
			}
			time.Sleep(300 * time.Millisecond)
		}
		cancel()
		wg.Wait()
		_ = w.Close()
	})
}
