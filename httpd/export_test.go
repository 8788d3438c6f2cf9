package httpd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shiplog/format"
)

// allowLoopback lets callbacks come to receivers of a test, soon.
func allowLoopback(o *Options) {
	o.ExportAllowedHosts, o.ExportRetryDelay = []string{"127.0.0.0/8"}, 10*time.Millisecond
}

// order asks for an export and returns its id.
func (b *box) order(path, body string) string {
	b.t.Helper()
	r := b.do("POST", path, body, "Authorization", "Bearer tok-admin", "Content-Type", "application/json")
	var a struct {
		ID string `json:"export_id"`
	}
	if err := json.Unmarshal([]byte(r.body), &a); r.status != 201 || err != nil || a.ID == "" {
		b.t.Fatalf("POST %s %s = %d %s, want 201 with an id", path, body, r.status, r.body)
	}
	return a.ID
}

// job is a copy of a job of the table; nil: there is none.
func (b *box) job(id string) *exportJob {
	x := b.server.exports
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.jobs[id] == nil {
		return nil
	}
	j := *x.jobs[id]
	return &j
}

// until waits for a job to be as wanted and returns it.
func (b *box) until(id, what string, wanted func(*exportJob) bool) *exportJob {
	b.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		j := b.job(id)
		if wanted(j) {
			return j
		}
		if time.Now().After(end) {
			b.t.Fatalf("job %s is %+v, want it %s", id, j, what)
		}
	}
}

func over(j *exportJob) bool { return j != nil && j.over() }

// messages are what a receiver was sent so far.
func (c *callbackReceiver) messages(t *testing.T) (all []exportMessage) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, body := range c.bodies {
		var m exportMessage
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Errorf("callback %q: %v", body, err)
		}
		all = append(all, m)
	}
	return all
}

func (b *box) exportFiles() (names []string) {
	entries, err := os.ReadDir(filepath.Join(b.dir, "exports"))
	if err != nil && !os.IsNotExist(err) {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestExportRefusals(t *testing.T) {
	b := quayBox(t, "fixture-quay.jsonl", nil)
	const own = "/api/v1/user/exportlogs"
	for name, row := range map[string]struct {
		token, path, body string
		status            int
		detail            string
	}{
		"no token":                                  {"", own, `{}`, 401, "Requires authentication"},
		"a token without the scope":                 {"org", own, `{}`, 403, "Unauthorized"},
		"no right, before the body is looked at":    {"org", "/api/v1/organization/other/exportlogs", `x`, 403, "Unauthorized"},
		"a namespace that is not there, no right":   {"org", "/api/v1/organization/nowhere/exportlogs", `{}`, 403, "Unauthorized"},
		"a namespace that is not there":             {"tok-admin", "/api/v1/organization/nowhere/exportlogs", `{}`, 400, "Invalid export request"},
		"a bad URL for one that is not there":       {"tok-admin", "/api/v1/organization/nowhere/exportlogs", `{"callback_url":"http://[::1]"}`, 400, "Invalid callback URL"},
		"no body":                                   {"tok-admin", own, ``, 400, "Missing JSON body"},
		"no JSON":                                   {"tok-admin", own, `{`, 400, "Missing JSON body"},
		"an array":                                  {"tok-admin", own, `[]`, 400, "Missing JSON body"},
		"null":                                      {"tok-admin", own, `null`, 400, "Missing JSON body"},
		"two objects":                               {"tok-admin", own, `{}{}`, 400, "Missing JSON body"},
		"a number as URL":                           {"tok-admin", own, `{"callback_url":1}`, 400, "Invalid callback_url: it must be a string"},
		"a list of addresses":                       {"tok-admin", own, `{"callback_email":["a@b"]}`, 400, "Invalid callback_email: it must be a string"},
		"a URL before an e-mail":                    {"tok-admin", own, `{"callback_url":"ftp://x","callback_email":"x"}`, 400, "Invalid URL scheme: only http and https are allowed"},
		"an e-mail before the range":                {"tok-admin", own + "?starttime=x", `{"callback_email":"x"}`, 400, "Invalid callback e-mail"},
		"an e-mail without a mailer":                {"tok-admin", own, `{"callback_email":"a@example.com"}`, 400, "E-mail callbacks are not configured"},
		"a range the wrong way around":              {"tok-admin", own + "?starttime=03/07/2025&endtime=03/01/2025", `{}`, 400, "Invalid time span selected"},
		"a bad day in the body":                     {"tok-admin", own, `{"starttime":"yesterday"}`, 400, "Invalid starttime"},
		"a body of more than 16 KiB":                {"tok-admin", own, `{"x":"` + strings.Repeat("x", maxExportBody) + `"}`, 413, "Body is larger than 16384 bytes"},
		"a line break in an e-mail":                 {"tok-admin", own, `{"callback_email":"a@example.com\r\nBcc: b@example.com"}`, 400, "Invalid callback e-mail"},
		"two e-mails":                               {"tok-admin", own, `{"callback_email":"a@example.com, b@example.com"}`, 400, "Invalid callback e-mail"},
		"an e-mail that would be an option":         {"tok-admin", own, `{"callback_email":"-OQueueDirectory=/tmp@example.com"}`, 400, "Invalid callback e-mail"},
		"an e-mail with a name and a second one":    {"tok-admin", own, `{"callback_email":"<a@example.com> <b@example.com>"}`, 400, "Invalid callback e-mail"},
		"an e-mail that is longer than they may be": {"tok-admin", own, `{"callback_email":"` + strings.Repeat("a", maxAddress) + `@example.com"}`, 400, "Invalid callback e-mail"},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.do("POST", row.path, row.body, "Authorization", "Bearer "+row.token)
			var e apiError
			if err := json.Unmarshal([]byte(r.body), &e); err != nil || r.status != row.status || e.Detail != row.detail {
				t.Errorf("POST %s %s = %d %s, want %d %q", row.path, cutText(row.body, 200), r.status, r.body, row.status, row.detail)
			}
		})
	}
	if got := b.exportFiles(); got != nil {
		t.Errorf("refused exports left %v", got)
	}
	wantKinds(t, b, "export_logs_failure")
}

// wantKinds checks that the newest log of the caller holds exactly these kinds about exports.
func wantKinds(t *testing.T, b *box, want ...string) {
	t.Helper()
	var got []string
	for _, l := range b.quayPage("tok-admin", "/api/v1/user/logs").Logs {
		if !slices.Contains(got, l.Kind) {
			got = append(got, l.Kind)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("kinds %v, want %v", got, want)
	}
}

func TestExportIsOff(t *testing.T) {
	for name, tweak := range map[string]func(*Options){
		"a server that only reads": func(o *Options) { o.Append = nil },
		"no directory":             func(o *Options) { o.Exports = "" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, "fixture-quay.jsonl", tweak)
			r := b.do("POST", "/api/v1/user/exportlogs", "{}", "Authorization", "Bearer tok-admin")
			wantAPIError(t, "an export", r, 405, "invalid_request")
			if _, there := r.header["Allow"]; !there {
				t.Error("405 without Allow")
			}
			wantAPIError(t, "a download", b.do("GET", "/exportedlogs/x", ""), 404, "not_found")
		})
	}
}

func TestExportWithoutCallbackAndItsRecord(t *testing.T) {
	now := time.Date(2025, 3, 6, 12, 0, 0, 0, time.UTC).UnixNano()
	clock := func() time.Time { return time.Unix(0, atomic.LoadInt64(&now)) }
	b := newBox(t, "fixture-quay.jsonl", func(o *Options) { o.Now, o.PublicURL, o.QuayExportStatus = clock, "https://logs.example.com/x/", 201 })
	id := b.order("/api/v1/repository/admin/web/exportlogs", `{"starttime":"2025-03-04","endtime":"03/04/2025","callback_url":""}`)
	j := b.until(id, "over", over)
	if j.State != exportDone || !strings.HasPrefix(j.url(), "https://logs.example.com/x/exportedlogs/"+id+"-") {
		t.Fatalf("job %+v with %s, want it done under the public URL", j, j.url())
	}
	for _, name := range []string{id + jobFile, id + logsFile} {
		if fi, err := os.Stat(filepath.Join(b.dir, "exports", name)); err != nil || fi.Mode() != 0o600 {
			t.Errorf("%s: %v %v, want mode 0600", name, fi, err)
		}
	}
	page := b.quayPage("tok-admin", "/api/v1/organization/admin/logs?starttime=2025-03-06&endtime=2025-03-06")
	if meta := page.Logs[len(page.Logs)-1].Metadata; len(page.Logs) == 0 || !slices.ContainsFunc(page.Logs, func(l quayLog) bool {
		return l.Kind == "export_logs_success" && l.Metadata["export_id"] == id && l.Metadata["repo"] == "web" && l.Metadata["message"] == "queued for export"
	}) {
		t.Errorf("no record of the export; last metadata %v", meta)
	}
	name := "/exportedlogs/" + id + "-" + j.Secret
	r := b.do("GET", name, "")
	var file struct{ Logs []map[string]any }
	if err := json.Unmarshal([]byte(r.body), &file); err != nil || r.status != 200 || r.header.Get("Content-Type") != "application/json" {
		t.Fatalf("download = %d %v", r.status, err)
	}
	if n := len(file.Logs); n < 5 || file.Logs[n-1]["terminator"] != true {
		t.Errorf("%d logs, the last %v, want a terminator", n, file.Logs[n-1])
	}
	if h := b.do("HEAD", name, ""); h.status != 200 || h.body != "" || h.header.Get("Content-Length") != fmt.Sprint(len(r.body)) {
		t.Errorf("HEAD = %d %v", h.status, h.header)
	}
	wantAPIError(t, "another method", b.do("DELETE", name, ""), 405, "invalid_request")
	other := strings.Repeat("0", len(j.Secret))
	for _, bad := range []string{id, id + "-", id + "-" + other, id + jobFile, id + logsFile, "..%2F" + id + logsFile, "%2e%2e%2Faccounts.json", id + "-" + j.Secret + "x",
		id + "/" + j.Secret, j.Secret + "-" + id, strings.ToUpper(id) + "-" + j.Secret} {
		if r := b.do("GET", "/exportedlogs/"+bad, ""); r.status != 404 {
			t.Errorf("GET %s = %d %s, want 404", bad, r.status, r.body)
		}
	}
	atomic.AddInt64(&now, int64(exportLife-time.Second))
	if r := b.do("GET", name, ""); r.status != 200 {
		t.Errorf("download after 59 min = %d, want 200", r.status)
	}
	atomic.AddInt64(&now, int64(time.Second))
	wantAPIError(t, "a download after an hour", b.do("GET", name, ""), 404, "not_found")
	b.server.exports.ring() // its timer does not know the clock of this test
	b.until(id, "forgotten", func(j *exportJob) bool { return j == nil })
	if got := b.exportFiles(); len(got) != 0 {
		t.Errorf("left after an hour: %v", got)
	}
}

func TestExportHoldsNothingLater(t *testing.T) {
	b := newBox(t, "", allowLoopback)
	b.append(registry("admin", "web", "eve", "pull_repo"))
	b.append(registry("admin", "web", "eve", "push_repo"))
	id := b.order("/api/v1/organization/admin/exportlogs", `{}`)
	b.append(registry("admin", "web", "eve", "late"))
	j := b.until(id, "over", over)
	r := b.do("GET", strings.TrimPrefix(j.url(), b.url), "")
	if strings.Contains(r.body, "late") || strings.Contains(r.body, "export_logs") || strings.Count(r.body, `"kind":"p`) != 2 ||
		strings.Index(r.body, "pull_repo") > strings.Index(r.body, "push_repo") {
		t.Errorf("export = %s, want the two records from before it", r.body)
	}
}

func TestExportRetries(t *testing.T) {
	var logged lockedBuffer
	for name, row := range map[string]struct {
		replies     []int
		calls       int
		state, said string
	}{
		"two failures":         {[]int{500, 302, 200}, 3, exportDone, "export delivered"},
		"three failures":       {[]int{500, 201, 404, 200}, 4, exportDone, "export delivered"},
		"one failure too many": {[]int{500, 500, 500, 500, 200}, 4, exportFailed, "export message given up"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, "fixture-quay.jsonl", func(o *Options) {
				allowLoopback(o)
				o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
			})
			c := newCallbackReceiver(t)
			c.replies = slices.Clone(row.replies)
			id := b.order("/api/v1/organization/admin/exportlogs", `{"callback_url":"`+c.url+`/hook?key=hidden"}`)
			j := b.until(id, "over", over)
			time.Sleep(50 * time.Millisecond) // nothing more comes
			if got := c.messages(t); len(got) != row.calls || j.State != row.state {
				t.Errorf("%d calls and state %s, want %d and %s", len(got), j.State, row.calls, row.state)
			}
			text := logged.String()
			if !strings.Contains(text, row.said) || strings.Contains(text, "hidden") || strings.Contains(text, j.Secret) {
				t.Errorf("log lines %s, want %q and no secret", text, row.said)
			}
			page := b.quayPage("tok-admin", "/api/v1/organization/admin/logs")
			if u := fmt.Sprint(page.Logs[0].Metadata["url"]); u != c.url+"/hook" {
				t.Errorf("recorded url %s, want it without its query", u)
			}
		})
	}
}

// lockedBuffer is a buffer that several may write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestExportsAreBounded(t *testing.T) {
	b := newBox(t, "fixture-quay.jsonl", func(o *Options) {
		allowLoopback(o)
		o.ExportRetryDelay = time.Hour
	})
	c := newCallbackReceiver(t)
	for range maxOpenExports + 20 {
		c.replies = append(c.replies, 500)
	}
	const own = maxOpenExports / ownShare
	var wg sync.WaitGroup
	var taken, refused atomic.Int64
	for range 4 {
		wg.Go(func() {
			for range own/4 + 3 {
				r := b.do("POST", "/api/v1/organization/admin/exportlogs", `{"callback_url":"`+c.url+`"}`, "Authorization", "Bearer tok-admin")
				switch {
				case r.status == 201:
					taken.Add(1)
				case r.status == 429 && r.header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					t.Errorf("export = %d %s", r.status, r.body)
				}
			}
		})
	}
	wg.Wait()
	if taken.Load() != own || refused.Load() != 12 {
		t.Errorf("%d taken, %d refused, want %d and 12", taken.Load(), refused.Load(), own)
	}
	if r := b.do("POST", "/api/v1/user/exportlogs", "{}", "Authorization", "Bearer tok-limited"); r.status != 201 {
		t.Errorf("export of another user = %d %s, want 201: one user takes not all places", r.status, r.body)
	}
	x := b.server.exports
	for i := range ownShare {
		for range own {
			_ = x.reserve(fmt.Sprint("user ", i))
		}
	}
	if err := x.reserve("one more"); err == nil {
		t.Error("there is no bound for all users together")
	}
}

func TestLargeExport(t *testing.T) {
	n := 100_000
	if testing.Short() || fewer > 1 {
		n = 10_000
	}
	b := newBox(t, "", allowLoopback)
	for done := 0; done < n; done += 1000 {
		recs := make([]*format.Record, 1000)
		for i := range recs {
			recs[i] = registry("big", "web", "eve", fmt.Sprintf("pull_repo%d", i%7))
		}
		if err := b.writer.Write(recs...); err != nil {
			t.Fatal(err)
		}
	}
	var before, now runtime.MemStats
	b.quayPage("tok-admin", "/api/v1/organization/big/logs") // columns are built
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	id := b.order("/api/v1/organization/big/exportlogs", `{}`)
	peak := before.HeapAlloc
	for end := time.Now().Add(3 * time.Minute); !over(b.job(id)); time.Sleep(100 * time.Millisecond) {
		runtime.GC()
		runtime.ReadMemStats(&now)
		if peak = max(peak, now.HeapAlloc); time.Now().After(end) {
			t.Fatal("not done in time")
		}
	}
	t.Logf("%d records in %s, heap grew by %d KiB", n, time.Since(began), (peak-before.HeapAlloc)>>10)
	if grown := peak - before.HeapAlloc; grown > 16<<20 {
		t.Errorf("heap grew by %d bytes, want less than 16 MiB", grown)
	}
	u, err := url.Parse(b.job(id).url())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(b.do("GET", u.Path, "").body, `"kind":"pull_repo`); got != n {
		t.Errorf("%d records, want %d", got, n)
	}
}
