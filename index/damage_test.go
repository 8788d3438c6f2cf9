package index

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// indexFiles are all files below the index folder.
func indexFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("index files: %v, %v", files, err)
	}
	return files
}

// An index that was damaged in whatever way is never believed, and is there again after building.
func TestDamagedIndexIsNeverBelieved(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	dir, _ := newLog(t, r, 1500, 150<<10)
	indexDir := filepath.Join(dir, "index")
	buildAll(t, openIndex(t, dir, Options{Dir: indexDir}))
	lines := readAll(t, dir)
	damages := []struct {
		name string
		do   func(path string, b []byte) error
	}{
		{"one bit flipped", func(path string, b []byte) error {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			return os.WriteFile(path, b, 0o640)
		}},
		{"a page of zeros", func(path string, b []byte) error {
			at := r.IntN(len(b))
			clear(b[at:min(at+4096, len(b))])
			return os.WriteFile(path, b, 0o640)
		}},
		{"cut", func(path string, b []byte) error { return os.Truncate(path, int64(r.IntN(len(b)))) }},
		{"empty", func(path string, _ []byte) error { return os.Truncate(path, 0) }},
		{"removed", func(path string, _ []byte) error { return os.Remove(path) }},
		{"swapped for the same file of another segment", func(path string, _ []byte) error {
			rel, err := filepath.Rel(indexDir, path)
			if err != nil {
				return err
			}
			other, err := filepath.Glob(filepath.Join(indexDir, "*", filepath.FromSlash(rel[len("00000000000000000001/"):])))
			if err != nil || len(other) == 0 {
				return err
			}
			b, err := os.ReadFile(other[r.IntN(len(other))])
			if err != nil {
				return err
			}
			return os.WriteFile(path, b, 0o640)
		}},
	}
	for round := range 42 / min(fewer, 3) {
		files := indexFiles(t, indexDir)
		file, damage := files[r.IntN(len(files))], damages[round%len(damages)]
		rel, _ := filepath.Rel(indexDir, file)
		t.Run(fmt.Sprintf("%d %s: %s", round, rel, damage.name), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage.do(file, slices.Clone(b)); err != nil {
				t.Fatal(err)
			}
			x := openIndex(t, dir, Options{Dir: indexDir})
			for range 10 {
				compare(t, x, randomQuery(r, lines), lines)
			}
			buildAll(t, x)
			for range 5 {
				compare(t, x, randomQuery(r, lines), lines)
			}
		})
	}
}

// Files that are cut or changed while they are mapped raise faults and nonsense; answers stay right.
func TestIndexDamagedWhileOpen(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	dir, _ := newLog(t, r, 1500, 150<<10)
	indexDir := filepath.Join(dir, "index")
	lines := readAll(t, dir)
	for round := range 6 / min(fewer, 2) {
		x := openIndex(t, dir, Options{Dir: indexDir})
		buildAll(t, x)
		for range 15 { // open everything
			compare(t, x, randomQuery(r, lines), lines)
		}
		for _, file := range indexFiles(t, indexDir) {
			switch {
			case filepath.Base(file) == columnsFile && round%3 == 0,
				filepath.Base(file) == gateFile && round%3 == 1,
				filepath.Ext(file) == ".zap" && round%3 == 2:
				if err := os.Truncate(file, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 15 {
			compare(t, x, randomQuery(r, lines), lines)
		}
		buildAll(t, x)
		for range 10 {
			compare(t, x, randomQuery(r, lines), lines)
		}
		if s := x.Stats(); s.SetAside == 0 {
			t.Errorf("round %d: nothing was set aside", round)
		}
	}
}

func TestMissingShardIsAnsweredByReading(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	dir, _ := newLog(t, r, 1500, 150<<10)
	indexDir := filepath.Join(dir, "index")
	x := openIndex(t, dir, Options{Dir: indexDir})
	buildAll(t, x)
	lines := readAll(t, dir)
	ents, err := os.ReadDir(indexDir)
	if err != nil || len(ents) < 3 {
		t.Fatalf("index folder: %d entries, %v, want several", len(ents), err)
	}
	if err := os.RemoveAll(filepath.Join(indexDir, ents[1].Name())); err != nil {
		t.Fatal(err)
	}
	for _, x := range []*Index{x, openIndex(t, dir, Options{Dir: indexDir}), openIndex(t, dir, Options{Dir: indexDir, ReadOnly: true})} {
		for range 60 {
			compare(t, x, randomQuery(r, lines), lines)
		}
	}
	x = openIndex(t, dir, Options{Dir: indexDir})
	buildAll(t, x)
	if again, _ := os.ReadDir(indexDir); len(again) != len(ents) {
		t.Errorf("after building: %d indexes, want %d", len(again), len(ents))
	}
}

// A file of columns that is cut short just before its facets are named leaves nothing locked.
func TestColumnsCutBeforeFacetsAreNamed(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	dir, w := newLog(t, r, 1500, 0)
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	lines := readAll(t, dir)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	d := x.diskOf(x.segs[0], x.segs[0].id)
	c, err := d.columns()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(d.dir, columnsFile), 0); err != nil {
		t.Fatal(err)
	}
	q := Query{Facets: func(f *Facets) bool { return f.ActorName == "admin" }, Limit: 5}
	err = guard(func() error {
		x.newRun(t.Context(), q).wantedFacets(&table{cols: c, disk: d})
		return nil
	})
	if !errors.Is(err, errStale) {
		t.Errorf("wantedFacets of a file that was cut: %v, want %v", err, errStale)
	}
	free := d.mu.TryLock()
	d.mu.Unlock()
	d.release()
	if !free { // no search would end
		t.Fatal("the index stays locked for ever")
	}
	compare(t, x, q, lines)
}
