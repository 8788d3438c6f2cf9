package index

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// foreignText writes text as no writer of ours does: any character may be escaped, and some bytes are no UTF-8.
func foreignText(r *rand.Rand, text string, strange bool) string {
	var b strings.Builder
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ' || strange && c < 0x10000 && r.IntN(6) == 0:
			fmt.Fprintf(&b, `\u%04x`, c)
		case c == '/' && r.IntN(2) == 0:
			b.WriteString(`\/`)
		default:
			b.WriteRune(c)
		}
	}
	if strange && r.IntN(8) == 0 {
		b.WriteString([]string{"\xff", "\xe5\xae", `\ud83d`, `\ud83d\udc33`, `\u212aelvin`}[r.IntN(5)])
	}
	return b.String()
}

// foreignLog makes a log by other means than ours: two segments, with members in another order, gaps between
// numbers, and the given times.
func foreignLog(t *testing.T, r *rand.Rand, times []time.Time) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "log"), 0o750); err != nil {
		t.Fatal(err)
	}
	seq := uint64(1)
	for _, n := range []int{2 * blockRecords, 300} {
		first := seq
		var b strings.Builder
		for i := range n {
			rec := randomRecord(r, i)
			rec.Seq = seq
			strange := i/blockRecords == 0 && r.IntN(3) == 0 // so that not all blocks are odd
			at := times[r.IntN(len(times))].UTC().Format(time.RFC3339Nano)
			fmt.Fprintf(&b, `{"msg":"%s","v":1,"time":"%s","unknown":["msg","%s"],"category":"%s","seq":%d,"stream":"log"}`+"\n",
				foreignText(r, rec.Msg, strange), at, foreignText(r, words[r.IntN(len(words))], false), foreignText(r, rec.Category, strange), seq)
			seq += 1 + uint64(r.IntN(40)/39*r.IntN(1000))
		}
		if err := os.WriteFile(filepath.Join(dir, "log", fmt.Sprintf("%020d.jsonl", first)), []byte(b.String()), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Logs that another program wrote are answered as their lines say, with needles that are no text, too.
func TestForeignLinesAgreeWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(63, 64))
	dir := foreignLog(t, r, []time.Time{time.Date(2026, 10, 15, 1, 2, 3, 4, time.UTC), time.Date(2026, 10, 16, 0, 0, 0, 0, time.UTC)})
	lines := readAll(t, dir)
	if len(lines) < 2*blockRecords {
		t.Fatalf("%d lines are records, want most of %d", len(lines), 2*blockRecords+300)
	}
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	memory := openIndex(t, dir, Options{})
	needles := []string{`"`, `\`, `\"`, "\t", "\x00", "\xff", "\xe5", "\xae\xb9", "kelvin", "\u212aELVIN", "mis", "mi\u017f", "\u0130", "i", "ß", "ẞ",
		"\ufffd", "\U0001f433", `\u0063`, "disk0", "c:\\share", strings.Repeat("container", 900), "unknown", "\u2028"}
	for i := range 500 / min(fewer, 4) {
		q := randomQuery(r, lines)
		if i < 2*len(needles) {
			q = Query{Text: needles[i%len(needles)], Ascending: i < len(needles)}
		}
		compare(t, x, q, lines)
		compare(t, memory, q, lines)
	}
}

// Days are right on both sides of 1970 and at the ends of what nanoseconds hold.
func TestFarTimesAgreeWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(65, 66))
	var times []time.Time
	for _, day := range []string{"1677-09-22", "1900-01-01", "1969-12-31", "1970-01-01", "1970-01-02", "2026-10-15", "2262-04-11", "9999-12-31", "0001-01-01"} {
		midnight, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, midnight, midnight.Add(1), midnight.Add(24*time.Hour-1))
	}
	dir := foreignLog(t, r, times)
	lines := readAll(t, dir)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	memory := openIndex(t, dir, Options{})
	for range 80 / min(fewer, 4) {
		q := Query{Text: []string{"", "", "container"}[r.IntN(3)], Limit: r.IntN(3), Offset: r.IntN(3) * r.IntN(600)}
		if r.IntN(4) > 0 {
			q.From = times[r.IntN(len(times))].Add(time.Duration(r.IntN(3) - 1))
		}
		if r.IntN(4) > 0 {
			q.To = times[r.IntN(len(times))].Add(time.Duration(r.IntN(3) - 1))
		}
		for _, x := range []*Index{x, memory} {
			compare(t, x, q, lines)
			all := scan(q, lines)
			for by := range ByStream + 1 {
				compareGroupsBy(t, x, q, all, by)
			}
		}
	}
}
