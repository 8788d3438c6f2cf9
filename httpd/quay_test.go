package httpd

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// quayTokens are tokens with each of the registry's scopes.
const quayTokens = `{"qnap_users":[{"name":"root","password":"x","admin":true}],"tokens":[
	{"token":"org","user":"alice","scopes":["org:admin"],"namespaces":["team","other/app"]},
	{"token":"repo","user":"alice","scopes":["repo:admin"],"namespaces":["team","other/app"]},
	{"token":"root","user":"root","scopes":["org:admin","repo:admin"]},
	{"token":"bob","user":"bob","scopes":["user:admin"]},
	{"token":"old","user":"alice","scopes":["super:user"],"expires":"2020-01-01T00:00:00Z"}]}`

// quayBox is a box whose accounts have quayTokens too.
func quayBox(t *testing.T, fixture string, tweak func(*Options)) *box {
	t.Helper()
	b := newBox(t, fixture, tweak)
	if _, err := b.accounts().Apply(strings.NewReader(quayTokens)); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *box) bearer(token, path string) reply {
	b.t.Helper()
	return b.do("GET", path, "", "Authorization", "Bearer "+token)
}

// quayPage is one answer of a list, which must be one.
func (b *box) quayPage(token, path string) (page quayList) {
	b.t.Helper()
	r := b.bearer(token, path)
	if err := json.Unmarshal([]byte(r.body), &page); r.status != 200 || err != nil {
		b.t.Fatalf("GET %s = %d %s %v, want a list", path, r.status, r.body, err)
	}
	return page
}

func wantAPIError(t *testing.T, what string, r reply, status int, typ string) {
	t.Helper()
	var e apiError
	if err := json.Unmarshal([]byte(r.body), &e); err != nil || r.status != status || e.Status != status || e.ErrorType != typ || e.Title != typ ||
		!strings.HasPrefix(e.Type, "http://127.0.0.1:") || !strings.HasSuffix(e.Type, "/api/v1/error/"+typ) ||
		e.Detail == "" || e.ErrorMessage != e.Detail || e.Message != e.Detail || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s = %d %s, want an ApiError %d %s", what, r.status, r.body, status, typ)
	}
}

// registry is a record that came from a registry.
func registry(ns, repo, performer, kind string) *format.Record {
	return &format.Record{Stream: format.StreamLog, Category: "image", Action: "quay." + kind, Actor: format.Actor{Name: performer},
		NS: ns, Repo: repo, Time: time.Now()}
}

func TestQuayRights(t *testing.T) {
	b := quayBox(t, "", nil)
	for _, full := range []string{"team/app", "other/app", "other/lib", "alice/web", "library/nginx", "deep/er/est"} {
		ns, repo, _ := strings.Cut(full, "/")
		b.append(registry(ns, repo, "eve", "pull_repo"))
	}
	for name, row := range map[string]struct {
		token, path string
		want        int
	}{
		"no token":                                   {"", "user/logs", 401},
		"a token that does not exist":                {"nope", "user/logs", 401},
		"a token that has expired":                   {"old", "user/logs", 401},
		"no token for a path with a bad date":        {"", "user/logs?starttime=x", 401},
		"the user's own log":                         {"tok-limited", "user/logs", 200},
		"the own log of a user without an account":   {"bob", "user/logs", 200},
		"the own log without the scope":              {"org", "user/logs", 403},
		"the own log without any scope":              {"tok-reader-p1", "user/logs", 403},
		"the own log of a superuser":                 {"tok-admin", "user/logs", 200},
		"an organization the token lists":            {"org", "organization/team/logs", 200},
		"an organization of the user's name":         {"org", "organization/alice/logs", 200},
		"an organization of which one repository":    {"org", "organization/other/logs", 403},
		"an organization that is not there":          {"org", "organization/nowhere/logs", 403},
		"an organization without the scope":          {"repo", "organization/team/logs", 403},
		"an organization for an administrator":       {"root", "organization/other/logs", 200},
		"one that is not there for an administrator": {"root", "organization/nowhere/logs", 404},
		"an organization for a superuser":            {"tok-admin", "organization/other/logs", 200},
		"one that is not there for a superuser":      {"tok-admin", "organization/nowhere/logs", 404},
		"one that only the accounts know":            {"tok-admin", "organization/bob/logs", 200},
		"a repository of a listed organization":      {"repo", "repository/team/app/logs", 200},
		"one that is not there in a listed one":      {"repo", "repository/team/nothing/logs", 404},
		"a listed repository":                        {"repo", "repository/other/app/logs", 200},
		"a repository beside a listed one":           {"repo", "repository/other/lib/logs", 403},
		"a repository that begins like a listed one": {"repo", "repository/other/app/more/logs", 403},
		"a repository that is not there":             {"repo", "repository/other/nothing/logs", 403},
		"a repository in the user's namespace":       {"repo", "repository/alice/web/logs", 200},
		"a repository without the scope":             {"org", "repository/team/app/logs", 403},
		"one segment is in the default namespace":    {"tok-admin", "repository/nginx/logs", 200},
		"one segment that is not there":              {"tok-admin", "repository/team/logs", 404},
		"a name of several segments":                 {"tok-admin", "repository/deep/er/est/logs", 200},
		"a name with an escaped slash":               {"tok-admin", "repository/deep%2Fer%2Fest/logs", 200},
		"a name that is only an escaped slash":       {"tok-admin", "repository/team%2F/logs", 404},
		"the same for who administers the namespace": {"repo", "repository/team%2F/logs", 403},
		"an empty namespace":                         {"tok-admin", "repository/%2Fapp/logs", 404},
		"namespace and name the wrong way around":    {"tok-admin", "repository/app/team/logs", 404},
		"counts without the right":                   {"org", "organization/other/aggregatelogs", 403},
		"counts with the right":                      {"org", "organization/team/aggregatelogs", 200},
	} {
		t.Run(name, func(t *testing.T) {
			var r reply
			if row.token == "" {
				r = b.do("GET", "/api/v1/"+row.path, "")
			} else {
				r = b.bearer(row.token, "/api/v1/"+row.path)
			}
			if r.status != row.want {
				t.Errorf("GET %s as %q = %d %s, want %d", row.path, row.token, r.status, r.body, row.want)
			}
			if row.want != 200 {
				wantAPIError(t, "GET "+row.path, r, row.want, map[int]string{401: "invalid_token", 403: "insufficient_scope", 404: "not_found"}[row.want])
			}
		})
	}
}

func TestQuayAuthorizationHeader(t *testing.T) {
	b := quayBox(t, "", nil)
	for header, want := range map[string]int{"Bearer tok-admin": 200, "bearer tok-admin": 200, "Bearer  tok-admin ": 200,
		"Bearer": 401, "Bearer ": 401, "Basic dG9rLWFkbWlu": 401, "tok-admin": 401, "Bearer tok-admin x": 401} {
		r := b.do("GET", "/api/v1/user/logs", "", "Authorization", header)
		if r.status != want {
			t.Errorf("Authorization %q = %d, want %d", header, r.status, want)
		}
		if want == 401 && r.header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
			t.Errorf("WWW-Authenticate = %q", r.header.Get("WWW-Authenticate"))
		}
	}
	if r := b.do("GET", "/api/v1/user/logs", "", "X-Auth-Token", "tok-admin"); r.status != 401 {
		t.Errorf("X-Auth-Token = %d, want 401: it belongs to other dialects", r.status)
	}
	for i := range failuresPerMinute + 1 {
		b.bearer("wrong"+string(rune('a'+i)), "/api/v1/user/logs")
	}
	r := b.bearer("wrong-again", "/api/v1/user/logs")
	wantAPIError(t, "one more guess", r, 429, "external_service_timeout")
	if r.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
}

func TestQuayPathsAndMethods(t *testing.T) {
	b := quayBox(t, "fixture-quay.jsonl", nil)
	wantAPIError(t, "an unknown path", b.bearer("tok-admin", "/api/v1/user/nothing"), 404, "not_found")
	wantAPIError(t, "a bare prefix", b.bearer("tok-admin", "/api/v1/repository"), 404, "not_found")
	wantAPIError(t, "a trailing slash", b.bearer("tok-admin", "/api/v1/user/logs/"), 404, "not_found")
	wantAPIError(t, "a file that is not there", b.do("GET", "/exportedlogs/x", ""), 404, "not_found")
	for _, path := range []string{"/api/v1/user/logs", "/api/v1/organization/admin/aggregatelogs", "/api/v1/repository/admin/web/logs", "/api/v1/error/not_found"} {
		r := b.do("DELETE", path, "", "Authorization", "Bearer tok-admin")
		wantAPIError(t, "DELETE "+path, r, 405, "invalid_request")
		if r.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("DELETE %s: Allow = %q, want GET, HEAD", path, r.header.Get("Allow"))
		}
	}
	wantAPIError(t, "a long query", b.bearer("tok-admin", "/api/v1/user/logs?x="+strings.Repeat("y", 17<<10)), 414, "invalid_request")
	wantAPIError(t, "a long body", b.do("GET", "/api/v1/user/logs", strings.Repeat("y", 2<<20)), 413, "invalid_request")
	if r := b.do("GET", "/api/v1/users", ""); !strings.HasPrefix(r.body, "{\n  \"error\"") {
		t.Errorf("GET /api/v1/users = %s, want the other product's error", r.body)
	}
	head := b.do("HEAD", "/api/v1/organization/admin/logs?starttime=03/04/2025&endtime=03/07/2025", "", "Authorization", "Bearer tok-admin")
	if head.status != 200 || head.body != "" || head.header.Get("Content-Length") == "" {
		t.Errorf("HEAD = %d %q %v, want 200 and no body", head.status, head.body, head.header)
	}
	r := b.do("GET", "/api/v1/user/logs", "", "Host", "evil.example")
	if r.status != http.StatusMisdirectedRequest || strings.Contains(r.body, "evil") || !strings.Contains(r.body, `"invalid_request"`) {
		t.Errorf("another host's name = %d %s, want 421 that does not repeat it", r.status, r.body)
	}
}

func TestQuayExplainsItsErrors(t *testing.T) {
	b := newBox(t, "", nil)
	for typ := range quayTypes {
		var got struct{ Type, Title, Description string }
		r := b.do("GET", "/api/v1/error/"+typ, "")
		if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != 200 || got.Title != typ || got.Description == "" ||
			got.Type != b.url+"/api/v1/error/"+typ {
			t.Errorf("error/%s = %d %s", typ, r.status, r.body)
		}
	}
	wantAPIError(t, "an unknown type", b.do("GET", "/api/v1/error/invalid", ""), 404, "not_found")
}

func TestTokenNamespaces(t *testing.T) {
	a, path := emptyAccounts(t)
	for _, bad := range []string{`""`, `"/a"`, `"a/"`, `"a/b/"`, `5`} {
		if _, err := a.Apply(strings.NewReader(`{"tokens":[{"token":"t","user":"u","namespaces":[` + bad + `]}]}`)); err == nil {
			t.Errorf("Apply with namespace %s = nil, want an error", bad)
		}
	}
	doc := `{"tokens":[{"token":"t","user":"u","namespaces":["ns","other/app/x"]}]}`
	if done, err := a.Apply(strings.NewReader(doc)); err != nil || !done.Changed {
		t.Fatalf("Apply = %+v %v", done, err)
	}
	if done, err := a.Apply(strings.NewReader(doc)); err != nil || done.Changed {
		t.Errorf("the same again = %+v %v, want nothing changed", done, err)
	}
	again, err := LoadAccounts(path)
	if err != nil {
		t.Fatal(err)
	}
	tok, _ := again.Token("t", time.Now())
	if strings.Join(tok.Namespaces, " ") != "ns other/app/x" {
		t.Errorf("Namespaces = %v after reading again", tok.Namespaces)
	}
	for _, row := range []struct {
		ns, repo string
		want     bool
	}{{"ns", "", true}, {"u", "", true}, {"other", "", true}, {"other", "app/x", true}, {"other", "app", false}, {"ns", "a", false}, {"oth", "", false}} {
		if got := again.namesNamespace(row.ns, row.repo); got != row.want {
			t.Errorf("namesNamespace(%q, %q) = %v, want %v", row.ns, row.repo, got, row.want)
		}
	}
}
