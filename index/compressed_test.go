package index

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"shiplog/format"
)

// compress puts a compressed file in the place of a segment's plain one, as package compress does.
func compress(t *testing.T, path string) {
	t.Helper()
	src, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(path + ".zst")
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	w, err := format.NewFrameWriter(dst)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, src); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	fi, err := src.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(dst.Name(), fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// Compressed segments are answered as plain ones are: by an index that was made of the plain ones and goes on being
// valid, by one that is made anew, and without any. That is so in the middle of the change, too.
func TestCompressedSegmentsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	dir, w := newLog(t, r, 2400, 100<<10)
	own := filepath.Join(dir, "index")
	x, bare := openIndex(t, dir, Options{Dir: own}), openIndex(t, dir, Options{})
	buildAll(t, x)
	all := readAll(t, dir)
	files := segmentFiles(t, dir)
	for i, file := range files[:len(files)-1] {
		compress(t, file)
		for range 24 / min(fewer, 4) / (1 + i%3) {
			compare(t, x, randomQuery(r, all), all)
			compare(t, bare, randomQuery(r, all), all)
		}
	}
	x.mu.Lock()
	for _, s := range x.segs[:len(x.segs)-1] {
		s.mu.Lock()
		if s.diskState != diskOpen {
			t.Errorf("the index of segment %s is not used any more", s.Name)
		}
		s.mu.Unlock()
	}
	x.mu.Unlock()
	anew := openIndex(t, dir, Options{Dir: filepath.Join(dir, "other")})
	buildAll(t, anew)
	fill(t, w, r, 2400, 50)
	all = readAll(t, dir)
	for range 48 / min(fewer, 4) {
		for _, x := range []*Index{x, anew, bare} {
			compare(t, x, randomQuery(r, all), all)
		}
	}
}

// A compressed file that holds nothing that could be read keeps nobody from the records of other segments.
func TestCompressedSegmentWithoutFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	for name, text := range map[string]string{"empty": "", "no Zstandard": "hello, hello, hello, hello"} {
		dir, _ := newLog(t, r, 1200, 100<<10)
		file := segmentFiles(t, dir)[0]
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file+format.CompressedSuffix, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		x := openIndex(t, dir, Options{Dir: filepath.Join(dir, "index")})
		for range 2 {
			p, err := x.Search(t.Context(), Query{Limit: 10_000})
			if err != nil || len(p.Hits) == 0 || len(p.Hits) >= 1200 || p.Damaged == 0 {
				t.Errorf("%s: Search() = %d hits, %d damaged, %v, want those of the other segments and a word of damage", name, len(p.Hits), p.Damaged, err)
			}
			buildAll(t, x)
		}
	}
}
