package index

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shiplog/format"
)

// hardKinds are records that are hard on an index; each entry changes a random record.
var hardKinds = []struct {
	name    string
	records int
	change  func(r *rand.Rand, i int, rec *format.Record)
}{
	{"ids of their own in every message", 1600, func(r *rand.Rand, _ int, rec *format.Record) {
		h := fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
		rec.Msg += fmt.Sprintf(" %s-%s-%s-%s-%s sha256:%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:32], h)
	}},
	{"long prose", 1600, func(r *rand.Rand, _ int, rec *format.Record) { rec.Msg = prose(r, 700, 'a', 26) }},
	{"letters that are not ASCII", 1600, func(r *rand.Rand, _ int, rec *format.Record) {
		scripts := []struct {
			from rune
			n    int
		}{{0x4e00, 20000}, {0x410, 64}, {0xc0, 400}, {0x391, 56}, {0x1f300, 400}, {0xac00, 11000}}
		s := scripts[r.IntN(len(scripts))]
		rec.Msg = prose(r, 120, s.from, s.n)
	}},
	{"some messages of 64 KiB", 1100, func(r *rand.Rand, i int, rec *format.Record) {
		if i%40 == 0 {
			rec.Msg = prose(r, 64<<10, 'a', 26)
		}
	}},
	{"one container", 1600, func(_ *rand.Rand, _ int, rec *format.Record) {
		rec.Obj = format.Object{Type: "container", ID: objectID(1), Name: "web-1", Image: "nginx:1"}
	}},
	{"a container of its own for every record", 1600, func(_ *rand.Rand, i int, rec *format.Record) {
		rec.Obj = format.Object{Type: "container", ID: objectID(i), Name: fmt.Sprintf("web-%d", i), Image: "nginx:1"}
	}},
	{"names of 64 KiB", 1100, func(_ *rand.Rand, i int, rec *format.Record) {
		if i%10 == 0 {
			rec.Obj = format.Object{Type: "container", ID: objectID(i), Name: strings.Repeat(fmt.Sprintf("n%07d", i), 8<<10), Image: "nginx:1"}
		}
	}},
}

// prose is words out of n letters from first on.
func prose(r *rand.Rand, bytes int, first rune, n int) string {
	var b strings.Builder
	for b.Len() < bytes {
		for range 1 + r.IntN(9) {
			b.WriteRune(first + rune(r.IntN(n)))
		}
		b.WriteByte(" .,-"[r.IntN(4)])
	}
	return b.String()
}

// hardLog makes a data directory whose records are all in one sealed segment.
func hardLog(t *testing.T, r *rand.Rand, records int, change func(*rand.Rand, int, *format.Record)) string {
	t.Helper()
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{SegmentBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range records {
		rec := randomRecord(r, i)
		change(r, i, rec)
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Whatever the records are, the answers are those of a scan: with the whole index, with some blocks open,
// with all of them open, and with filters of long runs that are too small.
func TestHardRecordsAgreeWithScan(t *testing.T) {
	some := limits{blockTerms: 1 << 16, terms: 3000, batchTerms: 2000, runBytes: 1 << 17}
	for i, kind := range hardKinds {
		for _, l := range []limits{normalLimits, some, {batchTerms: 1}} {
			t.Run(fmt.Sprintf("%s, at most %d terms", kind.name, l.terms), func(t *testing.T) {
				r := rand.New(rand.NewPCG(71, uint64(i)))
				dir := hardLog(t, r, kind.records, kind.change)
				x := openIndex(t, dir, Options{Dir: dir + "/index"})
				x.limits = l
				buildAll(t, x)
				lines := readAll(t, dir)
				for range 60 / fewer {
					q := randomQuery(r, lines)
					q.Text = randomNeedle(r, lines[r.IntN(len(lines))].Msg.String())
					compare(t, x, q, lines)
				}
				if s := x.Stats(); s.SetAside != 0 {
					t.Errorf("after all queries %d indexes were set aside, want none", s.SetAside)
				}
			})
		}
	}
}

// Each part of the index of a segment stops at its limit.
func TestIndexOfHardRecordsIsBounded(t *testing.T) {
	l := limits{blockTerms: 5000, terms: 12_000, batchTerms: 4000, runBytes: 2 << maxRunScale}
	r := rand.New(rand.NewPCG(73, 74))
	ids, all := newTerms(l), newTerms(l)
	for i := range 20 * blockRecords {
		var id [32]byte
		for k := range id {
			id[k] = byte(r.Uint32())
		}
		ids.add([]byte("pulled "+hex.EncodeToString(id[:])), 0, 0)
		letters := 26
		if i < 2*blockRecords {
			letters = 6 // these blocks are within the limit of a block
		}
		all.add([]byte(prose(r, 100, 'a', letters)), 0, 0)
	}
	ids.endBlock()
	all.endBlock()
	if n, want := len(ids.runs.filter(len(ids.blocks)).rows), l.runBytes; n > want || n < want/4 {
		t.Errorf("the filters of long runs have %d bytes, want at most %d and no fewer than they need", n, want)
	}
	for name, terms := range map[string]*terms{"ids": ids, "prose": all} {
		kept, most := 0, 0
		for i := range terms.blocks {
			b := &terms.blocks[i]
			if b.open != (len(b.grams) == 0) {
				t.Errorf("%s: block %d is open=%v and has %d terms", name, i, b.open, len(b.grams))
			}
			kept, most = kept+len(b.grams), max(most, len(b.grams))
		}
		if kept == 0 || kept > l.terms || most > l.blockTerms || kept != terms.kept {
			t.Errorf("%s: %d terms (counted as %d), %d in one block; want 1 to %d and at most %d", name, kept, terms.kept, most, l.terms, l.blockTerms)
		}
		if n := terms.batch(terms.kept); n < 1 || n*terms.kept/len(terms.blocks) > l.batchTerms+l.blockTerms {
			t.Errorf("%s: a batch has %d of %d blocks with %d terms, want at most %d terms", name, n, len(terms.blocks), kept, l.batchTerms)
		}
	}
}

// A dictionary that would grow too large is dropped, and the size of the columns stays bounded.
func TestDictionaryOfHardRecordsIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(75, 76))
	dir := hardLog(t, r, 800, hardKinds[len(hardKinds)-1].change)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	names, err := filepath.Glob(dir + "/index/*/" + columnsFile)
	if err != nil || len(names) != 1 {
		t.Fatalf("there are columns %v, %v, want of one segment", names, err)
	}
	fi, err := os.Stat(names[0])
	if err != nil || fi.Size() > 1<<20 {
		t.Errorf("columns with 5 MiB of names have %d bytes, %v, want less than 1 MiB: the dictionary was to be dropped", fi.Size(), err)
	}
}
