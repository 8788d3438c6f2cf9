package prune_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shiplog/format"
	"shiplog/format/prune"
)

// compress puts compressed files in the place of the n oldest segments.
func (b *box) compress(n int) {
	b.t.Helper()
	files, err := filepath.Glob(filepath.Join(b.dir, "log", "0*.jsonl"))
	if err != nil || len(files) < n {
		b.t.Fatalf("segments: %v, %v, want %d", files, err, n)
	}
	for _, file := range files[:n] {
		plain, err := os.ReadFile(file)
		if err != nil {
			b.t.Fatal(err)
		}
		out, err := os.Create(file + format.CompressedSuffix)
		if err != nil {
			b.t.Fatal(err)
		}
		w, err := format.NewFrameWriter(out)
		if err == nil {
			_, err = w.Write(plain)
		}
		if err == nil {
			err = w.Close()
		}
		if err == nil {
			err = out.Close()
		}
		if err == nil {
			err = os.Remove(file)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// Of compressed segments the bytes count that they have on the disk: what was compressed makes room for more.
func TestBytesOfCompressedSegments(t *testing.T) {
	b := openBox(t, t.TempDir(), prune.Options{})
	b.fill(10, false)
	if err := b.k.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := b.segments()
	plain, _ := b.p.Plan(prune.Policy{Bytes: 1})
	b.compress(6)
	packed, err := b.p.Plan(prune.Policy{Bytes: 1})
	if err != nil || len(packed.Segments) != len(plain.Segments) || packed.Bytes >= plain.Bytes*3/4 {
		t.Fatalf("Plan() of %d compressed segments = %d bytes, %v, plain they were %d", len(packed.Segments), packed.Bytes, err, plain.Bytes)
	}
	keep := stored(t, b.dir)
	if r, err := b.p.Plan(prune.Policy{Bytes: keep}); err != nil || len(r.Segments) > 0 {
		t.Errorf("Plan() for all %d bytes that are there = %+v, %v, want nothing", keep, r, err)
	}
	r, err := b.p.Prune(t.Context(), prune.Policy{Bytes: keep - 1}, "ann")
	if err != nil || len(r.Segments) != 1 {
		t.Fatalf("Prune() for a byte less = %+v, %v, want one segment", r, err)
	}
	if left := b.segments(); !slices.Equal(left, all[1:]) {
		t.Errorf("segments %v are left, want %v", left, all[1:])
	}
	if got := keep - stored(t, b.dir); got < int64(r.Bytes)-2000 || got > int64(r.Bytes) { // two records say that they went
		t.Errorf("%d bytes went, and Prune() says %d", got, r.Bytes)
	}
	b.check("after a compressed one was removed")
	b.close()
}

// stored is how many bytes the segments have on the disk, with what is beside them.
func stored(t *testing.T, dir string) (n int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log", "0*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		fi, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		n += fi.Size()
	}
	return n
}
