package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// rollupDay is the first day of the records of [fillAlike].
var rollupDay = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// fillAlike appends n records of few combinations, over two days.
func fillAlike(t *testing.T, w *format.Writer, r *rand.Rand, n int) {
	t.Helper()
	for i := range n {
		at := rollupDay.Add(time.Duration(i) * 2 * 24 * time.Hour / time.Duration(n))
		rec := &format.Record{Time: at, Stream: format.StreamLog, Level: oneOf(r, "", format.LevelInfo, format.LevelError), Category: "image",
			Action: "image.pull", Engine: format.EngineDocker, NS: oneOf(r, "", "team"), Msg: "m"}
		if r.IntN(2) == 0 {
			rec.Category, rec.Action, rec.Engine = "container", "container.start", ""
		}
		switch r.IntN(4) {
		case 0:
			rec.Actor.Type = format.ActorAnonymous
		case 1, 2:
			rec.Actor.Name = oneOf(r, "admin", "bob")
		}
		if r.IntN(3) == 0 {
			rec.Stream, rec.Eseq = format.StreamEvent, format.NextEseq
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
}

func oneOf[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// alikeQuery asks of facets, and of what rollups know, in whole days and in parts of them.
func alikeQuery(r *rand.Rand, n int) (q Query) {
	q = Query{Facets: oneOf(r, nil, func(*Facets) bool { return true }, func(f *Facets) bool { return f.NS == "team" },
		func(f *Facets) bool { return f.ActorName == "bob" || f.HSS })}
	for _, some := range []func(){
		func() { q.User = oneOf(r, "admin", "system", "Anonymous", "nobody") },
		func() {
			q.Actions = oneOf(r, []string{"image.pull"}, []string{"image.pull", "container.start"}, []string{"none"})
		},
		func() {
			q.Levels = oneOf(r, []format.Level{format.LevelError}, []format.Level{format.LevelInfo, format.LevelWarn}, []format.Level{"odd"})
		},
		func() { q.Categories = oneOf(r, []string{"IMAGE"}, []string{"image", "container"}, []string{"none"}) },
		func() { q.NotCategories = []string{"image"} },
		func() { q.Stream = oneOf(r, format.StreamLog, format.StreamEvent, "odd") },
		func() { q.Engine = format.EngineDocker },
		func() { q.Numbered = true },
		func() { q.AfterEseq = uint64(r.IntN(n)) },
		func() { q.After = uint64(r.IntN(n)) },
		func() { q.Before = uint64(r.IntN(n)) },
		func() { q.From = rollupDay.AddDate(0, 0, r.IntN(4)-1).Add(oneOf(r, 0, 0, time.Hour)) },
		func() { q.To = rollupDay.AddDate(0, 0, r.IntN(4)-1).Add(oneOf(r, 0, 0, time.Hour)) },
		func() { q.Offset, q.Limit = r.IntN(n), 1+r.IntN(20) },
		func() { q.ByTime = true },
		func() { q.Text = "m" },
	} {
		if r.IntN(4) == 0 {
			some()
		}
	}
	q.Ascending = r.IntN(2) == 0
	return q
}

func TestRollupsAgreeWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(81, 82))
	dir, w := newLog(t, r, 0, 0)
	const n = 4000
	for range 4 { // segments that hold all days, then parts of one
		fillAlike(t, w, r, n/4)
		if _, err := w.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	fillAlike(t, w, r, 50)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	lines := readAll(t, dir)
	for i := range 600 / fewer {
		if compare(t, x, alikeQuery(r, n), lines); i%50 == 49 {
			x.rest(x.snap) // lets go of them: they are made again
			if x.rolls.bytes != 0 || x.rolls.table != nil {
				t.Fatalf("at rest rollups take %d bytes and a table %v, want nothing", x.rolls.bytes, x.rolls.table != nil)
			}
		}
	}
	if _, err := x.Count(t.Context(), Query{User: "bob", Facets: func(*Facets) bool { return true }}); err != nil || x.rolls.bytes == 0 {
		t.Fatalf("Count: %v; rollups take %d bytes, want some", err, x.rolls.bytes)
	}
}

// Beyond their bounds rollups are not made, or begin a new table; the answers stay the same.
func TestRollupsAreBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(83, 84))
	dir, w := newLog(t, r, 0, 0)
	for range 3 {
		fillAlike(t, w, r, 1000)
		if _, err := w.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	q := Query{User: "bob", Facets: func(f *Facets) bool { return f.NS == "team" }}
	want := len(scan(q, readAll(t, dir)))
	count := func(when string) {
		t.Helper()
		if n, err := x.Count(t.Context(), q); err != nil || n != want {
			t.Errorf("Count %s = %d, %v, want %d", when, n, err, want)
		}
	}
	x.rolls.bytes = maxRollupBytes
	count("without room for rollups")
	if x.segs[0].disk.roll != nil {
		t.Error("a rollup was made without room for it")
	}
	x.rest(x.snap)
	x.rolls.bytes = 0
	count("with room again")
	if x.segs[0].disk.roll == nil {
		t.Error("no rollup was made though there is room again")
	}
	x.segs[1].disk.dropRollup()
	x.rolls.table.bytes = maxFacetBytes
	count("with a table that is full")
	if x.segs[1].disk.names.table == x.segs[0].disk.names.table {
		t.Error("a full table was written on")
	}
	if tables := slices.Compact([]*facetTable{x.segs[0].disk.names.table, x.segs[2].disk.names.table}); len(tables) != 1 {
		t.Error("segments that share a table lost it")
	}
}

// The tables that segments hold take no more than all rollups may, however many there are: each segment has so many
// combinations of its own that no table is good for two.
func TestFacetTablesAreBounded(t *testing.T) {
	const segments, records = 6, 2000
	dir, w := newLog(t, nil, 0, 0)
	for i := range segments {
		recs := make([]*format.Record, records)
		for k := range recs {
			name := fmt.Sprintf("%d-%d-%d%s", k%10, k, i, strings.Repeat("n", 230))
			recs[k] = &format.Record{Time: rollupDay, Stream: format.StreamLog, Category: "container", NS: name, Repo: name, Project: name}
		}
		if err := w.Write(recs...); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	ask := func() {
		t.Helper()
		q := Query{Facets: func(f *Facets) bool { return strings.HasPrefix(f.NS, "7") }}
		if n, err := x.Count(t.Context(), q); err != nil || n != segments*records/10 {
			t.Errorf("Count = %d, %v, want %d", n, err, segments*records/10)
		}
	}
	ask()
	tables := make(map[*facetTable]bool)
	held := 0
	for _, s := range x.segs[:segments] {
		if table := s.disk.names.table; table != nil && !tables[table] {
			tables[table] = true
			held += table.bytes
		}
	}
	if held == 0 || held > maxRollupBytes {
		t.Errorf("segments hold %d tables of %d bytes, want some and at most %d bytes", len(tables), held, maxRollupBytes)
	}
	for range 2 { // what was held is free again
		x.rest(x.snap)
		if x.rolls.bytes != 0 || x.rolls.table != nil {
			t.Errorf("at rest rollups take %d bytes and a table %v, want nothing", x.rolls.bytes, x.rolls.table != nil)
		}
		ask()
	}
}
