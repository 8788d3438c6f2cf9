package index

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"shiplog/format"
)

// sampleColumns makes columns and the files of them.
func sampleColumns(t testing.TB, n int) (c *columns, cols, gateBytes []byte) {
	r := rand.New(rand.NewPCG(27, 28))
	b, terms := newBuilder(false), newTerms(normalLimits)
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

// damaged is a copy of b, where a mapped file would begin, with edits of four bytes each: where (3) and what.
func damaged(b, edits []byte, size uint) []byte {
	b = aligned(b)
	for ; len(edits) >= 4 && len(b) > 0; edits = edits[4:] {
		at := int(edits[0]) | int(edits[1])<<8 | int(edits[2])<<16
		b[at%len(b)] = edits[3]
	}
	return b[:min(size, uint(len(b)))]
}

// Whatever stands in a columns file, it is refused or can be used without a panic.
func FuzzColumns(f *testing.F) {
	_, cols, _ := sampleColumns(f, 70)
	for i := range sectionsHead + sectionsEntry*colSections + 8*colMetaWords { // each byte of head, table and meta
		f.Add([]byte{byte(i), byte(i >> 8), 0, 0xff}, uint(len(cols)))
	}
	f.Add([]byte{}, uint(len(cols)/2))
	f.Fuzz(func(t *testing.T, edits []byte, size uint) {
		c, err := decodeColumns(damaged(cols, edits, size))
		if err != nil {
			return
		}
		q := Query{Categories: []string{"container"}, User: "admin", ObjName: "web-3", Actions: []string{"image.pull"}, Numbered: true}
		funcs := Query{Facets: func(f *Facets) bool { return f.Action != "image.pull" }, ByTime: true, Past: Place{c.minTime, c.seq0 + 1}, Ascending: true,
			Object: func(id, name, image, tag string) bool { return len(id+name+image)%2 == len(tag)%2 }}
		for i, q := range []*Query{{}, {Numbered: true}, &q, &funcs} {
			m := newMatcher(q)
			if i == 0 {
				m.only = []Place{{c.minTime, 1}, {c.maxTime, c.seq0 + 3}}
			}
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

// The same for the head alone, with the sum of what stands there.
func FuzzHead(f *testing.F) {
	_, cols, _ := sampleColumns(f, 70)
	for i := range sectionsHead + sectionsEntry*colSections + 8*colMetaWords {
		f.Add([]byte{byte(i), byte(i >> 8), 0, 0xff}, uint(len(cols)))
	}
	f.Fuzz(func(t *testing.T, edits []byte, size uint) {
		b := damaged(cols, edits, size)
		want := headSum(cols)
		want.CRC = crc32.Checksum(b[:min(int(want.Size), len(b))], castagnoli)
		h, err := readHead(b, want)
		if err != nil {
			return
		}
		h.within(&view{after: h.seq0, below: h.last})
		if h.span(); !h.planned() {
			return
		}
		q := Query{Categories: []string{"container"}, User: "admin", ObjName: "web-3", Actions: []string{"image.pull"}, Numbered: true}
		for i, q := range []*Query{{}, {Numbered: true, Levels: []format.Level{format.LevelInfo}}, &q} {
			m := newMatcher(q)
			if i == 0 {
				m.only = []Place{{h.minTime, 1}, {h.maxTime, h.seq0 + 3}}
			}
			if p := newPlan(q, m, &h.columns, 0, 0); p != nil && p.counted != nil {
				h.merged.of(h.cube).count(p.counted)
			}
		}
	})
}

// The same for a gate file.
func FuzzGate(f *testing.F) {
	_, _, g := sampleColumns(f, 700)
	for i := range sectionsHead + sectionsEntry*gateSections {
		f.Add([]byte{byte(i), byte(i >> 8), 0, 0xff}, uint(len(g)), "container 68a6eb33c3d5")
	}
	f.Add([]byte{}, uint(len(g)/2), "x")
	f.Fuzz(func(t *testing.T, edits []byte, size uint, needle string) {
		g, err := decodeGate(damaged(g, edits, size), 2)
		if err != nil {
			return
		}
		text := AppendFold(nil, []byte(needle))
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
			got.object.at(i) != c.object.at(i) || string(got.action.dict.at(got.action.at(i))) != string(c.action.dict.at(c.action.at(i))) ||
			splitFacets(string(got.facets.dict.at(got.facets.at(i)))) != splitFacets(string(c.facets.dict.at(c.facets.at(i)))) {
			t.Fatalf("row %d differs", i)
		}
	}
}
