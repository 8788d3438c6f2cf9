package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
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

// TestAListIsAboutOneMoment reads the log while it is cleared: a list from before or after a clear cannot hold
// the record of the clear, which is hidden by itself.
func TestAListIsAboutOneMoment(t *testing.T) {
	b := newBox(t, "", nil)
	cookie := b.cookie("admin")
	var cleared atomic.Bool
	var wg sync.WaitGroup
	for _, path := range []string{"log", "log", "log/export"} {
		wg.Go(func() {
			for !cleared.Load() && !t.Failed() {
				if got := b.do("GET", "/api/v1/"+path, "", "Cookie", cookie); strings.Contains(got.body, "System logs are cleared") {
					t.Errorf("GET %s shows a clear of the log: %s", path, got.body)
				}
			}
		})
	}
	for range 200 {
		b.clearLog(cookie)
	}
	cleared.Store(true)
	wg.Wait()
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

func TestDamageIsTold(t *testing.T) {
	b := newBox(t, "", nil)
	b.append(operation("one"))
	b.stop()
	segments, err := filepath.Glob(filepath.Join(b.dir, "log", "0*.jsonl"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments = %v %v", segments, err)
	}
	f, err := os.OpenFile(segments[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("{\"v\":1,\"seq\":\x00\x00\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	b.start()
	cookie := b.cookie("admin")
	b.append(operation("two"))
	if rows := b.list("", cookie); len(rows) != 2 {
		t.Errorf("list = %v, want both intact records", rows)
	}
	for _, path := range []string{"/api/v1/log", "/api/v1/log/export"} {
		if got := b.do("GET", path, "", "Cookie", cookie).header.Get("X-Shiplog-Degraded"); got != "corrupt=1" {
			t.Errorf("GET %s: X-Shiplog-Degraded = %q, want corrupt=1", path, got)
		}
	}
}
