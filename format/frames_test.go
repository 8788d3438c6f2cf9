package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shiplog/format"
)

// compressed is plain as a compressed segment.
func compressed(t testing.TB, plain string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := format.NewFrameWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for rest := plain; rest != ""; { // in pieces, as a file is read
		n := min(len(rest), 100_000)
		if _, err := io.WriteString(w, rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// manyLines are the records from first to last.
func manyLines(first, last int) string {
	var b strings.Builder
	for seq := first; seq <= last; seq++ {
		b.WriteString(line(seq) + "\n")
	}
	return b.String()
}

const name1 = "00000000000000000001.jsonl"

func TestCompressedSegmentReadsAsThePlainOne(t *testing.T) {
	giant := strings.Repeat("x", 9<<20)
	for name, plain := range map[string]string{
		"many records":              manyLines(1, 3000),
		"one record":                manyLines(1, 1),
		"nothing":                   "",
		"a torn end":                manyLines(1, 700) + `{"v":1,"seq":701`,
		"records not in order":      manyLines(900, 1500) + manyLines(1, 899),
		"a line longer than frames": manyLines(1, 10) + giant + "\n" + manyLines(11, 20),
		"lines that are none":       manyLines(1, 600) + "{}\n\n\x00\x00\x00\n" + manyLines(601, 1300),
	} {
		t.Run(name, func(t *testing.T) {
			next := fmt.Sprintf("%020d.jsonl", 5000)
			a := store(t, map[string]string{name1: plain, next: manyLines(5000, 5010)})
			b := store(t, map[string]string{name1 + ".zst": string(compressed(t, plain)), next: manyLines(5000, 5010)})
			for _, d := range []string{"forward", "backward"} {
				if got, want := everything(t, b, d), strings.ReplaceAll(everything(t, a, d), name1, name1); got != want {
					t.Errorf("%s: a compressed segment gives\n%.2000s\nwant\n%.2000s", d, got, want)
				}
			}
			readSame(t, b, plain)
			if path, err := exec.LookPath("zstdcat"); err == nil {
				out, err := exec.Command(path, filepath.Join(b, "log", name1+".zst")).Output()
				if err != nil || string(out) != plain {
					t.Errorf("zstdcat gives %d bytes, %v, want the %d plain ones", len(out), err, len(plain))
				}
			}
		})
	}
}

// everything is what a reading gives, without the names of files.
func everything(t *testing.T, dir, direction string) string {
	t.Helper()
	l, err := format.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	seq := l.Forward(0)
	if direction == "backward" {
		seq = l.Backward(0)
	}
	var b strings.Builder
	for ln, err := range seq {
		var d *format.Damage
		if errors.As(err, &d) {
			fmt.Fprintf(&b, "%d: %d: %v\n", ln.Segment, d.Offset, d.Err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d: %d: %s\n", ln.Segment, ln.Offset, ln.Bytes)
	}
	return b.String()
}

// readSame reads at many places.
func readSame(t *testing.T, dir, plain string) {
	t.Helper()
	l, err := format.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.OpenSegment(name1)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || fi.Size() != int64(len(plain)) || !f.Compressed() {
		t.Fatalf("Stat() = %d bytes, %v, want %d of a compressed file", fi.Size(), err, len(plain))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		from := r.IntN(len(plain) + 1)
		buf := make([]byte, r.IntN(300_000))
		n, err := f.ReadAt(buf, int64(from))
		want := plain[from:min(from+len(buf), len(plain))]
		if string(buf[:n]) != want || n < len(buf) && err != io.EOF || n == len(buf) && err != nil {
			t.Fatalf("ReadAt(%d bytes, %d) = %d, %v, want %d bytes of the plain ones", len(buf), from, n, err, len(want))
		}
	}
	if all := f.Faults(); len(all) > 0 {
		t.Errorf("Faults() = %v, want none", all)
	}
}

// A bit that is turned anywhere costs the records of one frame at most, and is named; no record is served changed.
func TestDamageToACompressedSegment(t *testing.T) {
	const last = 5000
	good := compressed(t, manyLines(1, last))
	r := rand.New(rand.NewPCG(3, 4))
	whole := map[uint64]string{}
	for seq := 1; seq <= last; seq++ {
		whole[uint64(seq)] = line(seq)
	}
	for range 40 {
		bad := bytes.Clone(good)
		at, bit := r.IntN(len(bad)), byte(1)<<r.IntN(8)
		bad[at] ^= bit
		dir := store(t, map[string]string{name1 + ".zst": string(bad), fmt.Sprintf("%020d.jsonl", last+1): manyLines(last+1, last+1)})
		for _, direction := range []bool{true, false} {
			served, damage := readDamaged(t, dir, direction, whole)
			if lost := last - served; lost > format.FrameLines || lost > 0 && damage == 0 {
				t.Errorf("byte %d, bit %#x: %d records are lost, %d places named, want at most %d, and one", at, bit, lost, damage, format.FrameLines)
			}
		}
	}
}

// The seek table only saves looking for the frames: without it, and with a wrong one, all records are there.
func TestDamageToTheSeekTable(t *testing.T) {
	const last = 7000
	good := compressed(t, manyLines(1, last))
	whole := map[uint64]string{}
	for seq := 1; seq <= last; seq++ {
		whole[uint64(seq)] = line(seq)
	}
	const table = 8 + 4*8 + 9 // four frames
	for at := len(good) - table; at < len(good); at++ {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		dir := store(t, map[string]string{name1 + ".zst": string(bad), fmt.Sprintf("%020d.jsonl", last+1): ""})
		if served, damage := readDamaged(t, dir, true, whole); served != last || damage > 1 {
			t.Errorf("byte %d of the table: %d records are served, %d places named, want %d and at most the table", at-len(good)+table, served, damage, last)
		}
	}
}

// readDamaged counts the records that are served and the damage that is named.
func readDamaged(t *testing.T, dir string, forward bool, whole map[uint64]string) (served, damage int) {
	t.Helper()
	l, err := format.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	seq := l.Backward(0)
	if forward {
		seq = l.Forward(0)
	}
	for ln, err := range seq {
		switch want, known := whole[ln.Seq]; {
		case err != nil:
			damage++
		case !known:
		case string(ln.Bytes) != want:
			t.Errorf("record %d is served as %s", ln.Seq, ln.Bytes)
		default:
			served++
		}
	}
	return served, damage
}

// A compressed file whose end is gone serves what is there, and says so.
func TestCutCompressedSegment(t *testing.T) {
	const last = 5000
	good := compressed(t, manyLines(1, last))
	whole := map[uint64]string{}
	for seq := 1; seq <= last; seq++ {
		whole[uint64(seq)] = line(seq)
	}
	for _, size := range []int{0, 1, 8, 100, len(good) / 2, len(good) - 40, len(good) - 1} {
		dir := store(t, map[string]string{name1 + ".zst": string(good[:size]), fmt.Sprintf("%020d.jsonl", last+1): ""})
		for _, forward := range []bool{true, false} {
			served, damage := readDamaged(t, dir, forward, whole)
			if served < last && damage == 0 || served < last && size >= len(good)-40 {
				t.Errorf("of %d of %d bytes, forward %v: %d records are served, %d places named", size, len(good), forward, served, damage)
			}
		}
	}
}

// While a compressed file takes the place of a plain one, and after a kill in between, each record is there once.
func TestBothFilesOfASegment(t *testing.T) {
	plain := manyLines(1, 1000)
	next := fmt.Sprintf("%020d.jsonl", 1001)
	dir := store(t, map[string]string{name1: plain, name1 + ".zst": string(compressed(t, plain)), next: manyLines(1001, 1002)})
	l, err := format.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	segs, err := l.Segments()
	if err != nil || len(segs) != 2 || segs[0].Compressed || segs[0].Size != int64(len(plain)) || segs[0].Stored <= segs[0].Size {
		t.Fatalf("Segments() = %+v, %v, want the plain one with the bytes of both", segs, err)
	}
	n := 0
	for ln, err := range l.Forward(0) {
		if n++; err != nil || ln.Seq != uint64(n) {
			t.Fatalf("Forward() gives record %d, %v, want %d", ln.Seq, err, n)
		}
		if n == 10 { // it was opened; the others come from the compressed one
			if err := os.Remove(filepath.Join(dir, "log", name1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	n = 0
	for ln, err := range l.Forward(0) {
		if n++; err != nil || ln.Seq != uint64(n) {
			t.Fatalf("Forward() gives record %d, %v, want %d", ln.Seq, err, n)
		}
	}
	if n != 1002 {
		t.Errorf("%d records, want 1002", n)
	}
}

// A file that claims to hold more than a frame may hold is not believed.
func FuzzCompressedSegment(f *testing.F) {
	f.Add(compressed(f, manyLines(1, 600)))
	f.Add(compressed(f, ""))
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := store(t, map[string]string{name1 + ".zst": string(b)})
		l, err := format.OpenLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for range l.Forward(0) {
			n++
		}
		back := 0
		for range l.Backward(0) {
			back++
		}
		if n > 64<<10 && len(b) < 1<<10 {
			t.Errorf("%d lines of %d bytes", n, len(b))
		}
	})
}
