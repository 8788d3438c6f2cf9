package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shiplog/index"
)

// BenchmarkQuestions is what the questions of scripts/bench that the index answers without reading lines, and their
// relatives, take from the request to the last byte of the answer, without a network. SHIPLOG_BENCH_DATA names a data
// directory of the workload (go run ./scripts/workload -n 1000000 -data DIR); without it one of 20,000 records is made.
func BenchmarkQuestions(b *testing.B) {
	h, header := questionsHandler(b)
	for _, bm := range []struct{ name, path string }{
		{"latest", "/container-station/api/v1/log?limit=20"},
		{"errors", "/container-station/api/v1/log?limit=20&level=ERROR&category=image,export"},
		{"user in a day", "/container-station/api/v1/log?limit=20&user=user16&start=1792022400&end=1792108799"},
		{"deep", "/container-station/api/v1/log?limit=20&offset=10000"},
		{"count", "/v1/journal/count?action__startswith=container.&user_name=admin"},
		{"count since", "/v1/journal/count?user_name=admin&event_time__gte=2026-10-07T05:00:00"},
		{"aggregate", "/api/v1/user/aggregatelogs?starttime=10/01/2026&endtime=10/30/2026"},
		{"Quay page", "/api/v1/user/logs?starttime=10/01/2026&endtime=10/30/2026"},
		{"HSS page", "/v5/default/container/image/events?limit=20"},
		{"HSS page of a user", "/v5/default/container/image/events?limit=20&user_name=user16"},
		{"HSS page of a span", "/v5/default/container/image/events?limit=20&start_time=1791043200000&end_time=1791561600000"},
		{"nothing", "/healthz"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			size, used := 0, cpuTime()
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
			b.ReportMetric(float64(size), "bytes")
			b.ReportMetric(float64((cpuTime()-used).Microseconds())/float64(b.N), "cpu-us") // also of the collector
		})
	}
}

// questionsHandler serves the records, indexed, and gives the headers of somebody who may ask in all dialects.
func questionsHandler(b *testing.B) (http.Handler, http.Header) {
	b.Helper()
	dir := os.Getenv("SHIPLOG_BENCH_DATA")
	if dir == "" {
		dir = filepath.Join(b.TempDir(), "data")
		if out, err := exec.Command("go", "run", "shiplog/scripts/workload", "-n", "20000", "-data", dir).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	x, err := index.Open(dir, index.Options{Dir: filepath.Join(dir, "index")})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done; x.Close() })
	accounts, err := LoadAccounts(filepath.Join(b.TempDir(), "accounts.json"))
	if err != nil {
		b.Fatal(err)
	}
	const file = `{"qnap_users": [{"name": "admin", "password": "bench-password", "admin": true}],
		"tokens": [{"token": "bench-token", "user": "admin", "project": "default", "roles": ["admin"], "scopes": ["super:user"]}]}`
	if _, err := accounts.Apply(strings.NewReader(file)); err != nil {
		b.Fatal(err)
	}
	s, err := New(Options{Index: x, Accounts: accounts, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := x.Count(ctx, index.Query{}); err != nil {
		b.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Minute); x.Stats().Pending > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%d segments are not indexed after 10 minutes", x.Stats().Pending)
		}
	}
	return benchLogin(b, s.Handler())
}

// cpuTime is what the process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
