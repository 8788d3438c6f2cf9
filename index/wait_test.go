package index

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"shiplog/format"
)

func TestWait(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	dir, w := newLog(t, r, 100, 20<<10)
	x := openIndex(t, dir, Options{})
	if last, err := x.Wait(t.Context(), 99); err != nil || last != 100 {
		t.Fatalf("Wait(99) = %d, %v, want 100 at once", last, err)
	}
	var wg sync.WaitGroup
	for i := range 50 {
		after := uint64(100 + i%10)
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // shorter than the slow tick
			defer cancel()
			if last, err := x.Wait(ctx, after); err != nil || last <= after {
				t.Errorf("Wait(%d) = %d, %v", after, last, err)
			}
		})
	}
	for i := range 20 { // over several segments
		time.Sleep(2 * time.Millisecond)
		fill(t, w, r, i, 5)
	}
	wg.Wait()
	if x.bell.end(); x.bell.waiting != 0 || x.bell.stop != nil {
		t.Errorf("after all waits: %d waiting, watcher %v, want none", x.bell.waiting, x.bell.stop)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	x := openIndex(t, t.TempDir(), Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("client went away")
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	if _, err := x.Wait(ctx, 0); !errors.Is(err, why) {
		t.Errorf("Wait() = %v, want %v", err, why)
	}
}

// A folder that comes later is seen, without a watch on it.
func TestWaitBeforeTheFirstRecord(t *testing.T) {
	dir := t.TempDir()
	x := openIndex(t, dir, Options{})
	if p, err := x.Search(t.Context(), Query{}); err != nil || len(p.Hits) != 0 {
		t.Fatalf("Search() of nothing = %d records, %v", len(p.Hits), err)
	}
	got := make(chan uint64, 1)
	go func() {
		last, _ := x.Wait(t.Context(), 0)
		got <- last
	}()
	time.Sleep(20 * time.Millisecond)
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	fill(t, w, rand.New(rand.NewPCG(1, 1)), 0, 1)
	select {
	case last := <-got:
		if last != 1 {
			t.Errorf("Wait() = %d, want 1", last)
		}
	case <-time.After(4 * time.Second):
		t.Error("Wait() did not see the first record")
	}
}

// Run indexes what is sealed, and writes nothing where it must not.
func TestRun(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	dir, _ := newLog(t, r, 2000, 200<<10)
	for _, readOnly := range []bool{true, false} {
		x := openIndex(t, dir, Options{Dir: dir + "/index", ReadOnly: readOnly})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- x.Run(ctx) }()
		deadline := time.Now().Add(20 * time.Second)
		for !readOnly && x.Stats().Builds == 0 || !readOnly && x.Stats().Pending > 0 {
			if time.Now().After(deadline) {
				t.Fatalf("after 20 s: %+v", x.Stats())
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
		_, err := os.Stat(dir + "/index")
		if readOnly != errors.Is(err, os.ErrNotExist) {
			t.Errorf("read-only %v: index folder: %v", readOnly, err)
		}
	}
}

// TestBellFollowsItsFolder wants rings for a folder that comes later, and for one that comes in the place of
// another, sooner than any tick.
func TestBellFollowsItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	var b bell
	b.init(dir)
	leave := b.join()
	defer b.end()
	defer leave()
	rings := func(what string, do func() error) {
		t.Helper()
		time.Sleep(100 * time.Millisecond) // rings of what was before
		rung := b.next()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-rung:
		case <-time.After(4 * time.Second):
			t.Errorf("no ring within 4 s of this: %s", what)
		}
	}
	appended := func(name string) func() error {
		return func() error { return os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600) }
	}
	mkdir := func() error { return os.Mkdir(dir, 0o700) }
	rings("the folder is made", mkdir)
	rings("a file in it", appended("1"))
	rings("the folder is moved away", func() error { return os.Rename(dir, dir+".old") })
	rings("another one is made", mkdir)
	rings("a file in that", appended("2"))
	rings("that is removed", func() error { return os.RemoveAll(dir) })
	rings("the first one comes back", func() error { return os.Rename(dir+".old", dir) })
	rings("a file in it again", appended("3"))
}
