package index

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"shiplog/format"
)

func segmentFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log", "*.jsonl"))
	if err != nil || len(files) < 2 {
		t.Fatalf("segments: %v, %v, want several", files, err)
	}
	return files
}

// rewrite replaces a file as editors and tools do: a new one under the old name.
func rewrite(t *testing.T, path string, change func(lines [][]byte) [][]byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(slices.Clone(lines[len(lines)-1]), '\n')
	if err := os.WriteFile(path+".new", bytes.Join(change(lines), nil), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// What tools do to segments is noticed by an index that is open and has indexes on disk.
func TestChangedSegmentsAreNoticed(t *testing.T) {
	tests := []struct {
		name    string
		damaged bool
		do      func(t *testing.T, r *rand.Rand, files []string)
	}{
		{"the oldest is pruned", false, func(t *testing.T, _ *rand.Rand, files []string) {
			if err := os.Remove(files[0]); err != nil {
				t.Fatal(err)
			}
		}},
		{"lines of a sealed one are shuffled", false, func(t *testing.T, r *rand.Rand, files []string) {
			rewrite(t, files[1], func(lines [][]byte) [][]byte {
				r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
				return lines
			})
		}},
		{"lines of a sealed one are there twice", false, func(t *testing.T, r *rand.Rand, files []string) {
			rewrite(t, files[1], func(lines [][]byte) [][]byte {
				return slices.Concat(lines[:len(lines)/2], lines[len(lines)/3:], lines[:3])
			})
		}},
		{"lines of the newest are shuffled and doubled", false, func(t *testing.T, r *rand.Rand, files []string) {
			rewrite(t, files[len(files)-1], func(lines [][]byte) [][]byte {
				lines = append(lines, lines[:len(lines)/2]...)
				r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
				return lines
			})
		}},
		{"lines are damaged", true, func(t *testing.T, r *rand.Rand, files []string) {
			for _, f := range files {
				rewrite(t, f, func(lines [][]byte) [][]byte {
					for range 5 {
						i := r.IntN(len(lines))
						lines[i] = slices.Clone(lines[i])
						lines[i][r.IntN(len(lines[i])-1)] = '\x01'
					}
					return lines
				})
			}
		}},
		{"a sealed one is damaged in its place, with its old time", true, func(t *testing.T, r *rand.Rand, files []string) {
			fi, err := os.Stat(files[1])
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(files[1], os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte("\x01\x01"), fi.Size()/2); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(files[1], fi.ModTime(), fi.ModTime()); err != nil {
				t.Fatal(err)
			}
		}},
		{"lines are moved and copied from segment to segment", false, func(t *testing.T, r *rand.Rand, files []string) {
			var moved, copied [][]byte
			rewrite(t, files[2], func(lines [][]byte) [][]byte {
				moved, copied = lines[:10], lines[50:60]
				return lines[10:]
			})
			rewrite(t, files[0], func(lines [][]byte) [][]byte { return slices.Concat(lines[:7], moved, copied, lines[7:]) })
		}},
		{"a sealed one is emptied", false, func(t *testing.T, _ *rand.Rand, files []string) {
			if err := os.Truncate(files[0], 0); err != nil {
				t.Fatal(err)
			}
		}},
		{"all but the newest are copied, with new times", false, func(t *testing.T, _ *rand.Rand, files []string) {
			for _, f := range files[:len(files)-1] {
				rewrite(t, f, func(lines [][]byte) [][]byte { return lines })
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 12))
			dir, _ := newLog(t, r, 1200, 120<<10)
			x := openIndex(t, dir, Options{Dir: filepath.Join(dir, "index")})
			bare := openIndex(t, dir, Options{})
			buildAll(t, x)
			lines := readAll(t, dir)
			for range 10 {
				q := randomQuery(r, lines)
				compare(t, x, q, lines)
				compare(t, bare, q, lines)
			}
			tt.do(t, r, segmentFiles(t, dir))
			lines = readAll(t, dir)
			for _, x := range []*Index{x, bare, openIndex(t, dir, Options{Dir: filepath.Join(dir, "index")})} {
				if tt.name == "a sealed one is damaged in its place, with its old time" {
					settle(t, x) // nothing tells of it but the lines themselves
				}
				for range 24 / min(fewer, 2) {
					compare(t, x, randomQuery(r, lines), lines)
				}
				p, err := x.Search(t.Context(), Query{})
				if err != nil || (p.Damaged > 0) != tt.damaged {
					t.Errorf("Search() = %d damaged lines, %v, want some: %v", p.Damaged, err, tt.damaged)
				}
			}
		})
	}
}

// settle reads every record once, so that lines that changed in place are noticed.
func settle(t *testing.T, x *Index) {
	t.Helper()
	for _, err := range x.Each(t.Context(), Query{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever was written before a search is in its answer, while segments seal and indexes are built.
func TestSearchReadsWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{SegmentBytes: 25 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	x := openIndex(t, dir, Options{Dir: filepath.Join(dir, "index")})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				buildOnce(t, x)
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	wg.Go(func() { // any query, at any moment
		r := rand.New(rand.NewPCG(13, 14))
		for {
			select {
			case <-stop:
				return
			default:
			}
			time.Sleep(time.Millisecond)
			n, err := x.Count(t.Context(), Query{Categories: []string{"container"}})
			m, err2 := x.Count(t.Context(), Query{Categories: []string{"container"}, Text: words[r.IntN(len(words))]})
			if err != nil || err2 != nil || m > n+2000 {
				t.Errorf("Count() = %d, %v, %d, %v", n, err, m, err2)
				return
			}
		}
	})
	r := rand.New(rand.NewPCG(15, 16))
	for i := range 500 {
		rec := randomRecord(r, i)
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		p, err := x.Search(t.Context(), Query{After: rec.Seq - 1, Text: rec.Msg, Limit: 5})
		if err != nil || len(p.Hits) != 1 || p.Hits[0].Seq != rec.Seq {
			t.Fatalf("after writing record %d: Search() = %d records, %v, want it", rec.Seq, len(p.Hits), err)
		}
		if last, _, err := x.Last(t.Context()); err != nil || last != rec.Seq {
			t.Fatalf("Last() = %d, %v, want %d", last, err, rec.Seq)
		}
	}
	close(stop)
	wg.Wait()
	lines := readAll(t, dir)
	for range 100 {
		compare(t, x, randomQuery(r, lines), lines)
	}
}

func buildOnce(t *testing.T, x *Index) {
	snap, err := x.look()
	if err == nil {
		err = x.catchUp(t.Context(), snap)
	}
	if err != nil {
		t.Errorf("build: %v", err)
	}
}

// A torn end that was cut, and a record as long as it was in its place: the size of the file is the same.
func TestRecordInPlaceOfTornEnd(t *testing.T) {
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, rand.New(rand.NewPCG(67, 68)), 0, 2)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "log", "00000000000000000001.jsonl")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := slices.Clone(whole)
	copy(torn[bytes.IndexByte(torn, '\n')+1:], bytes.Repeat([]byte("x"), len(torn)))
	x := openIndex(t, dir, Options{})
	for i, content := range [][]byte{torn, whole} {
		if err := os.WriteFile(path, content, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Unix(1_790_000_000+int64(i), 0)); err != nil {
			t.Fatal(err)
		}
		if n, err := x.Count(t.Context(), Query{}); err != nil || n != i+1 {
			t.Errorf("Count() = %d, %v, want %d", n, err, i+1)
		}
	}
}
