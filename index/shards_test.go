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
	q := Query{Text: "68a6eb33c3d5"}
	count := func(when string) Stats {
		t.Helper()
		if n, err := x.Count(context.Background(), q); err != nil || n != segments {
			t.Errorf("Count(%s) %s = %d, %v, want %d", q, when, n, err, segments)
		}
		return x.Stats()
	}
	if s := count("of all"); s.SetAside != 0 || s.OpenShards == 0 || s.OpenShards > maxOpenShards {
		t.Errorf("after the search %d indexes are set aside and %d open, want 0 and at most %d", s.SetAside, s.OpenShards, maxOpenShards)
	}
	x.rest(x.snap)
	if s := x.Stats(); s.OpenShards != 0 {
		t.Errorf("at rest %d indexes are open, want none", s.OpenShards)
	}
	if s := count("after a rest"); s.SetAside != 0 {
		t.Errorf("after a rest the search set %d indexes aside, want 0", s.SetAside)
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
