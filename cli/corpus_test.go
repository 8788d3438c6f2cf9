package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// damaged is one copy of a data directory that something happened to.
type damaged struct {
	t   *testing.T
	r   *rand.Rand
	dir string
}

// mutation is one kind of what happens to files: by disks, by tools, by people.
type mutation struct {
	name  string
	apply func(*damaged)
}

// segments lists the segments by path, oldest first.
func (d *damaged) segments() []string { return d.glob("log/0*.jsonl") }

func (d *damaged) glob(pattern string) []string {
	d.t.Helper()
	all, err := filepath.Glob(filepath.Join(d.dir, filepath.FromSlash(pattern)))
	if err != nil {
		d.t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func (d *damaged) segment() string {
	all := d.segments()
	return all[d.r.IntN(len(all))]
}

// must ends the test when something that damages could not be done.
func (d *damaged) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// edit replaces the content of a file, in its place.
func (d *damaged) edit(path string, change func([]byte) []byte) {
	d.t.Helper()
	b, err := os.ReadFile(path)
	d.must(err)
	d.must(os.WriteFile(path, change(b), 0o600))
}

// lines replaces the lines of a segment, each with its newline.
func (d *damaged) lines(path string, change func([][]byte) [][]byte) {
	d.edit(path, func(b []byte) []byte {
		all := bytes.SplitAfter(b, []byte("\n"))
		if len(all[len(all)-1]) == 0 {
			all = all[:len(all)-1]
		}
		return bytes.Join(change(all), nil)
	})
}

func (d *damaged) flip(path string, bits int) {
	d.edit(path, func(b []byte) []byte {
		for range bits {
			if len(b) > 0 {
				b[d.r.IntN(len(b))] ^= 1 << d.r.IntN(8)
			}
		}
		return b
	})
}

// insert puts text before a line of a segment.
func (d *damaged) insert(path string, text []byte) {
	d.lines(path, func(all [][]byte) [][]byte { return slices.Insert(all, d.r.IntN(len(all)+1), text) })
}

// blind is what happens to any file alike, whatever is in it.
func blind() []mutation {
	on := func(name string, do func(d *damaged, path string)) []mutation {
		var all []mutation
		for kind, pattern := range map[string]string{
			"a segment": "log/0*.jsonl", "a shard": "index/*/*", "a Bleve file": "index/*/*/*/*.zap", "the accounts": "accounts.json", "a key": "keys/*",
			"a seal": "log/SEALS.jsonl", "the checkpoint": "log/checkpoint",
		} {
			all = append(all, mutation{kind + ": " + name, func(d *damaged) {
				var files []string
				for _, path := range d.glob(pattern) {
					if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() {
						files = append(files, path)
					}
				}
				if len(files) == 0 {
					d.t.Skipf("there is no %s", pattern)
				}
				do(d, files[d.r.IntN(len(files))])
			}})
		}
		slices.SortFunc(all, func(a, b mutation) int { return strings.Compare(a.name, b.name) })
		return all
	}
	return slices.Concat(
		on("one bit flipped", func(d *damaged, path string) { d.flip(path, 1) }),
		on("twenty bits flipped", func(d *damaged, path string) { d.flip(path, 20) }),
		on("cut", func(d *damaged, path string) {
			fi, err := os.Stat(path)
			d.must(err)
			d.must(os.Truncate(path, d.r.Int64N(fi.Size())))
		}),
		on("empty", func(d *damaged, path string) { d.must(os.Truncate(path, 0)) }),
		on("removed", func(d *damaged, path string) { d.must(os.Remove(path)) }),
		on("NUL bytes in its middle", func(d *damaged, path string) {
			d.edit(path, func(b []byte) []byte {
				at := d.r.IntN(len(b))
				clear(b[at:min(at+1+d.r.IntN(4096), len(b))])
				return b
			})
		}),
		on("NUL bytes at its end", func(d *damaged, path string) {
			d.edit(path, func(b []byte) []byte { return append(b, make([]byte, 1+d.r.IntN(4096))...) })
		}),
		on("noise in its place", func(d *damaged, path string) {
			d.edit(path, func(b []byte) []byte {
				for i := range b {
					b[i] = byte(d.r.Uint32())
				}
				return b
			})
		}),
		on("a pipe in its place", func(d *damaged, path string) {
			d.must(os.Remove(path))
			d.must(syscall.Mkfifo(path, 0o600))
		}),
		on("a link to nothing in its place", func(d *damaged, path string) {
			d.must(os.Remove(path))
			d.must(os.Symlink("/nonexistent/file", path))
		}),
		on("a folder in its place", func(d *damaged, path string) {
			d.must(os.Remove(path))
			d.must(os.Mkdir(path, 0o700))
		}),
		on("moved, with a link to it in its place", func(d *damaged, path string) {
			d.must(os.Rename(path, filepath.Join(d.dir, "moved")))
			d.must(os.Symlink(filepath.Join(d.dir, "moved"), path))
		}),
	)
}

// textual is what tools and people do to a text, and what a log has of it.
func textual() []mutation {
	lines := func(name string, change func(d *damaged, all [][]byte) [][]byte) mutation {
		return mutation{"lines: " + name, func(d *damaged) {
			d.lines(d.segment(), func(all [][]byte) [][]byte { return change(d, all) })
		}}
	}
	return []mutation{
		lines("two changed places", func(d *damaged, all [][]byte) [][]byte {
			i, j := d.r.IntN(len(all)), d.r.IntN(len(all))
			all[i], all[j] = all[j], all[i]
			return all
		}),
		lines("all in another order", func(d *damaged, all [][]byte) [][]byte {
			d.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			return all
		}),
		lines("sorted as text", func(d *damaged, all [][]byte) [][]byte {
			slices.SortFunc(all, bytes.Compare)
			return all
		}),
		lines("some are there twice", func(d *damaged, all [][]byte) [][]byte {
			for range 5 {
				all = slices.Insert(all, d.r.IntN(len(all)), all[d.r.IntN(len(all))])
			}
			return all
		}),
		lines("one number for two records", func(d *damaged, all [][]byte) [][]byte {
			i := 1 + d.r.IntN(len(all)-1)
			_, rest, _ := bytes.Cut(all[i], []byte(`"seq":`))
			_, rest, _ = bytes.Cut(rest, []byte(","))
			_, seq, _ := bytes.Cut(all[i-1], []byte(`"seq":`))
			seq, _, _ = bytes.Cut(seq, []byte(","))
			all[i] = slices.Concat([]byte(`{"v":1,"seq":`), seq, []byte(","), rest)
			return all
		}),
		lines("ends as of Windows", func(d *damaged, all [][]byte) [][]byte {
			for i, ln := range all {
				all[i] = append(bytes.TrimSuffix(ln, []byte("\n")), "\r\n"...)
			}
			return all
		}),
		lines("a byte order mark", func(d *damaged, all [][]byte) [][]byte {
			return slices.Insert(all, 0, []byte("\ufeff"))
		}),
		lines("a newline in the middle of one", func(d *damaged, all [][]byte) [][]byte {
			i := d.r.IntN(len(all))
			at := 1 + d.r.IntN(len(all[i])-2)
			all[i] = slices.Concat(all[i][:at], []byte("\n"), all[i][at:])
			return all
		}),
		lines("two glued together", func(d *damaged, all [][]byte) [][]byte {
			i := d.r.IntN(len(all))
			all[i] = bytes.TrimSuffix(all[i], []byte("\n"))
			return all
		}),
		lines("the first half of one before the next", func(d *damaged, all [][]byte) [][]byte {
			i := d.r.IntN(len(all))
			all[i] = all[i][:len(all[i])/2]
			return all
		}),
		lines("invalid UTF-8", func(d *damaged, all [][]byte) [][]byte {
			i := d.r.IntN(len(all))
			all[i] = bytes.Replace(all[i], []byte(`"msg":"`), []byte("\"msg\":\"\xff\xc0\xaf\xed\xa0\x80"), 1)
			return all
		}),
		lines("other texts between", func(d *damaged, all [][]byte) [][]byte {
			for _, text := range []string{"\n", "null\n", "{}\n", "[]\n", "# a remark\n", `{"v":99,"seq":1}` + "\n", `{"v":1,"seq":-1}` + "\n",
				`{"v":1,"seq":18446744073709551616,"stream":"log"}` + "\n", strings.Repeat("[", 5000) + "\n", `{"seq":3,"seq":4}` + "\n", "\x00\x00\n", "\x1b[2J\x1b]0;x\x07\n"} {
				all = slices.Insert(all, d.r.IntN(len(all)+1), []byte(text))
			}
			return all
		}),
	}
}

// spacious is what would fill the memory of who takes it as it comes.
func spacious() []mutation {
	return []mutation{
		{"large: a line of 40 MiB", func(d *damaged) {
			d.insert(d.segment(), append(bytes.Repeat([]byte("x"), 40<<20), '\n'))
		}},
		{"large: a message of 40 MiB", func(d *damaged) {
			d.insert(d.segment(), fmt.Appendf(nil, `{"v":1,"seq":5,"stream":"log","msg":"%s"}`+"\n", strings.Repeat("x", 40<<20)))
		}},
		{"large: 512 MiB of NUL bytes behind a sealed segment", func(d *damaged) {
			d.must(os.Truncate(d.segments()[0], 512<<20))
		}},
		{"large: 512 MiB of NUL bytes behind the active segment", func(d *damaged) {
			all := d.segments()
			d.must(os.Truncate(all[len(all)-1], 512<<20))
		}},
		{"large: a million lines that are none", func(d *damaged) {
			d.insert(d.segment(), bytes.Repeat([]byte("{\n"), 1<<20))
		}},
		{"large: the accounts", func(d *damaged) { d.must(os.Truncate(filepath.Join(d.dir, "accounts.json"), 512<<20)) }},
		{"large: a shard", func(d *damaged) {
			for _, path := range d.glob("index/*/*") {
				if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() {
					d.must(os.Truncate(path, 512<<20))
				}
			}
		}},
	}
}

// whole is what happens to files as wholes, and what else may lie beside them.
func whole() []mutation {
	return []mutation{
		{"files: two segments changed places", func(d *damaged) {
			all := d.segments()
			i := d.r.IntN(len(all) - 1)
			tmp := filepath.Join(d.dir, "tmp")
			d.must(os.Rename(all[i], tmp))
			d.must(os.Rename(all[i+1], all[i]))
			d.must(os.Rename(tmp, all[i+1]))
		}},
		{"files: a segment is there twice", func(d *damaged) {
			b, err := os.ReadFile(d.segment())
			d.must(err)
			d.must(os.WriteFile(filepath.Join(d.dir, "log", "00000000000000000002.jsonl"), b, 0o600))
		}},
		{"files: the active segment copied and truncated", func(d *damaged) {
			all := d.segments()
			path := all[len(all)-1]
			b, err := os.ReadFile(path)
			d.must(err)
			d.must(os.WriteFile(path+".1", b, 0o600))
			d.must(os.Truncate(path, 0))
		}},
		{"files: sorted into one", func(d *damaged) {
			var lines [][]byte
			for _, path := range d.segments() {
				b, err := os.ReadFile(path)
				d.must(err)
				lines = append(lines, bytes.SplitAfter(b, []byte("\n"))...)
				d.must(os.Remove(path))
			}
			slices.SortFunc(lines, bytes.Compare)
			d.must(os.WriteFile(filepath.Join(d.dir, "log", "00000000000000000001.jsonl"), bytes.Join(lines, nil), 0o600))
		}},
		{"files: foreign ones beside", func(d *damaged) {
			for _, name := range []string{"notes.txt", "00000000000000000001.jsonl~", ".00000000000000000001.jsonl.swp", "1.jsonl",
				"99999999999999999999.jsonl", "00000000000000000001.jsonl.gz", "core", "00000000000000000001.JSONL"} {
				d.must(os.WriteFile(filepath.Join(d.dir, "log", name), []byte("foreign\n"), 0o600))
			}
			d.must(os.Mkdir(filepath.Join(d.dir, "log", "lost+found"), 0o700))
			d.must(syscall.Mkfifo(filepath.Join(d.dir, "log", "pipe"), 0o600))
			d.must(os.WriteFile(filepath.Join(d.dir, "index", "notes.txt"), []byte("foreign\n"), 0o600))
		}},
		{"files: a foreign segment", func(d *damaged) {
			d.must(os.WriteFile(filepath.Join(d.dir, "log", "00000000000000000003.jsonl"), []byte("not\nours\n"), 0o600))
		}},
		{"files: an empty segment after the newest", func(d *damaged) {
			d.must(os.WriteFile(filepath.Join(d.dir, "log", "00000000000000099999.jsonl"), nil, 0o600))
		}},
		{"files: no index", func(d *damaged) { d.must(os.RemoveAll(filepath.Join(d.dir, "index"))) }},
		{"files: the indexes of two segments changed places", func(d *damaged) {
			all := d.glob("index/0*")
			tmp := filepath.Join(d.dir, "tmp")
			d.must(os.Rename(all[0], tmp))
			d.must(os.Rename(all[1], all[0]))
			d.must(os.Rename(tmp, all[1]))
		}},
	}
}

// cloneTree copies a folder with the times of its files.
func cloneTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch fi, err := e.Info(); {
		case err != nil:
			return err
		case e.IsDir():
			return os.MkdirAll(target, 0o700)
		case !fi.Mode().IsRegular():
			return nil
		default:
			b, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(target, b, 0o600)
			}
			if err == nil {
				err = os.Chtimes(target, fi.ModTime(), fi.ModTime())
			}
			return err
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
