package index

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A segment whose index cannot be made does not hold up the others, and is tried again ever more rarely.
func TestSegmentThatCannotBeIndexed(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	dir, _ := newLog(t, r, 600, 60<<10)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	snap, err := x.look()
	if err != nil || len(snap.views) < 4 {
		t.Fatalf("look() = %d segments, %v, want several", len(snap.views), err)
	}
	bad := snap.views[len(snap.views)-2].seg // what is built first
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		x.make = func(s *segment) error {
			if s == bad {
				tries++
				return errors.New("it cannot be read")
			}
			return x.build(s)
		}
		for range 24 * 60 { // Run comes once in a minute after a failure
			_ = x.catchUp(t.Context(), snap)
			time.Sleep(time.Minute)
		}
		if tries < 24 || tries > 32 {
			t.Errorf("tried %d times on the first day, want about once in an hour", tries)
		}
	})
	if s := x.Stats(); s.Pending != 1 {
		t.Errorf("%d segments pending, want only the bad one", s.Pending)
	}
	compare(t, x, Query{Text: "container"}, readAll(t, dir))
}

// An index that is lost again and again is made again each time, but not all the time.
func TestIndexThatIsLostAgainAndAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(53, 54))
	dir, _ := newLog(t, r, 200, 30<<10)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	snap, err := x.look()
	if err != nil {
		t.Fatal(err)
	}
	s := snap.views[0].seg
	synctest.Test(t, func(t *testing.T) {
		made := 0
		x.make = func(seg *segment) error {
			if seg == s {
				made++
			}
			return nil // but there is nothing
		}
		for range 3 * 60 {
			_ = x.catchUp(t.Context(), snap)
			time.Sleep(time.Minute)
		}
		if made < maxBuilds+1 || made > maxBuilds+4 {
			t.Errorf("made %d times in three hours, want %d at once and then one in an hour", made, maxBuilds)
		}
	})
}

// What a killed build left, and the indexes of pruned segments, are removed; nothing else is.
func TestSweep(t *testing.T) {
	r := rand.New(rand.NewPCG(55, 56))
	dir, _ := newLog(t, r, 600, 60<<10)
	indexDir := filepath.Join(dir, "index")
	x := openIndex(t, dir, Options{Dir: indexDir})
	buildAll(t, x)
	first := filepath.Base(x.indexDir(x.segs[0]))
	second := filepath.Base(x.indexDir(x.segs[1]))
	if err := os.Remove(filepath.Join(x.dir, x.segs[0].Name)); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * time.Hour)
	for name, isOld := range map[string]bool{second + tmpMark + "1": true, second + tmpMark + "2": false,
		first + badMark: false, "00000000000000099999" + tmpMark + "1": true, "notes": true, "12": true} {
		path := filepath.Join(indexDir, name)
		if err := os.MkdirAll(filepath.Join(path, "bleve"), 0o750); err != nil {
			t.Fatal(err)
		}
		if isOld {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	snap, err := x.look()
	if err != nil {
		t.Fatal(err)
	}
	x.sweep(snap)
	ents, err := os.ReadDir(indexDir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range ents {
		if len(e.Name()) != 20 {
			got = append(got, e.Name())
		} else if e.Name() == first {
			t.Errorf("the index of the pruned segment %s is still there", first)
		}
	}
	if want := []string{second + tmpMark + "2", "12", "notes"}; !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
}
