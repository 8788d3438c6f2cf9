package index

import (
	"math/rand/v2"
	"testing"

	"shiplog/format"
)

// sampleColumns makes columns and the files of them.
func sampleColumns(t testing.TB, n int) (c *columns, cols, gateBytes []byte) {
	r := rand.New(rand.NewPCG(27, 28))
	b, terms := newBuilder(false), newTerms()
	offset := int64(0)
	for i := range n {
		rec := randomRecord(r, i)
		rec.Seq = uint64(i + 1 + i/100)
		if rec.Eseq != 0 {
			rec.Eseq = uint64(i + 1)
		}
		line := format.AppendLine(nil, rec)
		var f format.Fields
		if err := format.ScanLine(line, &f); err != nil {
			t.Fatal(err)
		}
		b.add(&f, offset, offset+int64(len(line)))
		terms.add(b.text, b.cat.last, b.user.last)
		offset += int64(len(line))
	}
	terms.endBlock()
	c = b.view()
	c.cube = makeCube(c)
	g := terms.gate(terms.stopGrams())
	g.docs = make([]uint16, c.blocks())
	return c, c.encode(), g.encode()
}

// Whatever stands in a columns file, it is refused or can be used without a panic.
func FuzzColumns(f *testing.F) {
	_, cols, _ := sampleColumns(f, 700)
	f.Add(cols, uint(0), byte(0))
	f.Add(cols[:len(cols)/2], uint(9), byte(1))
	f.Fuzz(func(t *testing.T, b []byte, at uint, flip byte) {
		if len(b) > 0 {
			b[at%uint(len(b))] ^= flip
		}
		b = aligned(b)
		c, err := decodeColumns(b)
		if err != nil {
			return
		}
		q := Query{Categories: []string{"container"}, User: "admin", ObjName: "web-3", Actions: []string{"image.pull"}, Numbered: true}
		m := newMatcher(&q)
		for _, q := range []*Query{{}, {Numbered: true}, &q} {
			p := newPlan(q, m, c, 0, 0)
			if p == nil {
				continue
			}
			if p.counted != nil {
				c.cube.count(p.counted)
			}
			var sel selection
			for i := p.from / blockRecords; i <= (p.to-1)/blockRecords; i++ {
				p.block(i, &sel)
			}
		}
	})
}

// The same for a gate file.
func FuzzGate(f *testing.F) {
	_, _, g := sampleColumns(f, 700)
	f.Add(g, uint(0), byte(0), "container 68a6eb33c3d5")
	f.Add(g[:len(g)/2], uint(9), byte(1), "x")
	f.Fuzz(func(t *testing.T, b []byte, at uint, flip byte, needle string) {
		if len(b) > 0 {
			b[at%uint(len(b))] ^= flip
		}
		g, err := decodeGate(aligned(b), 2)
		if err != nil {
			return
		}
		text := appendFold(nil, []byte(needle))
		g.needs(text, gramHashes(text))
	})
}

// aligned copies b to where a mapped file would begin: at a multiple of 8.
func aligned(b []byte) []byte {
	words := make([]uint64, len(b)/8+1)
	out := asBytes(words)[:len(b)]
	copy(out, b)
	return out
}

// What is written is what is read.
func TestColumnsFileRoundTrip(t *testing.T) {
	c, file, _ := sampleColumns(t, 3000)
	got, err := decodeColumns(aligned(file))
	if err != nil {
		t.Fatal(err)
	}
	if got.rows != c.rows || got.end != c.end || got.minTime != c.minTime || got.maxEseq != c.maxEseq || len(got.cube) != len(c.cube) {
		t.Fatalf("read %d rows to byte %d, want %d to %d", got.rows, got.end, c.rows, c.end)
	}
	for i := range c.rows {
		if got.seq(i) != c.seq(i) || got.offset(i) != c.offset(i) || got.times[i] != c.times[i] || got.bits[i] != c.bits[i] || got.eseq(i) != c.eseq(i) ||
			got.object.at(i) != c.object.at(i) || string(got.action.dict.at(got.action.at(i))) != string(c.action.dict.at(c.action.at(i))) {
			t.Fatalf("row %d differs", i)
		}
	}
}
