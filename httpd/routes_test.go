package httpd

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const testProject = "0123456789abcdef0123456789abcdef"

// routeRow is one route, and what it answers to who shows no credential.
type routeRow struct {
	dialect, method, path, target string // target is a path that matches
	status                        int
	allow                         string // of a 405
}

// routeTable is every route of every dialect.
func routeTable() (all []routeRow) {
	add := func(dialect, method, path, target string, status int, allow string) {
		all = append(all, routeRow{dialect, method, path, target, status, allow})
	}
	for prefix, dialect := range map[string]string{"/api/v1": "qnap-v1", "/container-station/api/v1": "qnap-v2", "/containerstation/api/v1": "qnap-v2"} {
		same := func(method, path string, status int, allow string) {
			add(dialect, method, prefix+path, prefix+path, status, allow)
		}
		same("POST", "/login", 400, "POST") // without a body
		same("GET", "/login_refresh", 401, "GET, HEAD")
		same("PUT", "/logout", 401, "PUT")
		same("GET", "/log", 401, "DELETE, GET, HEAD")
		same("DELETE", "/log", 401, "DELETE, GET, HEAD")
		same("GET", "/log/export", 401, "GET, HEAD")
		same("GET", "/event", 401, "GET, HEAD")
		same("GET", "/container", 401, "GET, HEAD")
		add(dialect, "GET", prefix+"/event/wait/{type}/{id}/{state}", prefix+"/event/wait/docker/web/running", 401, "GET, HEAD")
		add(dialect, "GET", prefix+"/container/{type}/{id}", prefix+"/container/lxc/web", 401, "GET, HEAD")
	}
	for path, target := range map[string]string{"/api/v1/user": "/api/v1/user", "/api/v1/organization/{orgname}": "/api/v1/organization/admin",
		"/api/v1/repository/{repository...}": "/api/v1/repository/admin/web"} {
		add("quay", "GET", path+"/logs", target+"/logs", 401, "GET, HEAD")
		add("quay", "GET", path+"/aggregatelogs", target+"/aggregatelogs", 401, "GET, HEAD")
		add("quay", "POST", path+"/exportlogs", target+"/exportlogs", 401, "POST")
	}
	add("quay", "GET", "/api/v1/error/{type}", "/api/v1/error/not_found", 200, "GET, HEAD")
	add("quay", "GET", "/exportedlogs/{file}", "/exportedlogs/nothing", 404, "GET, HEAD")
	add("hss", "GET", "/v5/{project_id}/container/image/events", "/v5/"+testProject+"/container/image/events", 401, "GET, HEAD")
	for _, slash := range []string{"", "/"} {
		add("aos", "GET", "/v1/journal"+slash, "/v1/journal"+slash, 401, "GET, HEAD, POST")
		add("aos", "POST", "/v1/journal"+slash, "/v1/journal"+slash, 401, "GET, HEAD, POST")
		add("aos", "GET", "/v1/journal/count"+slash, "/v1/journal/count"+slash, 401, "GET, HEAD")
		add("aos", "GET", "/v1/journal/{id}"+slash, "/v1/journal/47"+slash, 401, "GET, HEAD")
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.yaml"} {
		add("native", "GET", path, path, 200, "GET, HEAD")
	}
	add("native", "GET", "/checkpoint", "/checkpoint", 404, "GET, HEAD") // the log of the test is not sealed
	return all
}

// wantShape checks that an answer is an error of a dialect, by what a client of it looks at. Its other members
// and headers are held to openapi.yaml.
func wantShape(t *testing.T, what, dialect string, got reply, status int) {
	t.Helper()
	if dialect != "quay" && dialect != "hss" && dialect != "aos" {
		wantError(t, what, got, status)
		return
	}
	var body struct {
		Status    int
		ErrorType string `json:"error_type"`
		Code      string `json:"error_code"`
		Text      string `json:"error_msg"`
		RequestID string `json:"request_id"`
		Error     struct {
			Code           int
			Title, Message string
		}
	}
	err := json.Unmarshal([]byte(got.body), &body)
	right := false
	switch dialect {
	case "quay":
		right = body.Status == status && body.ErrorType != ""
	case "hss":
		right = body.Code != "" && body.Text != "" && body.RequestID == got.header.Get("X-Request-Id")
	case "aos":
		right = body.Error.Code == status && body.Error.Title == http.StatusText(status) && body.Error.Message != "" &&
			(status != 401 || strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Keystone uri="))
	}
	if got.status != status || err != nil || !right {
		t.Errorf("%s = %d %s (%v), want %d in the shape of %s", what, got.status, cutText(got.body, 300), err, status, dialect)
	}
}

// TestRouteTable sends to every route of one listener what it should take and what it should not.
func TestRouteTable(t *testing.T) {
	b := newBox(t, "", nil)
	rows := routeTable()
	served := map[string]string{} // method and path -> dialect
	for _, d := range b.server.dialects {
		for _, rt := range d.routes {
			served[rt.method+" "+rt.path] = d.name
		}
	}
	for _, row := range rows {
		if served[row.method+" "+row.path] != row.dialect {
			t.Errorf("%s %s belongs to %q, want %q", row.method, row.path, served[row.method+" "+row.path], row.dialect)
		}
		delete(served, row.method+" "+row.path)
	}
	for _, key := range slices.Sorted(maps.Keys(served)) {
		t.Errorf("%s is a route, but not in this table", key)
	}
	for _, row := range rows {
		b.tryRoute(t, row)
	}
	if got := b.do("GET", "/metrics", ""); got.status == 200 {
		for _, dialect := range []string{"qnap-v1", "qnap-v2", "quay", "hss", "aos", "native"} {
			if !strings.Contains(got.body, `shiplog_http_requests_total{code="405",dialect="`+dialect+`",method=`) {
				t.Errorf("metrics do not tell of the 405s of %s", dialect)
			}
		}
	}
}

// tryRoute sends requests without a credential to one route. Nothing may be answered by a redirect: clients
// take one for success, or lose their body.
func (b *box) tryRoute(t *testing.T, row routeRow) {
	t.Helper()
	const mib = 1 << 20
	what := row.method + " " + row.target
	got := b.do(row.method, row.target, "")
	if row.status == 200 && got.status != 200 {
		t.Errorf("%s = %d, want 200 without a credential", what, got.status)
	}
	if row.status != 200 {
		wantShape(t, what, row.dialect, got, row.status)
	}
	if row.method == "GET" {
		if head := b.do("HEAD", row.target, ""); head.status != row.status || head.body != "" || head.header.Get("Content-Type") != got.header.Get("Content-Type") {
			t.Errorf("HEAD %s = %d %q, want %d with GET's header", row.target, head.status, head.body, row.status)
		}
	}
	for _, method := range []string{"PATCH", "OPTIONS", "BREW"} {
		got := b.do(method, row.target, "")
		wantShape(t, method+" "+row.target, row.dialect, got, 405)
		if allow := got.header.Get("Allow"); allow != row.allow {
			t.Errorf("%s %s: Allow = %q, want %q", method, row.target, allow, row.allow)
		}
	}
	wantShape(t, what+" on another host", row.dialect, b.do(row.method, row.target, "", "Host", "evil.example"), 421)
	wantShape(t, what+" with a long query", row.dialect, b.do(row.method, row.target+"?q="+strings.Repeat("a", 16<<10), ""), 414)
	wantShape(t, what+" with a large body", row.dialect, b.do(row.method, row.target, strings.Repeat("a", mib+1)), 413)
	wantShape(t, what+" under a longer name", row.dialect, b.do(row.method, row.target+"/"+strings.Repeat("a", 16<<10), ""), 414)
	for _, odd := range oddTargets(row) {
		if got := b.do(row.method, odd, ""); !slices.Contains([]int{401, 404, 405, row.status}, got.status) {
			t.Errorf("%s %s = %d, want 404, 405 or what %s answers", row.method, odd, got.status, row.target)
		}
	}
}

// oddTargets are other ways to write a path that a lenient server would lead to it.
func oddTargets(row routeRow) []string {
	last := strings.LastIndexByte(row.target, '/')
	head, tail := row.target[:last], row.target[last+1:]
	return []string{
		row.target + "/", row.target + "//", "/" + row.target, head + "//" + tail, head + "/./" + tail, head + "/x/../" + tail,
		head + "/%2F" + tail, "/%2e" + row.target, row.target + "%2F", row.target + "%00", row.target + ";x", strings.ToUpper(row.target),
		row.target + "?", row.target + "?%", row.target + "?%zz=%zz&&=&=",
	}
}

// TestUnknownPathsAreAnsweredByTheOwnerOfThePrefix asks for what nobody serves.
func TestUnknownPathsAreAnsweredByTheOwnerOfThePrefix(t *testing.T) {
	b := newBox(t, "", nil)
	for target, dialect := range map[string]string{
		"/": "native", "/nope": "native", "/healthz/": "native", "/metrics/x": "native", "/openapi.yml": "native",
		"/api": "native", "/api/": "native", "/api/v2/log": "native", "/api/v10": "native", "//api/v1/log": "native", "/API/v1/log": "native",
		"/v1": "native", "/v1/": "native", "/v1/journals": "native", "/v1/events": "native", "/v3/auth/tokens": "native", "/v50/x": "native",
		"/api/v1": "qnap-v1", "/api/v1/": "qnap-v1", "/api/v1/nope": "qnap-v1", "/api/v1/logs": "qnap-v1", "/api/v1/users/logs": "qnap-v1",
		"/api/v1/organizations": "qnap-v1", "/api/v1/superuser/logs": "qnap-v1", "/api/v1//log": "qnap-v1", "/api/v1/./log": "qnap-v1",
		"/container-station/api/v1/nope": "qnap-v2", "/containerstation/api/v1": "qnap-v2", "/container-station/api/v1/log/": "qnap-v2",
		"/container-station/api/v2/log": "native", "/container-station": "native",
		"/api/v1/user": "quay", "/api/v1/user/": "quay", "/api/v1/user/nope": "quay", "/api/v1/user/logs/": "quay", "/api/v1/user/../log": "quay",
		"/api/v1/organization": "quay", "/api/v1/organization/a/b/logs": "quay", "/api/v1/organization//logs": "quay",
		"/api/v1/repository/logs": "quay", "/api/v1/repository//logs": "quay", "/api/v1/repository/a/b": "quay",
		"/api/v1/error": "quay", "/api/v1/error/not_found/": "quay", "/exportedlogs": "quay", "/exportedlogs/a/b": "quay",
		"/v5": "hss", "/v5/": "hss", "/v5/p1/container/image": "hss", "/v5/p1/container/image/events/": "hss", "/v5//container/image/events": "hss",
		"/v5/p1/container/image/events/1": "hss", "/v1/journal/47/x": "aos", "/v1/journal//": "aos", "/v1/journal/count/x": "aos",
	} {
		wantShape(t, "GET "+target, dialect, b.do("GET", target, ""), 404)
		if got := b.do("HEAD", target, ""); got.status != 404 || got.body != "" {
			t.Errorf("HEAD %s = %d %q, want 404", target, got.status, got.body)
		}
		if got := b.do("DELETE", target, ""); got.status != 404 {
			t.Errorf("DELETE %s = %d, want 404", target, got.status)
		}
	}
}
