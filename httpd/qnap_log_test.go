package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"shiplog/format"
)

func operation(msg string) *format.Record {
	return &format.Record{Stream: format.StreamLog, Level: format.LevelInfo, Category: "container", Msg: msg, Actor: format.Actor{Name: "admin"}}
}

func (b *box) list(query, cookie string) (rows []logRow) {
	b.t.Helper()
	got := b.do("GET", "/container-station/api/v1/log?"+query, "", "Cookie", cookie)
	if err := json.Unmarshal([]byte(got.body), &rows); err != nil || got.status != 200 {
		b.t.Fatalf("GET log?%s = %d %s", query, got.status, got.body)
	}
	return rows
}

func (b *box) clearLog(cookie string) int {
	b.t.Helper()
	got := b.do("DELETE", "/container-station/api/v1/log", "", "Cookie", cookie)
	var n struct{ Records int }
	if err := json.Unmarshal([]byte(got.body), &n); err != nil || got.status != 200 {
		b.t.Errorf("DELETE log = %d %s", got.status, got.body)
	}
	return n.Records
}

func TestListShowsWhatOtherLevelsAndMissingMembersStandFor(t *testing.T) {
	b := newBox(t, "", nil)
	cookie := b.cookie("admin")
	b.append(&format.Record{Stream: format.StreamLog, Level: format.LevelDebug, Category: "system", Msg: "a debug line"})
	b.append(&format.Record{Stream: format.StreamLog, Category: "system", Outcome: format.OutcomeFailure, Msg: "failed", Actor: format.Actor{Type: format.ActorAnonymous}})
	b.append(&format.Record{Stream: format.StreamLog, Category: "system", Action: "node.power_on", Status: "Success", Obj: format.Object{Type: "node", ID: "7"}, Actor: format.Actor{Name: "eve"}})
	b.append(&format.Record{Stream: format.StreamLog, Category: "system", Msg: "<b>&\u2028\xff", Time: time.Unix(-1, 5)})
	b.append(&format.Record{Stream: format.StreamEvent, Category: "container", Msg: "an event"})
	rows := b.list("", cookie)
	want := []logRow{
		{"system", 5, "INFO", "<b>&\u2028\ufffd", -1, "system"},
		{"system", 4, "INFO", "node.power_on node 7: Success", rows[1].TS, "eve"},
		{"system", 3, "ERROR", "failed", rows[2].TS, "Anonymous"},
		{"system", 2, "INFO", "a debug line", rows[3].TS, "system"},
	}
	if len(rows) != len(want) {
		t.Fatalf("list = %v, want %d rows: no login, no event", rows, len(want))
	}
	for i := range want {
		if rows[i] != want[i] {
			t.Errorf("row %d = %+v, want %+v", i, rows[i], want[i])
		}
	}
	if raw := b.do("GET", "/api/v1/log?limit=1", "", "Cookie", cookie).body; !strings.Contains(raw, `"<b>&`) {
		t.Errorf("answer = %s, want < > & literally", raw)
	}
	if got := b.list("level=info", cookie); len(got) != 3 {
		t.Errorf("level=info = %d rows, want the 3 that are shown as INFO", len(got))
	}
	if got := b.list("user=Anonymous", cookie); len(got) != 1 {
		t.Errorf("user=Anonymous = %d rows, want 1", len(got))
	}
}

func TestLimitsOfTheList(t *testing.T) {
	b := newBox(t, "", nil)
	var recs []*format.Record
	for i := range 1100 {
		recs = append(recs, operation(fmt.Sprint("m", i)))
	}
	if err := b.writer.Append(context.Background(), recs...); err != nil {
		t.Fatal(err)
	}
	cookie := b.cookie("admin")
	for query, want := range map[string]int{"": 20, "limit=1": 1, "limit=1000": 1000, "limit=5000": 1000, "limit=9223372036854775807": 1000,
		"limit=1000&offset=1000": 100, "offset=1100": 0, "offset=9223372036854775807": 0, "text=m109": 11, "text=M1099&limit=": 1} {
		if got := len(b.list(query, cookie)); got != want {
			t.Errorf("list(%s) = %d rows, want %d", query, got, want)
		}
	}
}

func TestARecordAcknowledgedBeforeIsInTheAnswer(t *testing.T) {
	b := newBox(t, "", nil)
	cookie := b.cookie("admin")
	for i := range 50 {
		seq := b.append(operation(fmt.Sprint(i)))
		if rows := b.list("limit=1", cookie); rows[0].ID != seq {
			t.Fatalf("newest = %d, want %d which was acknowledged before", rows[0].ID, seq)
		}
	}
}

func TestClearHidesButKeeps(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", nil)
	admin := b.cookie("admin")
	if n := b.clearLog(admin); n != 59 {
		t.Errorf("clear = %d, want 59", n)
	}
	b.restart()
	admin = b.cookie("admin")
	if rows := b.list("", admin); len(rows) != 0 {
		t.Errorf("after clear and restart: %v, want nothing", rows)
	}
	seq := b.append(operation("new"))
	if rows := b.list("", admin); len(rows) != 1 || rows[0].ID != seq {
		t.Errorf("list = %v, want the one record that came after", rows)
	}
	if n := b.clearLog(admin); n != 1 {
		t.Errorf("second clear = %d, want 1", n)
	}
	if n := b.clearLog(admin); n != 0 {
		t.Errorf("third clear = %d, want 0: clear records are not counted", n)
	}
	var events eventList
	if err := json.Unmarshal([]byte(b.do("GET", "/api/v1/event", "", "Cookie", admin).body), &events); err != nil || events.Offset != 121 {
		t.Errorf("events after clear: offset %d, %v, want 121: a clear does not touch them", events.Offset, err)
	}
	log, err := format.OpenLog(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	clears, old := 0, 0
	for ln, err := range log.Forward(0) {
		if err != nil {
			t.Fatal(err)
		}
		if ln.Seq <= 180 {
			old++
		}
		if ln.Fields.Action.Is("log.clear") {
			clears++
			if !ln.Fields.Msg.Is("System logs are cleared") || !ln.Fields.User().Is("admin") || !ln.Fields.Category.Is("system") {
				t.Errorf("clear record: %s", ln.Bytes)
			}
		}
	}
	if clears != 3 || old != 180 {
		t.Errorf("files hold %d clear records and %d old ones, want 3 and all 180", clears, old)
	}
}

func TestOnlyAClearOfThisViewMovesTheWatermark(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", nil)
	cookie := b.cookie("admin")
	r := operation("not a clear")
	r.Category, r.Action = "system", "log.clear" // as a client of another dialect may write
	seq := b.append(r)
	if rows := b.list("", cookie); len(rows) != 20 || rows[0].ID != seq {
		t.Errorf("%d rows after a made-up log.clear, want 20", len(rows))
	}
}

func TestClearCountsExactlyWhatBecameInvisible(t *testing.T) {
	b := newBox(t, "", nil)
	cookie := b.cookie("admin")
	const writers, each, clears = 4, 60, 12
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := b.writer.Append(context.Background(), operation(fmt.Sprint(w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	hidden := 0
	for range 2 {
		wg.Go(func() {
			for range clears {
				n := b.clearLog(cookie)
				mu.Lock()
				hidden += n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if visible := len(b.list("limit=1000", cookie)); hidden+visible != writers*each {
		t.Errorf("%d records were counted as cleared and %d are visible, want %d together", hidden, visible, writers*each)
	}
}

func TestLoginsAreShownOnlyWhenAskedFor(t *testing.T) {
	b := newBox(t, "", nil)
	cookie := b.cookie("admin")
	b.do("POST", "/api/v1/login", "username=admin&password=Wrong-Pw")
	b.do("POST", "/api/v1/login", "sid=nope")
	if rows := b.list("", cookie); len(rows) != 0 {
		t.Errorf("list = %v, want no logins", rows)
	}
	rows := b.list("category=Auth", cookie)
	if len(rows) != 3 || rows[0].Message != "Login failed: unknown token" || rows[1].Message != "Login failed: admin" || rows[1].Level != "WARN" ||
		rows[2].Message != "Login: admin" || rows[2].User != "admin" {
		t.Errorf("list(category=auth) = %+v, want two refused logins and one", rows)
	}
	if n := b.clearLog(cookie); n != 0 {
		t.Errorf("clear = %d, want 0: logins were not visible", n)
	}
	var raw strings.Builder
	log, _ := format.OpenLog(b.dir)
	for ln := range log.Forward(0) {
		raw.Write(ln.Bytes)
	}
	if strings.Contains(raw.String(), "Wrong-Pw") || strings.Contains(raw.String(), "nope") || !strings.Contains(raw.String(), `"127.0.0.1"`) {
		t.Errorf("records = %s, want the address and no secret", raw.String())
	}
}

func TestCSVFields(t *testing.T) {
	for name, row := range map[string]struct{ in, want, safe string }{
		"plain":           {"a b", "a b", "a b"},
		"a comma":         {"a,b", `"a,b"`, `"a,b"`},
		"a quote":         {`a"b`, `"a""b"`, `"a""b"`},
		"a line break":    {"a\nb", "\"a\nb\"", "\"a\nb\""},
		"CRLF":            {"a\r\nb", "\"a\r\nb\"", "\"a\r\nb\""},
		"a leading space": {" a", " a", " a"},
		"a backslash dot": {`\.`, `\.`, `\.`},
		"empty":           {"", "", ""},
		"a formula":       {"=1+2", "=1+2", "'=1+2"},
		"a quoted one":    {"=A,B", `"=A,B"`, `"'=A,B"`},
		"a sign":          {"-1", "-1", "'-1"},
		"at":              {"@x", "@x", "'@x"},
		"a tab":           {"\tx", "\tx", "'\tx"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string((&csvWriter{}).field(nil, []byte(row.in))); got != row.want {
				t.Errorf("field(%q) = %q, want %q", row.in, got, row.want)
			}
			if got := string((&csvWriter{safe: true}).field(nil, []byte(row.in))); got != row.safe {
				t.Errorf("safe field(%q) = %q, want %q", row.in, got, row.safe)
			}
		})
	}
}

func TestExportFiltersAndGuards(t *testing.T) {
	b := newBox(t, "", nil)
	cookie := b.cookie("admin")
	one, two := operation("=cmd()"), operation("käse, \"x\"\nline")
	one.Time, two.Time = time.Date(2024, 1, 2, 3, 4, 5, 999999999, time.UTC), time.Date(2024, 1, 2, 3, 4, 6, 0, time.UTC)
	two.Level = format.LevelWarn
	b.append(one)
	b.append(two)
	const head, first, second = csvHeader, "2024-01-02 03:04:05.999999,INFO,container,admin,=cmd()\r\n",
		"2024-01-02 03:04:06.000000,WARN,container,admin,\"käse, \"\"x\"\"\nline\"\r\n"
	for query, want := range map[string]string{
		"": head + first + second, "level=WARN": head + second, "end=1704164645": head + first, "start=1704164646": head + second, "text=nope": head,
		"limit=1&offset=1": head + first + second, "safe=1": head + strings.Replace(first, "=cmd", "'=cmd", 1) + second,
	} {
		got := b.do("GET", "/container-station/api/v1/log/export?"+query, "", "Cookie", cookie)
		if got.body != want || got.header.Get("Content-Type") != "text/csv; charset=utf-8" || got.header.Get("Content-Length") != "" ||
			got.header.Get("Content-Disposition") != `attachment; filename="container-station-log.csv"` {
			t.Errorf("export?%s = %q %v, want %q", query, got.body, got.header, want)
		}
	}
	wantError(t, "export with a bad bound", b.do("GET", "/api/v1/log/export?start=x", "", "Cookie", cookie), 400)
}

// fill appends n records of about 300 bytes.
func (b *box) fill(n int) {
	b.t.Helper()
	pad := strings.Repeat("x", 200)
	for done := 0; done < n; done += 1000 {
		recs := make([]*format.Record, 1000)
		for i := range recs {
			recs[i] = operation(fmt.Sprintf("record %d %s", done+i, pad))
		}
		if err := b.writer.Write(recs...); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestExportNeedsConstantMemory(t *testing.T) {
	b := newBox(t, "", nil)
	const n = 100_000 // 25 MB of CSV
	b.fill(n)
	req, err := http.NewRequest("GET", b.url+"/api/v1/log/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", b.cookie("admin"))
	b.list("limit=1", req.Header.Get("Cookie")) // columns are built
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines, peak := 0, uint64(0)
	buf := make([]byte, 256<<10)
	for i := 0; ; i++ {
		k, err := res.Body.Read(buf)
		lines += strings.Count(string(buf[:k]), "\n")
		if i%200 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if lines != n+1 {
		t.Errorf("%d lines, want %d", lines, n+1)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("heap grew by %d bytes during the export, want less than 8 MiB", grown)
	}
}

func TestExportOutlivesTheDeadlinesOfOtherRequests(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.limits = limits{read: 300 * time.Millisecond, write: 300 * time.Millisecond} })
	b.fill(40_000)
	c := b.dial("GET", "/api/v1/log/export", b.cookie("admin"))
	total, buf := 0, make([]byte, 512<<10)
	for end := time.Now().Add(1200 * time.Millisecond); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		k, err := c.Read(buf) // slowly, but always something
		if total += k; err != nil {
			t.Fatalf("after %d bytes: %v", total, err)
		}
	}
	rest, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(rest), "\r\n0\r\n\r\n") {
		t.Errorf("the export was cut off after %d bytes: %v", total+len(rest), err)
	}
}

func TestExportIsCutWhenTheClientDoesNotRead(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.limits = limits{write: 200 * time.Millisecond} })
	b.fill(40_000)
	cookie := b.cookie("admin")
	b.list("limit=1", cookie) // columns are built
	c := b.dial("GET", "/api/v1/log/export", cookie)
	if _, err := c.Read(make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	data, _ := io.ReadAll(c)
	if strings.HasSuffix(string(data), "0\r\n\r\n") {
		t.Error("the export looks complete although its client did not read for longer than a chunk may take")
	}
}

// dial sends a request on a connection of its own, with a small receive buffer.
func (b *box) dial(method, path, cookie string) net.Conn {
	b.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		b.t.Fatal(err)
	}
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: localhost\r\nCookie: %s\r\nConnection: close\r\n\r\n", method, path, cookie)
	return c
}
