package index

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// randomTime is mostly a little out of order; often many records have the same, and a few are far away.
func randomTime(r *rand.Rand, i int) time.Time {
	const start = 1_790_812_800
	switch at := start + int64(i)*97; {
	case r.IntN(200) == 0:
		return time.Unix([]int64{1, -1e9, start, start - 1e8, 2e9, 7e9}[r.IntN(6)], int64(r.IntN(2)))
	case i/100%4 == 0: // a hundred of one hour
		return time.Unix(at-at%7200, 0)
	case r.IntN(3) == 0:
		return time.Unix(at-at%600, 0)
	default:
		return time.Unix(at+int64(r.IntN(4000))-2000, int64(r.IntN(1e9)))
	}
}

// randomScope says whose a record is, and which dialect it came from.
func randomScope(r *rand.Rand, rec *format.Record) {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	rec.NS, rec.Repo, rec.Project = pick("", "library", "lgsd", "Ünal"), pick("", "busybox", `re"po`), pick("", "", "demo", "admin")
	rec.Actor.Domain = pick("", "default")
	if r.IntN(3) == 0 {
		rec.Data = json.RawMessage(pick(`{"hss":{"event_name":"stop"}}`, `{"qnap":{"hss":1}}`, `{"a":"hss","b":["hss",{"hss":2}]}`,
			`{"\u0068ss":null}`, `{"a":"\"hss\":","c":1}`, `{"attr":{},"hss":[]}`, `{"\u00e4":"hss"}`))
	}
}

// randomFuncs aims conditions that are functions at f, or at nothing.
func randomFuncs(r *rand.Rand, q *Query, f *format.Fields) {
	want := facetsOf(f)
	switch r.IntN(24) {
	case 0:
		q.Facets = func(f *Facets) bool { return f.NS == want.NS || f.ActorName == want.ActorName }
	case 1:
		q.Facets = func(f *Facets) bool { return f.Project == want.Project && f.ActorHome == want.ActorHome }
	case 2:
		q.Facets = func(f *Facets) bool { return f.HSS == want.HSS && f.Outcome == want.Outcome }
	case 3:
		q.Facets = func(f *Facets) bool { return f.Repo == want.Repo && f.ObjType == want.ObjType }
	case 4:
		q.Facets = func(f *Facets) bool { return f.Action == want.Action && f.ActorType == want.ActorType }
	case 5:
		q.Facets = func(f *Facets) bool { return f.NS != "nobody" }
	case 6:
		q.Facets = func(f *Facets) bool { return f.NS == "nobody" }
	}
	if name := f.ObjName.String(); r.IntN(10) == 0 {
		q.Object = func(id, n, image, tag string) bool { return n == name || image+":"+tag == "redis:1" }
	}
	if r.IntN(10) == 0 {
		host := byte('0' + r.IntN(10))
		q.Where = func(f *format.Fields) bool { return strings.IndexByte(f.ID.String(), host) >= 0 }
	}
}

// fillLost makes records of so many kinds that the column of facets is given up.
func fillLost(t *testing.T, w *format.Writer, r *rand.Rand, n int) {
	t.Helper()
	for i := range n {
		rec := randomRecord(r, i)
		if i%200 < 150 {
			rec.NS, rec.Project = strings.Repeat(fmt.Sprint(i, "-"), 120)[:200], strings.Repeat("x", 250)
			rec.Repo, rec.Actor.Domain, rec.Actor.Name = strings.Repeat("y", 250), strings.Repeat("z", 250), "admin"
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
}

// Where there are too many combinations of facets to keep a column of them, the lines decide.
func TestLostFacetsAgreeWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	dir, w := newLog(t, r, 0, 0)
	fillLost(t, w, r, 6500)
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	fill(t, w, r, 6500, 300)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	if c, err := x.segs[0].disk.columns(); err != nil || !c.facets.lost || c.action.lost {
		t.Fatalf("columns of the index: %v, want only the facets lost", err)
	}
	agree(t, x, dir, w, r, 40)
}

// Every order, with all that a page can ask for.
func TestOrderOfTimeAgreesWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(73, 74))
	dir, w := newLog(t, r, 2500, 200<<10)
	x, bare := openIndex(t, dir, Options{Dir: dir + "/index"}), openIndex(t, dir, Options{Memory: 300 << 10})
	buildAll(t, x)
	lines := readAll(t, dir)
	for range 500 / fewer {
		q := randomQuery(r, lines)
		q.ByTime = true
		if r.IntN(2) == 0 { // nothing narrows: places are many
			q = Query{ByTime: true, Ascending: q.Ascending, Past: q.Past, Limit: q.Limit, Offset: r.IntN(len(lines) + 2), Where: q.Where, Facets: q.Facets}
		}
		compare(t, x, q, lines)
		if r.IntN(4) == 0 { // it reads the log again and again
			compare(t, bare, q, lines)
		}
	}
	fill(t, w, r, len(lines), 50)
	compareEach(t, x, Query{ByTime: true}, seqsOf(scan(Query{ByTime: true}, readAll(t, dir))))
}

func seqsOf(all []*format.Fields) (seqs []uint64) {
	for _, f := range all {
		seqs = append(seqs, f.Seq)
	}
	return seqs
}

// A page begins behind the last record of the one before: nothing comes twice, nothing is left out.
func TestPagesByTimeFollowEachOther(t *testing.T) {
	r := rand.New(rand.NewPCG(75, 76))
	dir, _ := newLog(t, r, 1500, 150<<10)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	lines := readAll(t, dir)
	for _, ascending := range []bool{true, false} {
		q := Query{ByTime: true, Ascending: ascending, Limit: 7, Facets: func(f *Facets) bool { return f.NS != "lgsd" }}
		want, got := seqsOf(scan(q, lines)), []uint64(nil)
		for more := true; more; {
			p, err := x.Search(t.Context(), q)
			if err != nil || len(p.Hits) == 0 {
				t.Fatalf("Search(%s) = %d records, %v", q, len(p.Hits), err)
			}
			for i := range p.Hits {
				got = append(got, p.Hits[i].Seq)
			}
			q.Past, more = placeOf(&p.Hits[len(p.Hits)-1].Fields), p.More
		}
		if !slices.Equal(got, want) {
			t.Errorf("ascending=%v: pages hold %d records, want %d, in another order or not all", ascending, len(got), len(want))
		}
	}
}

// A line that was changed in its place, to another time, is found by its own time once it was met.
func TestTimeChangedInPlace(t *testing.T) {
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if err := w.Write(&format.Record{Time: time.Date(2026, 10, 1, 0, 0, 10+i, 0, time.UTC), Stream: format.StreamLog, Msg: "x"}); err != nil {
			t.Fatal(err)
		}
		if i == 29 {
			if _, err := w.Seal(); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Close()
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	q := Query{ByTime: true, Limit: 20, Ascending: true}
	if _, err := x.Search(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	path := segmentFiles(t, dir)[0]
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), "00:00:15Z", "00:00:39Z", 1)), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	compare(t, x, q, readAll(t, dir))
	if s := x.Stats(); s.SetAside != 1 {
		t.Errorf("%d indexes set aside, want the one that was wrong", s.SetAside)
	}
}

// What the asker's functions do is the asker's: a panic in one is no damage of an index, and a context that ends
// while they are asked ends the search.
func TestFunctionsOfTheAsker(t *testing.T) {
	r := rand.New(rand.NewPCG(77, 78))
	dir, _ := newLog(t, r, 1500, 150<<10)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic of Facets was lost")
			}
		}()
		_, _ = x.Count(t.Context(), Query{Facets: func(*Facets) bool { return []bool{}[len(dir)] }})
	}()
	if s := x.Stats(); s.SetAside != 0 {
		t.Errorf("%d indexes set aside after a panic of Facets, want none", s.SetAside)
	}
	for range maxTextSearches {
		x.text <- struct{}{} // as two searches for text do
	}
	asked := 0
	n, err := x.Count(t.Context(), Query{Where: func(f *format.Fields) bool { asked++; return f.Seq%2 == 0 }})
	if err != nil || n != 750 || asked != 1500 {
		t.Errorf("Count(Where) = %d, %v, asked %d times, want 750 and 1500", n, err, asked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked = 0
	_, err = x.Search(ctx, Query{ByTime: true, Limit: 10, Where: func(*format.Fields) bool { asked++; cancel(); return false }})
	if !errors.Is(err, context.Canceled) || asked > blockRecords {
		t.Errorf("Search(Where) = %v after %d lines, want canceled within a block", err, asked)
	}
}

// An index of the version before is set aside and made anew.
func TestIndexOfAnotherVersion(t *testing.T) {
	r := rand.New(rand.NewPCG(79, 80))
	dir, _ := newLog(t, r, 600, 60<<10)
	indexDir := filepath.Join(dir, "index")
	buildAll(t, openIndex(t, dir, Options{Dir: indexDir}))
	manifests, err := filepath.Glob(filepath.Join(indexDir, "*", manifestFile))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("manifests: %v, %v", manifests, err)
	}
	for _, path := range manifests {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b = []byte(strings.Replace(string(b), fmt.Sprintf(`"version": %d`, indexVersion), `"version": 1`, 1))
		if err := os.WriteFile(path, b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	x := openIndex(t, dir, Options{Dir: indexDir})
	lines := readAll(t, dir)
	compare(t, x, Query{ByTime: true, Limit: 20, Facets: func(f *Facets) bool { return f.NS == "lgsd" }}, lines)
	buildAll(t, x)
	if s := x.Stats(); int(s.SetAside) != len(manifests) || int(s.Builds) != len(manifests) {
		t.Errorf("%d set aside and %d built, want %d", s.SetAside, s.Builds, len(manifests))
	}
}

// What the dictionary says of a line is what the line says, and nothing in a dictionary makes a panic.
func FuzzFacets(f *testing.F) {
	f.Add([]byte(`{"seq":1,"action":"container.start","ns":"a","actor":{"name":"b"},"data":{"hss":{}}}`))
	f.Add([]byte(`{"seq":1,"data":{"\u0068ss":1,"a":"}"}}`))
	f.Add([]byte(`{"seq":1,"outcome":"odd","data":{"a":{"hss":1}}}`))
	f.Add([]byte("\x01\x03abc\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		splitFacets(string(b))
		splitObject(b, nil)
		var line format.Fields
		if format.ScanLine(b, &line) != nil {
			return
		}
		var data map[string]json.RawMessage
		_ = json.Unmarshal(line.Data, &data)
		_, hss := data["hss"]
		want := Facets{Action: line.Action.String(), ObjType: line.ObjType.String(), NS: line.NS.String(), Repo: line.Repo.String(),
			Project: line.Project.String(), ActorName: line.ActorName.String(), ActorType: line.ActorType.String(),
			ActorHome: line.ActorDomain.String(), Outcome: line.Outcome, HSS: hss}
		if got := facetsOf(&line); got != want {
			t.Errorf("facets of %q are %+v, want %+v", b, got, want)
		}
	})
}
