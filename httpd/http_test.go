package httpd

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"shiplog/format"
	"shiplog/index"
)

// wantError checks that an answer is an error in the shape of Container Station.
func wantError(t *testing.T, what string, got reply, status int) {
	t.Helper()
	var body struct {
		Error struct {
			Code    int
			Message string
		}
	}
	var members map[string]json.RawMessage
	err := json.Unmarshal([]byte(got.body), &body)
	if err == nil {
		err = json.Unmarshal([]byte(got.body), &members)
	}
	if got.status != status || err != nil || body.Error.Code != status || body.Error.Message == "" || len(members) != 1 {
		t.Errorf("%s = %d %q (%v), want %d with an error body", what, got.status, got.body, err, status)
	}
	if !strings.HasPrefix(got.body, "{\n  \"error\"") || !strings.HasSuffix(got.body, "}\n") {
		t.Errorf("%s: body %q, want two-space indentation and a final newline", what, got.body)
	}
	if ct := got.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("%s: Content-Type = %q, want application/json", what, ct)
	}
}

func TestErrorShapes(t *testing.T) {
	b := newBox(t, "", nil)
	admin, alice := b.cookie("admin"), b.cookie("alice")
	for _, row := range []struct {
		name, method, path, cookie string
		status                     int
		allow                      string
	}{
		{"no session on the list", "GET", "/log", "", 401, ""},
		{"no session on the export", "GET", "/log/export", "", 401, ""},
		{"no session on the clear", "DELETE", "/log", "", 401, ""},
		{"no session on events", "GET", "/event", "", 401, ""},
		{"no session on a wait", "GET", "/event/wait/docker/x/running", "", 401, ""},
		{"no session on the refresh", "GET", "/login_refresh", "", 401, ""},
		{"no session on the logout", "PUT", "/logout", "", 401, ""},
		{"no session on containers", "GET", "/container", "", 401, ""},
		{"a session id that was made up", "GET", "/log", "CS_SESS_ID=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 401, ""},
		{"a clear by somebody who is no administrator", "DELETE", "/log", alice, 403, ""},
		{"an unknown path", "GET", "/logs", admin, 404, ""},
		{"an unknown path without a session", "GET", "/nope", "", 404, ""},
		{"a trailing slash", "GET", "/log/", admin, 404, ""},
		{"the prefix alone", "GET", "", admin, 404, ""},
		{"half a wait", "GET", "/event/wait/docker/x", admin, 404, ""},
		{"a wait without an id", "GET", "/event/wait/docker//running", admin, 404, ""},
		{"a POST to the list", "POST", "/log", admin, 405, "DELETE, GET, HEAD"},
		{"a GET of the login", "GET", "/login", "", 405, "POST"},
		{"a GET of the logout", "GET", "/logout", admin, 405, "PUT"},
		{"a DELETE of the export", "DELETE", "/log/export", admin, 405, "GET, HEAD"},
		{"a POST to events", "POST", "/event", admin, 405, "GET, HEAD"},
		{"a strange method", "BREW", "/event", admin, 405, "GET, HEAD"},
		{"an unknown container type", "GET", "/event/wait/podman/x/running", admin, 400, ""},
		{"an unknown state", "GET", "/event/wait/docker/x/paused", admin, 400, ""},
		{"a negative duration", "GET", "/event/wait/docker/x/running?duration=-1", admin, 400, ""},
		{"a duration that is no integer", "GET", "/event/wait/docker/x/running?duration=1.5", admin, 400, ""},
		{"an unknown container", "GET", "/container/docker/nope", admin, 404, ""},
		{"a container of an unknown type", "GET", "/container/podman/nope", admin, 400, ""},
		{"an index after the offset", "GET", "/event?index=5&offset=4", admin, 400, ""},
		{"an integer that does not fit", "GET", "/log?limit=99999999999999999999", admin, 400, ""},
	} {
		for _, prefix := range []string{"/container-station/api/v1", "/containerstation/api/v1", "/api/v1"} {
			got := b.do(row.method, prefix+row.path, "", "Cookie", row.cookie)
			wantError(t, row.name+" under "+prefix, got, row.status)
			if allow := got.header.Get("Allow"); allow != row.allow {
				t.Errorf("%s: Allow = %q, want %q", row.name, allow, row.allow)
			}
		}
	}
	wantError(t, "a path that nobody owns", b.do("GET", "/nope", ""), 404)
	wantError(t, "a prefix that is only the beginning of a word", b.do("GET", "/api/v10/log", ""), 404)
}

func TestParameterErrorsNameTheParameter(t *testing.T) {
	b := newBox(t, "", nil)
	cookie := b.cookie("admin")
	for query, name := range map[string]string{
		"limit=x": "limit", "limit=0": "limit", "limit=-1": "limit", "offset=-1": "offset", "start=1e3": "start", "time_end=5.0": "time_end",
	} {
		got := b.do("GET", "/container-station/api/v1/log?"+query, "", "Cookie", cookie)
		wantError(t, query, got, 400)
		if !strings.Contains(got.body, "parameter "+name) {
			t.Errorf("%s: %s, want it to name %s", query, got.body, name)
		}
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", nil)
	cookie := b.cookie("admin")
	for _, path := range []string{"/api/v1/log", "/api/v1/event", "/api/v1/login_refresh", "/api/v1/container", "/api/v1/log/export", "/healthz", "/readyz"} {
		get, head := b.do("GET", path, "", "Cookie", cookie), b.do("HEAD", path, "", "Cookie", cookie)
		if head.status != 200 || head.body != "" || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("HEAD %s = %d %q %q, want 200 with GET's type", path, head.status, head.body, head.header.Get("Content-Type"))
		}
		if want := get.header.Get("Content-Length"); head.header.Get("Content-Length") != want {
			t.Errorf("HEAD %s: Content-Length %s, want %s", path, head.header.Get("Content-Length"), want)
		}
	}
}

func TestHostAndOrigin(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.Hosts = []string{"Logs.example.org"} })
	hostname, _ := os.Hostname()
	for host, want := range map[string]int{
		"127.0.0.1": 401, "127.0.0.1:80": 401, "192.168.7.1:7446": 401, "[::1]": 401, "[2001:db8::1]:7446": 401, "localhost": 401, "LOCALHOST:1": 401,
		hostname: 401, "logs.example.org": 401, "logs.example.org.:7446": 401,
		"evil.example": 421, "logs.example.org.evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example:80": 421, "1": 421,
	} {
		got := b.do("GET", "/api/v1/log", "", "Host", host)
		wantError(t, "Host "+host, got, want)
	}
	cookie := b.cookie("admin")
	own := strings.TrimPrefix(b.url, "http://")
	for _, row := range []struct {
		name   string
		header []string
		status int
	}{
		{"no browser", nil, 200},
		{"a page of this server", []string{"Origin", "http://" + own}, 200},
		{"another site's page", []string{"Origin", "http://evil.example"}, 403},
		{"another port's page", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"a page that hides where it is from", []string{"Origin", "null"}, 403},
		{"this server by another name", []string{"Origin", "http://localhost" + own[strings.Index(own, ":"):]}, 403},
		{"another site's page by its own word", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"this site's page by its own word", []string{"Sec-Fetch-Site", "same-origin"}, 200},
	} {
		got := b.do("DELETE", "/api/v1/log", "", append([]string{"Cookie", cookie}, row.header...)...)
		if row.status == 200 && got.status != 200 {
			t.Errorf("%s: DELETE = %d %s, want 200", row.name, got.status, got.body)
		}
		if row.status != 200 {
			wantError(t, row.name, got, row.status)
		}
	}
	for _, row := range [][2]string{{"POST", "/api/v1/login"}, {"PUT", "/api/v1/logout"}} {
		wantError(t, row[0]+" from another page", b.do(row[0], row[1], "username=admin&password=admin-pw", "Cookie", cookie, "Origin", "null"), 403)
	}
	if got := b.do("GET", "/api/v1/log", "", "Cookie", cookie, "Origin", "http://evil.example"); got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a reading from another page = %d, Allow-Origin %q, want 200 and no permission to see it",
			got.status, got.header.Get("Access-Control-Allow-Origin"))
	}
}

func TestReadOnlyServer(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", func(o *Options) { o.Append, o.Inspect, o.List = nil, nil, nil })
	cookie := b.cookie("admin")
	got := b.do("DELETE", "/container-station/api/v1/log", "", "Cookie", cookie)
	wantError(t, "DELETE log", got, 405)
	if got.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow = %q, want GET, HEAD", got.header.Get("Allow"))
	}
	wantError(t, "container list", b.do("GET", "/api/v1/container", "", "Cookie", cookie), 503)
	wantError(t, "wait", b.do("GET", "/api/v1/event/wait/lxc/u/running", "", "Cookie", cookie), 503)
	if got := b.do("GET", "/api/v1/log?limit=1", "", "Cookie", cookie); got.status != 200 || !strings.Contains(got.body, `"id": 59`) {
		t.Errorf("GET log = %d %s, want the newest record", got.status, got.body)
	}
	if seq, _ := b.writer.Last(); seq != 180 {
		t.Errorf("newest seq = %d, want 180: a read-only server writes nothing", seq)
	}
}

func TestPanicIsAnsweredWithoutItsStack(t *testing.T) {
	b := newBox(t, "", func(o *Options) {
		o.Inspect = func(context.Context, string, string) (format.Container, error) { panic("kaboom") }
	})
	got := b.do("GET", "/api/v1/container/docker/x", "", "Cookie", b.cookie("admin"))
	wantError(t, "a panic", got, 500)
	if strings.Contains(got.body, "kaboom") || strings.Contains(got.body, "goroutine") {
		t.Errorf("answer tells of the panic: %s", got.body)
	}
	wantError(t, "the next request", b.do("GET", "/api/v1/log", ""), 401)
}

func TestHealthReadyMetrics(t *testing.T) {
	var reasons []string
	b := newBox(t, "fixture-qnap.jsonl", func(o *Options) { o.Ready = func() []string { return reasons }; o.Version = "v9" })
	if got := b.do("GET", "/healthz", ""); got.status != 200 {
		t.Errorf("healthz = %d, want 200", got.status)
	}
	if got := b.do("GET", "/readyz", ""); got.status != 200 || !strings.Contains(got.body, `"reasons": []`) {
		t.Errorf("readyz = %d %s, want 200 without reasons", got.status, got.body)
	}
	reasons = []string{"index is 5 records behind"}
	if got := b.do("GET", "/readyz", ""); got.status != 503 || !strings.Contains(got.body, reasons[0]) {
		t.Errorf("readyz = %d %s, want 503 with the reason", got.status, got.body)
	}
	cookie := b.cookie("admin")
	b.do("GET", "/api/v1/log", "", "Cookie", cookie)
	b.do("GET", "/container-station/api/v1/log", "")
	got := b.do("GET", "/metrics", "")
	for _, want := range []string{
		`shiplog_http_requests_total{code="200",dialect="qnap-v1",method="GET"} 1`,
		`shiplog_http_requests_total{code="401",dialect="qnap-v2",method="GET"} 1`,
		`shiplog_http_request_duration_seconds_count{dialect="qnap-v1"} 1`,
		`shiplog_auth_failures_total{reason="no_credential"} 1`,
		`shiplog_http_requests_in_flight 1`,
		`shiplog_http_logins_total{outcome="success"} 1`,
		`shiplog_http_sessions 1`,
		`shiplog_build_info{goversion="go`,
		`revision="unknown",version="v9"} 1`,
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("metrics lack %s in\n%s", want, got.body)
		}
	}
}

func TestNewRefusesWhatItCannotServe(t *testing.T) {
	a, _ := emptyAccounts(t)
	if _, err := New(Options{Accounts: a}); err == nil {
		t.Error("New without an index = nil")
	}
	if _, err := New(Options{Index: new(index.Index), Accounts: a, Settings: Settings{QNAPRootEventFormat: "v3"}}); err == nil || !strings.Contains(err.Error(), "v3") {
		t.Errorf("New with event format v3 = %v, want an error that names it", err)
	}
}

func TestHandlerWorksWithoutRun(t *testing.T) {
	b := newBox(t, "", nil)
	s, err := New(Options{Index: b.index, Accounts: b.server.opts.Accounts, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/api/v1/log", nil))
	if w.Code != 401 {
		t.Errorf("status = %d, want 401", w.Code)
	}
}

func FuzzRoutes(f *testing.F) {
	f.Add("GET", "/api/v1/event/wait/docker/a%2Fb/running")
	f.Add("HEAD", "/containerstation/api/v1/log%2Fexport")
	f.Add("PUT", "//%zz/../")
	s := &Server{}
	all := sortDialects(slices.Concat(qnapDialects(s), quayDialects(s), []*dialect{nativeDialect(s)}))
	f.Add("GET", "/api/v1/repository/a%2Fb/c/logs")
	f.Fuzz(func(t *testing.T, method, path string) {
		d := dialectOf(all, path)
		rt, vars, err := d.find(method, path)
		if (rt == nil) != (err != nil) {
			t.Errorf("find(%q, %q) = %v, %v", method, path, rt, err)
		}
		if rt != nil && len(vars) != strings.Count(rt.path, "{") {
			t.Errorf("find(%q, %q): %d values for %s", method, path, len(vars), rt.path)
		}
	})
}
