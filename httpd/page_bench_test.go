package httpd

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shiplog/format"
	"shiplog/index"
)

// BenchmarkPage is what a page of the newest records takes from the request to the last byte of the answer, without
// a network: in each dialect that shows pages, with 20 records and with 200.
func BenchmarkPage(b *testing.B) {
	h, header := benchHandler(b)
	for _, bm := range []struct{ name, path string }{
		{"QNAP 20", "/container-station/api/v1/log?limit=20"},
		{"QNAP 200", "/container-station/api/v1/log?limit=200"},
		{"QNAP events", "/container-station/api/v1/event"},
		{"Quay 20", "/api/v1/user/logs?starttime=10/01/2026&endtime=10/31/2026"},
		{"HSS 200", "/v5/default/container/image/events?limit=200"},
		{"AOS 20", "/v1/journal/?limit=20"},
		{"no page", "/healthz"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, "http://localhost"+bm.path, nil)
				r.Header = header.Clone()
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatalf("GET %s = %d %.200s", bm.path, w.Code, w.Body)
				}
				size = w.Body.Len()
			}
			b.SetBytes(int64(size))
		})
	}
}

// benchHandler serves 1000 records, and gives the headers of somebody who may read them in all dialects.
func benchHandler(b *testing.B) (http.Handler, http.Header) {
	b.Helper()
	dir := b.TempDir()
	writer, err := format.Open(dir, format.Options{KeepFree: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { writer.Close() })
	for i := range 1000 {
		at := time.Date(2026, 10, 15, 12, 0, i%60, i, time.UTC)
		stream, eseq := format.StreamLog, uint64(0)
		if i%2 == 0 {
			stream, eseq = format.StreamEvent, format.NextEseq
		}
		err := writer.Write(&format.Record{V: 1, Time: at, Obs: at, Stream: stream, Level: format.LevelInfo, Category: "container",
			Action: "container.stop", Msg: fmt.Sprintf("Stop container (docker, d59bf8a8b229, web-%d)", i), Eseq: eseq,
			Actor: format.Actor{Name: "admin", Type: format.ActorUser}, Obj: format.Object{Type: "container", ID: "d59bf8a8b229", Name: fmt.Sprint("web-", i)}})
		if err != nil {
			b.Fatal(err)
		}
	}
	x, err := index.Open(dir, index.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { x.Close() })
	accounts, err := LoadAccounts(filepath.Join(dir, "accounts.json"))
	if err != nil {
		b.Fatal(err)
	}
	const file = `{"qnap_users": [{"name": "admin", "password": "bench-password", "admin": true}],
		"tokens": [{"token": "bench-token", "user": "admin", "project": "default", "roles": ["reader"], "scopes": ["super:user"]}]}`
	if _, err := accounts.Apply(strings.NewReader(file)); err != nil {
		b.Fatal(err)
	}
	s, err := New(Options{Index: x, Accounts: accounts, Append: writer.Append})
	if err != nil {
		b.Fatal(err)
	}
	return benchLogin(b, s.Handler())
}

// benchLogin returns h and the headers of who logged in, and shows a token to the dialects without sessions.
func benchLogin(b *testing.B, h http.Handler) (http.Handler, http.Header) {
	b.Helper()
	login := httptest.NewRequest(http.MethodPost, "http://localhost/api/v1/login", strings.NewReader(`{"username": "admin", "password": "bench-password"}`))
	login.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, login); w.Code != http.StatusOK {
		b.Fatalf("login = %d %s", w.Code, w.Body)
	}
	cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return h, http.Header{"Cookie": {cookie}, "Authorization": {"Bearer bench-token"}, "X-Auth-Token": {"bench-token"}}
}
