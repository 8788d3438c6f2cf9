package seal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// read returns a file of the log.
func (b *box) read(name string) []byte {
	b.t.Helper()
	text, err := os.ReadFile(b.path(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// put replaces a file of the log, or makes one.
func (b *box) put(name string, text []byte) {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), text, 0o640); err != nil {
		b.t.Fatal(err)
	}
}

// lines changes the lines of a file.
func (b *box) lines(name string, f func(lines []string) []string) {
	b.t.Helper()
	lines := strings.SplitAfter(string(b.read(name)), "\n")
	b.put(name, []byte(strings.Join(f(lines[:len(lines)-1]), "")))
}

func (b *box) rename(from, to string) {
	b.t.Helper()
	if err := os.Rename(b.path(from), b.path(to)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) remove(names ...string) {
	b.t.Helper()
	for _, name := range names {
		if err := os.Remove(b.path(name)); err != nil {
			b.t.Fatal(err)
		}
	}
}

// edit changes one letter of a line, from 1.
func edit(line int) func(*box) {
	return func(b *box) {
		b.lines(segment(2), func(l []string) []string {
			l[line-1] = strings.Replace(l[line-1], "record", "recorD", 1)
			return l
		})
	}
}

// reseal makes the seal of the second segment fit to what it is now, as who does not have the key would.
func reseal(b *box) {
	text := b.read(segment(2))
	b.lines(SealsName, func(l []string) []string {
		was := new(Line)
		if err := json.Unmarshal([]byte(l[1]), was); err != nil {
			b.t.Fatal(err)
		}
		l[1] = strings.Replace(l[1], was.SHA256, hashHex(text), 1)
		return l
	})
}

// resign writes the chain from a line on, and the checkpoint, anew with a key: whatever the segments hold now fits.
func resign(b *box, from int, secret string) {
	key, err := parseKey(0, secret)
	if err != nil {
		b.t.Fatal(err)
	}
	prev := zeroHash
	c, err := readChain(b.path(SealsName), "", "")
	if err != nil {
		b.t.Fatal(err)
	}
	fresh, err := newChain(c.keys[0].public)
	if err != nil {
		b.t.Fatal(err)
	}
	b.lines(SealsName, func(l []string) []string {
		for i := range l {
			text := strings.TrimSuffix(l[i], "\n")
			if i+1 >= from {
				line := c.lines[i]
				line.Prev = prev
				if line.Key != "" && from == 1 {
					line.Key = key.public
				}
				if line.Seg != "" {
					now := b.read(line.Seg)
					line.SHA256, line.Bytes = hashHex(now), int64(len(now))
					line.Lines = uint64(bytes.Count(now, newline))
				}
				out, err := line.sign(key.signer)
				if err != nil {
					b.t.Fatal(err)
				}
				text = string(out)
			}
			prev = hashHex([]byte(text))
			if err := fresh.take([]byte(text)); err != nil {
				b.t.Fatal(err)
			}
			l[i] = text + "\n"
		}
		return l
	})
	cp, err := ReadCheckpoint(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	if cp.Root, err = fresh.root(fresh.size); err != nil {
		b.t.Fatal(err)
	}
	if from == 1 {
		cp.Key = key.public
	}
	if err := cp.sign(key.signer); err != nil {
		b.t.Fatal(err)
	}
	b.put(CheckpointName, cp.text)
}

// otherKey is a private key of somebody else under the name of the log.
func otherKey(b *box) string {
	cp, err := ReadCheckpoint(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	secret, _, err := note.GenerateKey(nil, cp.Origin)
	if err != nil {
		b.t.Fatal(err)
	}
	return secret
}

// TestEachManipulationHasItsWord does to a log what somebody could do to it. The word is the verdict; lines is where
// it points to, where it can.
func TestEachManipulationHasItsWord(t *testing.T) {
	master := filled(t)
	for _, row := range []struct {
		name  string
		do    func(b *box)
		words string
		lines string // of the first finding, from-to
	}{
		{"one byte of a line in the first block is changed", edit(7), "edited", "1-1024"},
		{"one byte of a line in the second block is changed", edit(1025), "edited", "1025-2048"},
		{"one byte of the last line is changed", edit(3000), "edited", "2049-3000"},
		{"a line is deleted", func(b *box) {
			b.lines(segment(2), func(l []string) []string { return append(l[:1499], l[1500:]...) })
		}, "deleted", "1499-1500"},
		{"the first line is deleted", func(b *box) {
			b.lines(segment(2), func(l []string) []string { return l[1:] })
		}, "deleted", "1-1024"},
		{"two blocks are deleted", func(b *box) {
			b.lines(segment(2), func(l []string) []string { return append(l[:100], l[2148:]...) })
		}, "deleted", "100-101"},
		{"a line is put in twice", func(b *box) {
			b.lines(segment(2), func(l []string) []string { return append(l[:20:20], l[19:]...) })
		}, "inserted", "20-21"},
		{"a line that is no record is put in", func(b *box) {
			b.lines(segment(2), func(l []string) []string { return append(append(l[:2000:2000], "hello\n"), l[2000:]...) })
		}, "inserted", "2000-2001"},
		{"two lines are swapped", func(b *box) {
			b.lines(segment(2), func(l []string) []string { l[10], l[20] = l[20], l[10]; return l })
		}, "reordered", "1-1024"},
		{"two lines of different blocks are swapped", func(b *box) {
			b.lines(segment(2), func(l []string) []string { l[10], l[2500] = l[2500], l[10]; return l })
		}, "reordered", "1-3000"},
		{"all is sorted the other way round", func(b *box) {
			b.lines(segment(2), func(l []string) []string {
				for i, j := 0, len(l)-1; i < j; i, j = i+1, j-1 {
					l[i], l[j] = l[j], l[i]
				}
				return l
			})
		}, "reordered", "1-3000"},
		{"the last lines are cut off", func(b *box) {
			b.lines(segment(2), func(l []string) []string { return l[:2900] })
		}, "truncated", "2900-2900"},
		{"it is cut in the middle of a line", func(b *box) { b.put(segment(2), b.read(segment(2))[:100_000]) }, "truncated", ""},
		{"it is emptied", func(b *box) { b.put(segment(2), nil) }, "truncated", "1-1"},
		{"a line is put after the end", func(b *box) {
			b.put(segment(2), append(b.read(segment(2)), `{"v":1,"seq":6001,"stream":"log"}`+"\n"...))
		}, "appended", "3001-3001"},
		{"line ends become CR LF", func(b *box) {
			b.put(segment(2), bytes.ReplaceAll(b.read(segment(2)), []byte("\n"), []byte("\r\n")))
		}, "line-ends", "0-0"},
		{"a segment is removed", func(b *box) { b.remove(segment(2)) }, "missing", "0-0"},
		{"the oldest segment is removed by hand, as retention would", func(b *box) { b.remove(segment(1)) }, "missing", "0-0"},
		{"a segment is moved and a link to it put in its place", func(b *box) {
			b.rename(segment(2), "../moved.jsonl")
			must(b.t, os.Symlink("../moved.jsonl", b.path(segment(2))))
		}, "missing", "0-0"},
		{"a folder stands in the place of the active segment", func(b *box) { b.remove(segment(4)); must(b.t, os.Mkdir(b.path(segment(4)), 0o700)) }, "missing", "0-0"},
		{"a segment is put between", func(b *box) { b.put("00000000000000000500.jsonl", []byte(`{"v":1,"seq":500}`+"\n")) }, "extra", "0-0"},
		{"a copy of a segment is put between", func(b *box) { b.put("00000000000000000500.jsonl", b.read(segment(2))) }, "extra", "0-0"},
		{"two segments are swapped", func(b *box) {
			one, two := b.read(segment(1)), b.read(segment(2))
			b.put(segment(1), two)
			b.put(segment(2), one)
		}, "swapped swapped", "0-0"},
		{"a segment gets another number", func(b *box) { b.rename(segment(2), "00000000000000002000.jsonl") }, "renamed", "0-0"},
		{"a segment gets a name that is none", func(b *box) { b.rename(segment(2), "old.jsonl") }, "renamed", "0-0"},
		{"a line is changed and its seal with it", func(b *box) { edit(7)(b); reseal(b) }, "seal-edited", "2-2"},
		{"a line is changed and all is signed with another key", func(b *box) { edit(7)(b); resign(b, 2, otherKey(b)) }, "foreign-key foreign-key", "2-2"},
		{"a line of the seals is removed", func(b *box) {
			b.lines(SealsName, func(l []string) []string { return append(l[:1], l[2:]...) })
		}, "seals-cut seals-cut unsealed", "2-2"},
		{"two lines of the seals are swapped", func(b *box) {
			b.lines(SealsName, func(l []string) []string { l[0], l[1] = l[1], l[0]; return l })
		}, "seals-cut seal-edited seals-cut", "1-1"},
		{"a line of the seals is no line of seals", func(b *box) {
			b.lines(SealsName, func(l []string) []string { l[1] = "nonsense\n"; return l })
		}, "seal-edited unsealed", "2-2"},
		{"the last seal is removed", func(b *box) {
			b.lines(SealsName, func(l []string) []string { return l[:2] })
		}, "seals-cut unsealed", "0-0"},
		{"all seals are removed", func(b *box) { b.remove(SealsName) }, "seals-cut unsealed unsealed unsealed", "0-0"},
		{"the checkpoint is removed", func(b *box) { b.remove(CheckpointName) }, "no-checkpoint", "0-0"},
		{"the checkpoint is changed", func(b *box) {
			b.put(CheckpointName, bytes.Replace(b.read(CheckpointName), []byte("tail "), []byte("more "), 1))
		}, "checkpoint-edited", "0-0"},
		{"the checkpoint is nonsense", func(b *box) { b.put(CheckpointName, []byte("nonsense")) }, "checkpoint-edited", "0-0"},
		{"a line of the active segment is changed", func(b *box) {
			b.put(segment(4), bytes.Replace(b.read(segment(4)), []byte("record"), []byte("recorD"), 1))
		}, "edited", "0-0"},
		{"a line of the active segment is deleted and another one added", func(b *box) {
			b.lines(segment(4), func(l []string) []string { return append(append(l[:4], l[5:]...), l[9], l[9]) })
		}, "reordered", "9-10"},
		{"the end of the active segment is cut off", func(b *box) {
			b.lines(segment(4), func(l []string) []string { return l[:5] })
		}, "truncated", "5-5"},
		{"the active segment is removed", func(b *box) { b.remove(segment(4)) }, "missing", "0-0"},
		{"the end is cut off, with seals and checkpoint of then", nil, "", ""},
		{"only the file of blocks is changed", func(b *box) { b.put(segment(2)+".blk", []byte("x")) }, "", ""},
		{"only the file of blocks is removed", func(b *box) { b.remove(segment(2) + ".blk") }, "", ""},
	} {
		if row.do == nil {
			continue // TestCutEnd
		}
		t.Run(row.name, func(t *testing.T) {
			b := master.copy(t)
			key, err := Key(b.dir)
			if err != nil {
				t.Fatal(err)
			}
			row.do(b)
			r := b.verify(VerifyOptions{Key: key})
			if got := words(r); got != row.words {
				t.Fatalf("Verify = %q, want %q; %+v", got, row.words, r.Findings)
			}
			if row.words == "" {
				if r.Result != ResultOK {
					t.Errorf("Result = %s, want ok", r.Result)
				}
				return
			}
			f := r.Findings[0]
			if r.Result != ResultDamaged || f.File == "" || len(f.Text) < 10 {
				t.Errorf("Verify = %s with %+v, want damage and its place", r.Result, f)
			}
			if got := fmt.Sprintf("%d-%d", f.FromLine, f.ToLine); row.lines != "" && got != row.lines {
				t.Errorf("lines %s, want %s; %+v", got, row.lines, f)
			}
		})
	}
}

// copy copies a box that is closed.
func (b *box) copy(t testing.TB) *box {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy of it's box") // a name that a shell must quote
	if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	return &box{t: t, dir: dir, n: b.n}
}
