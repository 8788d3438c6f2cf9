package index

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// withoutFiles runs fn while the process may open no further file.
func withoutFiles(t *testing.T, fn func()) {
	t.Helper()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	none := was
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Error(err)
		}
	}()
	fn()
}

// A segment that cannot be opened for a moment is an error, not an empty segment: neither now nor afterwards.
func TestNoFileDescriptorIsAnError(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	dir, w := newLog(t, r, 600, 60<<10)
	lines := readAll(t, dir)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "log"), old, old); err != nil { // so that it need not be listed again
		t.Fatal(err)
	}
	x := openIndex(t, dir, Options{})
	if _, err := x.look(); err != nil {
		t.Fatal(err)
	}
	withoutFiles(t, func() {
		if n, err := x.Count(t.Context(), Query{}); err == nil {
			t.Errorf("Count() without a file descriptor = %d, want an error", n)
		}
	})
	compare(t, x, Query{}, lines)
	fill(t, w, r, 600, 1)
	withoutFiles(t, func() {
		if p, err := x.Search(t.Context(), Query{Limit: 1}); err == nil {
			t.Errorf("Search() without a file descriptor = record %d, want an error", p.Hits[0].Seq)
		}
	})
	compare(t, x, Query{}, readAll(t, dir))
}

// An index is not set aside because it could not be opened for a moment.
func TestNoFileDescriptorSparesTheIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(43, 44))
	dir, _ := newLog(t, r, 600, 60<<10)
	lines := readAll(t, dir)
	buildAll(t, openIndex(t, dir, Options{Dir: dir + "/index"}))
	old := time.Now().Add(-time.Hour)
	for _, d := range []string{"log", "index"} {
		if err := os.Chtimes(filepath.Join(dir, d), old, old); err != nil {
			t.Fatal(err)
		}
	}
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	if _, err := x.look(); err != nil {
		t.Fatal(err)
	}
	text := Query{Text: "container", Before: 100}                  // in sealed segments
	withoutFiles(t, func() { _, _ = x.Search(t.Context(), text) }) // columns cannot be opened
	compare(t, x, Query{User: "admin"}, lines)
	withoutFiles(t, func() { _, _ = x.Search(t.Context(), text) }) // nor gate and Bleve
	compare(t, x, text, lines)
	if s := x.Stats(); s.SetAside != 0 || s.Pending != 0 {
		t.Errorf("after a moment without file descriptors: %d indexes set aside, %d pending, want none", s.SetAside, s.Pending)
	}
}
