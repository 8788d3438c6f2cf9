package index

import (
	"context"
	"math/rand/v2"
	"testing"

	"shiplog/format"
)

// A search that opens more Bleve indexes than stay open answers right, and sets none of them aside.
func TestSearchOfMoreShardsThanStayOpen(t *testing.T) {
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	const segments = maxOpenShards + 8
	r := rand.New(rand.NewPCG(81, 82))
	for i := range segments {
		rec := randomRecord(r, i)
		rec.Msg = "pulled layer 68a6eb33c3d5 of nginx"
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	for _, d := range diskList(t, x) {
		if err := x.shards.with(d, func(b *bleveIndex) error {
			_, err := b.blocks(1)
			return err
		}); err != nil {
			t.Fatalf("a shard is closed while it is used: %v", err)
		}
		d.release()
	}
	n, err := x.Count(context.Background(), Query{Text: "68a6eb33c3d5"})
	if err != nil || n != segments {
		t.Errorf("Count = %d, %v, want %d", n, err, segments)
	}
	if s := x.Stats(); s.SetAside != 0 || s.OpenShards > maxOpenShards {
		t.Errorf("after the search %d indexes are set aside and %d open, want 0 and at most %d", s.SetAside, s.OpenShards, maxOpenShards)
	}
}

// diskList is the index on disk of every sealed segment, acquired.
func diskList(t *testing.T, x *Index) (list []*disk) {
	t.Helper()
	snap, err := x.look()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range snap.views {
		if v.seg.tail != nil {
			continue
		}
		if d := x.diskOf(v.seg, v.id); d != nil {
			list = append(list, d)
		}
	}
	return list
}
