package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shiplog/format"
	"shiplog/index"
)

// mixture is a server with many records that all are indexed, and what its clients measured.
type mixture struct {
	t      testing.TB
	n      int // records at the beginning
	url    string
	writer *format.Writer
	client *http.Client

	mu   sync.Mutex
	took map[string][]time.Duration // guarded by mu; answered with 200, by kind of request
	late map[string]int             // guarded by mu; answered with 503
}

// mixedRequests are the kinds of requests. Of the heavy ones the first counts a word that most messages hold, and
// the second looks for words that all come often, but never in this order: no index helps, all lines are read.
func mixedRequests(r *rand.Rand, n int) map[string][]string {
	return map[string][]string{
		"cheap": {"/v1/journal/?limit=20", "/v1/journal/count?user_name=user7", "/v1/journal/?limit=20&user_name=user11",
			fmt.Sprintf("/v1/journal/?limit=20&offset=%d", n/2), "/api/v1/user/logs?starttime=10/01/2026&endtime=10/31/2026"},
		"short text": {fmt.Sprintf("/v1/journal/?limit=20&message__contains=%012x", mixedID(r.IntN(n))),
			"/v1/journal/?limit=20&message__contains=no-such-words"},
		"heavy": {"/v1/journal/count?message__contains=container", "/v1/journal/?limit=20&message__contains=started+pulled+removed"},
	}
}

func mixedID(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 >> 16 }

func mixedRecord(i int) *format.Record {
	verbs := []string{"started", "pulled", "removed", "stopped", "started pulled", "pulled removed"}
	return &format.Record{Stream: format.StreamLog, Level: format.LevelInfo, Category: []string{"container", "image", "backup"}[i%3],
		Time:  time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 2 * time.Second),
		Actor: format.Actor{Name: fmt.Sprintf("user%d", i%50), Type: format.ActorUser},
		Msg:   fmt.Sprintf("container %012x was %s on request of the user, its volumes were kept where they are", mixedID(i), verbs[i%len(verbs)])}
}

func newMixture(t testing.TB, n int) *mixture {
	t.Helper()
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{KeepFree: -1, SegmentBytes: max(32<<20/1_000_000*int64(min(n, 1_000_000)), 1<<20)})
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < n; from += 1000 {
		recs := make([]*format.Record, 0, 1000)
		for i := from; i < min(from+1000, n); i++ {
			recs = append(recs, mixedRecord(i))
		}
		if err := w.Write(recs...); err != nil {
			t.Fatal(err)
		}
	}
	x, err := index.Open(dir, index.Options{Dir: filepath.Join(dir, "index")})
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := LoadAccounts(filepath.Join(dir, "accounts.json"))
	if err == nil {
		_, err = accounts.Apply(strings.NewReader(`{"tokens": [{"token": "tok", "user": "admin", "project": "default", "roles": ["admin"], "scopes": ["super:user"]}]}`))
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Index: x, Accounts: accounts, Append: w.Append, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &mixture{t: t, n: n, url: "http://" + ln.Addr().String(), writer: w,
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	for name, part := range map[string]func() error{"writer": func() error { return w.Run(ctx) }, "index": func() error { return x.Run(ctx) },
		"server": func() error { return s.Run(ctx, ln) }} {
		run.Go(func() {
			if err := part(); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		run.Wait()
		c.client.CloseIdleConnections()
		if err := errors.Join(x.Close(), w.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if _, err := x.Count(ctx, index.Query{}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Minute); x.Stats().Pending > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d segments are not indexed after 5 minutes", x.Stats().Pending)
		}
	}
	return c
}

// get asks one request of a kind and notes how long the answer took.
func (c *mixture) get(ctx context.Context, kind, path string) {
	req, err := http.NewRequestWithContext(ctx, "GET", c.url+path, nil)
	if err != nil {
		c.t.Error(err)
		return
	}
	req.Header.Set("X-Auth-Token", "tok")
	req.Header.Set("Authorization", "Bearer tok")
	began := time.Now()
	res, err := c.client.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	took := time.Since(began)
	if ctx.Err() != nil {
		return // the end came first
	}
	if err != nil || res.StatusCode != 200 && res.StatusCode != 503 {
		c.t.Errorf("GET %s: %v %v", path, res, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if res.StatusCode == 503 {
		c.late[kind]++
		return
	}
	c.took[kind] = append(c.took[kind], took)
}

// clients lets 16 clients ask for so long, while 1,000 records a second are written. So many of them ask heavy
// questions, one after another; the others ask 25 times a second, each fourth time for a text.
func (c *mixture) clients(heavy int, spell time.Duration) {
	c.took, c.late = map[string][]time.Duration{}, map[string]int{}
	ctx, cancel := context.WithTimeout(context.Background(), spell)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { c.ingest(ctx) })
	for i := range 16 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 5))
			tick := time.NewTicker(40 * time.Millisecond)
			defer tick.Stop()
			for n := i; ctx.Err() == nil; n++ {
				kind := "heavy"
				if i >= heavy {
					<-tick.C
					if kind = "cheap"; n%4 == 0 {
						kind = "short text"
					}
				}
				paths := mixedRequests(r, c.n)[kind]
				c.get(ctx, kind, paths[n/4%len(paths)])
			}
		})
	}
	all.Wait()
}

func (c *mixture) ingest(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i += 10 {
		<-tick.C
		recs := make([]*format.Record, 10)
		for k := range recs {
			recs[k] = mixedRecord(i + k)
		}
		if err := c.writer.Append(ctx, recs...); err != nil && ctx.Err() == nil {
			c.t.Errorf("append beside %v: %v", c.url, err)
		}
	}
}

// at is the time within which so many of a hundred were answered.
func (c *mixture) at(kind string, percent int) time.Duration {
	all := c.took[kind]
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)*percent/100, len(all)-1)]
}

func (c *mixture) String() string {
	var b strings.Builder
	for _, kind := range []string{"cheap", "short text", "heavy"} {
		if n := len(c.took[kind]); n+c.late[kind] > 0 {
			fmt.Fprintf(&b, "  %s: p50 %v p99 %v of %d, %d told to come later", kind, c.at(kind, 50).Round(time.Microsecond),
				c.at(kind, 99).Round(time.Microsecond), n, c.late[kind])
		}
	}
	return b.String()
}

// TestHeavyQuestionsHoldUpNobody measures what heavy questions cost the others. The bounds are far from what is
// measured: they are for machines with much else to do.
func TestHeavyQuestionsHoldUpNobody(t *testing.T) {
	c := newMixture(t, 20_000)
	c.clients(0, 700*time.Millisecond)
	t.Logf("alone:%v", c)
	c.clients(6, 1500*time.Millisecond)
	t.Logf("beside 6 heavy clients:%v", c)
	for kind, limit := range map[string]time.Duration{"cheap": 2 * time.Second, "short text": 3 * time.Second} {
		if got := c.at(kind, 50); len(c.took[kind]) == 0 || got > limit || c.late[kind] > 0 {
			t.Errorf("%s beside heavy clients: half in %v of %d, %d told to come later; want some, all answered, half in %v", kind, got, len(c.took[kind]), c.late[kind], limit)
		}
	}
	if len(c.took["heavy"]) == 0 {
		t.Error("no heavy question was answered")
	}
}

// BenchmarkMixed is the same with SHIPLOG_BENCH_RECORDS (100,000) records and more time: go test -run - -bench Mixed
// -benchtime 1x ./httpd. Look at the ratios: clients and server share the processors.
func BenchmarkMixed(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("SHIPLOG_BENCH_RECORDS"))
	if err != nil {
		n = 100_000
	}
	c := newMixture(b, n)
	for b.Loop() {
		for _, heavy := range []int{0, 1, 4, 8} {
			c.clients(heavy, 5*time.Second)
			b.Logf("%d of 16 heavy:%v", heavy, c)
			for _, kind := range []string{"cheap", "short text"} {
				for _, percent := range []int{50, 99} {
					b.ReportMetric(float64(c.at(kind, percent).Microseconds())/1e3, fmt.Sprintf("%s-p%d-beside-%d-ms", strings.ReplaceAll(kind, " ", "-"), percent, heavy))
				}
			}
		}
	}
}
