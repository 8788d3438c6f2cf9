package index

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// words are what messages and needles are made of: ids, grams in common, escapes, and letters that fold oddly.
var words = []string{"start", "stop", "container", "background task", "image_download", "d59bf8a8b229", "68a6eb33c3d5",
	"nginx-4711", "user07", "backup 12345678 bytes", `"disk0"`, `C:\share\test`, "a<b>&c", "tab\there", "K\u212aelvin", "mi\u017fs",
	"\u0130stanbul", "stra\u00dfe", "STRA\u1e9eE", "容器已启动", "日志", "Ünïcödé", "ΣΊΣΥΦΟΣ ς", "it's 100%", "/share/Container", "\u2028", "\U0001f433", "K", "kk"}

// randomRecord is one of a few hundred shapes.
func randomRecord(r *rand.Rand, i int) *format.Record {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	rec := &format.Record{Time: randomTime(r, i), Stream: format.StreamLog}
	if r.IntN(3) == 0 {
		rec.Stream = format.StreamEvent
		if r.IntN(2) == 0 {
			rec.Eseq = format.NextEseq
		}
	}
	if r.IntN(4) > 0 {
		rec.Level = format.Level(pick("DEBUG", "INFO", "INFO", "INFO", "WARN", "ERROR"))
	}
	if r.IntN(6) == 0 {
		rec.Outcome = format.Outcome(pick("success", "failure"))
	}
	rec.Category = pick("container", "container", "image", "backup", "system", "Export", "CONTAINER", "", "ſystem")
	rec.Action = pick("container.start", "container.stop", "image.pull", "", "node_control.power_on", `odd "action"`)
	rec.Actor.Name = pick("admin", "admin", "user07", "", "Ünal", `quo"te`)
	if r.IntN(10) == 0 {
		rec.Actor.Type = format.ActorAnonymous
	}
	if r.IntN(3) > 0 {
		n := r.IntN(40)
		rec.Obj = format.Object{Type: pick("container", "image"), ID: objectID(n), Name: fmt.Sprintf("web-%d", n), Image: pick("nginx:1", "redis", "a/b:latest"), Tag: pick("", "1", "2")}
		rec.Engine = format.Engine(pick("docker", "docker", "incus", "lxd", "lxc", ""))
	}
	randomScope(r, rec)
	var b strings.Builder
	for range 1 + r.IntN(5) {
		b.WriteString(pick(words...))
		b.WriteString(pick(" ", ", ", "-", "", "/"))
		if r.IntN(4) == 0 {
			fmt.Fprintf(&b, "%08x", r.Uint32N(2000)*2654435761)
		}
	}
	if r.IntN(20) > 0 {
		rec.Msg = b.String()
	}
	return rec
}

// objectID is an id as engines make them, every other time: the others are shorter, longer or no digits, as foreign ones may be.
func objectID(n int) string {
	id := strings.Repeat(fmt.Sprintf("%08x", uint32(n)*2654435761), 8)
	switch n % 10 {
	case 1:
		return id[:40]
	case 3:
		return id[:61]
	case 5:
		return id + "g"
	case 7:
		return strings.ToUpper(id)
	case 9:
		return id + id[:16]
	}
	return id
}

// randomQuery aims at what is there, or just beside it.
func randomQuery(r *rand.Rand, lines []format.Fields) Query {
	var q Query
	f := &lines[r.IntN(len(lines))]
	last := lines[len(lines)-1].Seq
	some := func(n int) bool { return r.IntN(n) == 0 }
	if some(5) {
		q.After = r.Uint64N(last + 2)
	}
	if some(5) {
		q.Before = r.Uint64N(last + 2)
	}
	if some(5) {
		q.From = time.Unix(0, f.Time+int64(r.IntN(3)-1)).Add(-time.Duration(r.IntN(3)) * time.Hour)
		if some(2) {
			q.From = q.From.UTC().Truncate(24 * time.Hour)
		}
	}
	if some(5) {
		q.To = time.Unix(0, lines[r.IntN(len(lines))].Time+int64(r.IntN(3)-1))
		if some(2) {
			q.To = q.To.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		}
	}
	if some(5) {
		q.Stream = f.Stream
	}
	if some(8) {
		q.Numbered = true
	}
	if some(10) {
		q.AfterEseq = r.Uint64N(last/5 + 1)
	}
	if some(10) {
		q.UptoEseq = r.Uint64N(last/5 + 1)
	}
	if some(4) {
		q.Levels = []format.Level{f.Level, []format.Level{"INFO", "ERROR", "NOTICE"}[r.IntN(3)]}[:1+r.IntN(2)]
	}
	if some(4) {
		q.Categories = []string{mangleCase(r, f.Category.String()), "backup"}[:1+r.IntN(2)]
	}
	if some(8) {
		q.NotCategories = []string{mangleCase(r, lines[r.IntN(len(lines))].Category.String())}
	}
	if some(8) {
		q.Actions = []string{f.Action.String(), "image.pull"}[:1+r.IntN(2)]
	}
	if some(5) {
		q.User = f.User().String()
	}
	if some(10) {
		q.Engine = f.Engine
	}
	if some(8) {
		id := f.ObjID.String()
		q.ObjID = id[:min(len(id), 6+r.IntN(70))]
	}
	if some(8) {
		q.ObjName = f.ObjName.String()
	}
	if some(10) {
		q.Image = f.ObjImage.String()
	}
	if some(2) {
		q.Text = randomNeedle(r, f.Msg.String())
	}
	randomFuncs(r, &q, f)
	if some(3) {
		q.ByTime = true
		if some(2) {
			q.Past = placeOf(&lines[r.IntN(len(lines))])
		}
	}
	q.None = some(200)
	q.Ascending = some(2)
	if !some(8) {
		q.Limit = 1 + r.IntN(30)
	}
	if some(3) {
		q.Offset = r.IntN(len(lines)) >> r.IntN(12)
	}
	return q
}

// randomNeedle is a piece of msg, perhaps with one character changed, or a few words.
func randomNeedle(r *rand.Rand, msg string) string {
	rs := []rune(msg)
	if r.IntN(8) == 0 || len(rs) == 0 {
		return words[r.IntN(len(words))] + []string{"", " ", ", "}[r.IntN(3)] + words[r.IntN(len(words))]
	}
	n := min(1+r.IntN(16), len(rs))
	at := r.IntN(len(rs) - n + 1)
	rs = slices.Clone(rs[at : at+n])
	if r.IntN(4) == 0 {
		rs[r.IntN(n)] = []rune("k4\"\\\u212asİß容x ")[r.IntN(11)]
	}
	return mangleCase(r, string(rs))
}

func mangleCase(r *rand.Rand, s string) string {
	switch r.IntN(4) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToLower(s)
	}
	return s
}

// scan is the plain answer: every record through Match.
func scan(q Query, lines []format.Fields) (all []*format.Fields) {
	m := newMatcher(&q) // what Query.Match asks, made once
	for i := range lines {
		if m.match(&lines[i]) {
			all = append(all, &lines[i])
		}
	}
	if q.ByTime {
		slices.SortStableFunc(all, func(a, b *format.Fields) int { return cmp.Compare(a.Time, b.Time) })
	}
	if !q.Ascending {
		slices.Reverse(all)
	}
	return all
}

func page(all []*format.Fields, q Query) (want []uint64, more bool) {
	all = all[min(q.Offset, len(all)):]
	if q.Limit > 0 && len(all) > q.Limit {
		all, more = all[:q.Limit], true
	}
	for _, f := range all {
		want = append(want, f.Seq)
	}
	return want, more
}

// readAll is the log read line by line.
func readAll(t *testing.T, dir string) []format.Fields {
	t.Helper()
	log, err := format.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	var lines []format.Fields
	for ln, err := range log.Forward(0) {
		if err != nil {
			continue
		}
		var f format.Fields
		if err := format.ScanLine(slices.Clone(ln.Bytes), &f); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, f)
	}
	return lines
}

// compare holds all answers to one query against the scan.
func compare(t *testing.T, x *Index, q Query, lines []format.Fields) {
	t.Helper()
	ctx := context.Background()
	all := scan(q, lines)
	want, more := page(all, q)
	limited := q
	if q.ByTime && q.Limit == 0 {
		limited.Limit = len(lines) // without one there is no search by time
	}
	got, err := x.Search(ctx, limited)
	if err != nil {
		t.Fatalf("Search(%s): %v", q, err)
	}
	var seqs []uint64
	for i := range got.Hits {
		seqs = append(seqs, got.Hits[i].Seq)
	}
	if !slices.Equal(seqs, want) || got.More != more {
		t.Fatalf("Search(%s) = %v more=%v, want %v more=%v", q, seqs, got.More, want, more)
	}
	n, err := x.Count(ctx, q)
	if err != nil || n != len(all) {
		t.Fatalf("Count(%s) = %d, %v, want %d", q, n, err, len(all))
	}
	switch (len(all) + len(q.Text)) % 4 { // one of them is enough for one query
	case 0:
		compareGroups(t, x, q, all)
		compareCounted(t, x, limited, want, more, len(all))
	case 1:
		compareEach(t, x, q, want)
	case 2:
		compareGroupsBy(t, x, q, all, byFacets)
	case 3:
		comparePieces(t, x, limited, want, more, len(all))
	}
}

func compareCounted(t *testing.T, x *Index, q Query, want []uint64, more bool, count int) {
	t.Helper()
	got, n, err := x.SearchCounted(t.Context(), q)
	if err != nil || n != count {
		t.Fatalf("SearchCounted(%s) = %d, %v, want %d", q, n, err, count)
	}
	var seqs []uint64
	for i := range got.Hits {
		seqs = append(seqs, got.Hits[i].Seq)
	}
	if !slices.Equal(seqs, want) || got.More != more && q.Offset < count {
		t.Fatalf("SearchCounted(%s) = %v more=%v, want %v more=%v", q, seqs, got.More, want, more)
	}
}

func compareEach(t *testing.T, x *Index, q Query, want []uint64) {
	t.Helper()
	i := 0
	for f, err := range x.Each(context.Background(), q) {
		if err != nil || i >= len(want) || f.Seq != want[i] {
			t.Fatalf("Each(%s) step %d = %v, %v, want %v", q, i, f, err, want)
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("Each(%s) = %d records, want %d", q, i, len(want))
	}
}

func compareGroups(t *testing.T, x *Index, q Query, all []*format.Fields) {
	t.Helper()
	compareGroupsBy(t, x, q, all, Field(len(all)+len(q.Text))%5)
}

func compareGroupsBy(t *testing.T, x *Index, q Query, all []*format.Fields, by Field) {
	t.Helper()
	want := make(map[groupKey]int)
	for _, f := range all {
		value := map[Field]string{ByCategory: f.Category.String(), ByLevel: string(f.Level), ByUser: f.User().String(),
			ByAction: f.Action.String(), ByStream: string(f.Stream), byFacets: f.NS.String() + "/" + f.ObjType.String()}[by]
		day := time.Unix(0, f.Time).UTC().Truncate(24 * time.Hour)
		want[groupKey{int32(day.Unix() / 86400), value}]++
	}
	got, err := x.groups(context.Background(), q, &grouping{by: by, of: func(f *Facets) string { return f.NS + "/" + f.ObjType }})
	if err != nil {
		t.Fatalf("Group(%s, %d): %v", q, by, err)
	}
	sum := 0
	for _, g := range got {
		if w := want[groupKey{int32(g.Day.Unix() / 86400), g.Value}]; w != g.Count {
			t.Fatalf("Group(%s, %d) has %v, want %d", q, by, g, w)
		}
		sum += g.Count
	}
	if sum != len(all) || len(got) != len(want) {
		t.Fatalf("Group(%s, %d) = %d records in %d groups, want %d in %d", q, by, sum, len(got), len(all), len(want))
	}
}

// fill appends n random records.
func fill(t *testing.T, w *format.Writer, r *rand.Rand, from, n int) {
	t.Helper()
	recs := make([]*format.Record, 0, n)
	for i := range n {
		recs = append(recs, randomRecord(r, from+i))
	}
	for batch := range slices.Chunk(recs, 100) {
		if err := w.Write(batch...); err != nil {
			t.Fatal(err)
		}
	}
}

// newLog makes a data directory with n records in segments of so many bytes, and a writer that is still open.
func newLog(t *testing.T, r *rand.Rand, n int, segmentBytes int64) (dir string, w *format.Writer) {
	t.Helper()
	dir = t.TempDir()
	w, err := format.Open(dir, format.Options{SegmentBytes: segmentBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	fill(t, w, r, 0, n)
	return dir, w
}

func openIndex(t *testing.T, dir string, o Options) *Index {
	t.Helper()
	x, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	x.held = 50 // most offsets are deep
	return x
}

// buildAll makes the indexes of all sealed segments, as Run does.
func buildAll(t *testing.T, x *Index) {
	t.Helper()
	snap, err := x.look()
	if err != nil {
		t.Fatal(err)
	}
	if err := x.catchUp(t.Context(), snap); err != nil {
		t.Fatal(err)
	}
	if s := x.Stats(); s.Pending != 0 || s.LagRecords != 0 {
		t.Fatalf("after building: %d segments pending, lag %d", s.Pending, s.LagRecords)
	}
}

// agree holds so many random queries against the scan, while the log grows now and then.
func agree(t *testing.T, x *Index, dir string, w *format.Writer, r *rand.Rand, queries int) {
	t.Helper()
	lines := readAll(t, dir)
	for i := range queries / fewer {
		if i%500 == 499 {
			fill(t, w, r, len(lines), 20)
			lines = readAll(t, dir)
		}
		compare(t, x, randomQuery(r, lines), lines)
	}
}

func TestMemoryAgreesWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dir, w := newLog(t, r, 1200, 100<<10)
	x := openIndex(t, dir, Options{Memory: 300 << 10}) // some columns are made again and again
	agree(t, x, dir, w, r, 3000)
}

func TestShardsAgreeWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	dir, w := newLog(t, r, 1800, 200<<10) // segments of two blocks
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	agree(t, x, dir, w, r, 6500)
	if s := x.Stats(); s.SetAside != 0 || s.OpenShards == 0 || s.Builds < 2 {
		t.Errorf("after all queries: %+v, want nothing set aside and Bleve asked", s)
	}
}

// With many blocks there are stop grams, and blocks without a match.
func TestManyBlocksAgreeWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	dir, w := newLog(t, r, 6000, 0)
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	fill(t, w, r, 6000, 600)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	agree(t, x, dir, w, r, 500)
}
