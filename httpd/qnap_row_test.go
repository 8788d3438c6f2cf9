package httpd

import (
	"math/rand"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"shiplog/format"
	"shiplog/index"
)

// logRow is one record in a list.
type logRow struct {
	Category string `json:"category"`
	ID       uint64 `json:"id"`
	Level    string `json:"level"`
	Message  string `json:"message"`
	TS       int64  `json:"ts"`
	User     string `json:"user"`
}

// oddHits are records with all that must be escaped in one encoding or another, and some without a message.
func oddHits(t testing.TB, n int) []index.Hit {
	t.Helper()
	rng := rand.New(rand.NewSource(1))
	odd := []string{"", "plain", "a \"quote\" and \\", "<&>", "\x00\x1f\x7f\b\f\n\r\t", "容器 é", "\u2028\u2029", "bad \xff utf", "🚢"}
	text := func() string { return odd[rng.Intn(len(odd))] + odd[rng.Intn(len(odd))] }
	hits := make([]index.Hit, n)
	for i := range hits {
		r := format.Record{Seq: uint64(rng.Int63()), Stream: format.StreamLog, Level: []format.Level{"", format.LevelDebug, format.LevelError}[rng.Intn(3)],
			Category: text(), Msg: text(), Action: text(), Status: text(), Time: time.Unix(rng.Int63n(9e9)-5e9, 7),
			Actor: format.Actor{Name: text(), Type: format.ActorAnonymous}}
		if err := format.ScanLine(format.AppendLine(nil, &r), &hits[i].Fields); err != nil {
			t.Fatal(err)
		}
	}
	return hits
}

// A list is written by our own hand: here it is held to what the encoder of the other answers writes.
func TestListsAreWrittenAsOtherAnswersAre(t *testing.T) {
	for _, n := range []int{0, 1, 2, 2000} {
		hits := oddHits(t, n)
		want := httptest.NewRecorder()
		if err := writeJSON(want, http.StatusOK, rowsOf(hits)); err != nil {
			t.Fatal(err)
		}
		if got := string(appendLogRows(nil, hits)); got != want.Body.String() {
			for i := range min(len(got), want.Body.Len()) {
				if got[i] != want.Body.Bytes()[i] {
					t.Fatalf("of %d rows byte %d differs: %q, want %q", n, i, got[max(i-40, 0):i+1], want.Body.Bytes()[max(i-40, 0):i+1])
				}
			}
			t.Fatalf("%d rows = %d bytes, want %d", n, len(got), want.Body.Len())
		}
	}
}

func rowsOf(hits []index.Hit) []logRow {
	rows := make([]logRow, 0, len(hits))
	for i := range hits {
		f := &hits[i].Fields
		rows = append(rows, logRow{f.Category.String(), f.Seq, shownLevel(f.Level), shownMessage(f), time.Unix(0, f.Time).Unix(), f.User().String()})
	}
	return rows
}

// BenchmarkLogRows builds the page of the latest 20 records, by our own hand and, to compare, by the encoder.
func BenchmarkLogRows(b *testing.B) {
	hits := oddHits(b, 20)
	line := []byte(`{"v":1,"seq":4711,"time":"2026-01-02T03:04:05.678901234Z","stream":"log","level":"INFO","category":"container","msg":"Start container (docker, d59bf8a8b229, dtest-17)","actor":{"name":"admin"}}`)
	for i := range hits {
		if err := format.ScanLine(line, &hits[i].Fields); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("by=hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			appendLogRows(nil, hits)
		}
	})
	b.Run("by=encoder", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := writeJSON(httptest.NewRecorder(), http.StatusOK, rowsOf(hits)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
