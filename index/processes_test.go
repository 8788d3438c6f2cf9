package index

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Two processes that keep the same index folder do not take away from under each other what they read.
func TestTwoKeepersOfOneFolder(t *testing.T) {
	r := rand.New(rand.NewPCG(69, 70))
	dir, _ := newLog(t, r, 600, 60<<10)
	lines := readAll(t, dir)
	indexDir := filepath.Join(dir, "index")
	manifest := func(s *segment) os.FileInfo {
		fi, err := os.Stat(filepath.Join(indexDir, s.Name[:20], manifestFile))
		if err != nil {
			t.Fatal(err)
		}
		return fi
	}
	a, b := openIndex(t, dir, Options{Dir: indexDir}), openIndex(t, dir, Options{Dir: indexDir})
	buildAll(t, a)
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	s := b.segs[0]
	made := manifest(s)
	if err := b.build(s); err != nil { // begun before a's was there
		t.Fatal(err)
	}
	if !os.SameFile(made, manifest(s)) {
		t.Error("the index of the quicker one was replaced")
	}
	buildAll(t, b)
	a.distrust(a.segs[0], a.segs[0].disk, errStale) // a finds it bad and makes it anew ...
	buildAll(t, a)
	made = manifest(s)
	b.distrust(s, s.disk, errStale) // ... and b finds files that are not what it opened
	if n := b.Stats().SetAside; n != 0 || !os.SameFile(made, manifest(s)) {
		t.Errorf("the other's new index was set aside (%d times)", n)
	}
	for range 20 {
		q := randomQuery(r, lines)
		compare(t, a, q, lines)
		compare(t, b, q, lines)
	}
	if n := a.Stats().SetAside + b.Stats().SetAside; n != 1 {
		t.Errorf("%d indexes were set aside, want the bad one only", n)
	}
}
