package httpd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// apiDocument reads and checks openapi.yaml, once.
var apiDocument = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(openAPI))
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background(), openapi3.EnableSchemaFormatValidation())
})

func mustDocument(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := apiDocument()
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	if !doc.IsOpenAPI31OrLater() {
		t.Fatalf("openapi.yaml is of version %s, want 3.1", doc.OpenAPI)
	}
	return doc
}

// errorResponses is how the responses of each dialect's errors begin in openapi.yaml.
var errorResponses = map[string]string{"qnap-v1": "Qnap", "qnap-v2": "Qnap", "native": "Qnap", "quay": "Quay", "hss": "Hss", "aos": "Aos"}

// errorNames is how they end.
var errorNames = map[int]string{400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed",
	413: "TooLarge", 414: "UriTooLong", 421: "Misdirected", 500: "Internal", 503: "Unavailable"}

var pathVariable = regexp.MustCompile(`\{[^}]*\}`)

// bare makes the paths of the routes and those of openapi.yaml comparable: names of variables do not count.
func bare(path string) string { return pathVariable.ReplaceAllString(path, "{}") }

// documented returns the path item of openapi.yaml for the path of a route; nil when it has none.
func documented(doc *openapi3.T, path string) *openapi3.PathItem {
	for p, item := range doc.Paths.Map() {
		if bare(p) == bare(path) {
			return item
		}
	}
	return nil
}

// operationOf returns what openapi.yaml says about a request to this server. A path or method that is not
// there may only be answered by an error, in the shape of the dialect that owns the prefix.
func operationOf(doc *openapi3.T, s *Server, method string, u *url.URL) (op *openapi3.Operation, where string) {
	d := dialectOf(s.dialects, u.Path)
	for i := range d.routes {
		if _, ok := matchPath(d.routes[i].path, u.EscapedPath()); !ok {
			continue
		}
		item := documented(doc, d.routes[i].path)
		if item == nil {
			break
		}
		name := method
		if method == http.MethodHead {
			name = http.MethodGet
		}
		if found := item.Operations()[name]; found != nil {
			return found, d.routes[i].path
		}
	}
	op = &openapi3.Operation{Responses: openapi3.NewResponsesWithCapacity(len(errorNames))}
	for status, name := range errorNames {
		if known := doc.Components.Responses[errorResponses[d.name]+name]; known != nil && status != 401 && status < 500 {
			op.Responses.Set(strconv.Itoa(status), known)
		}
	}
	return op, "no path of " + d.name
}

// againstDocument tells where an answer differs from what openapi.yaml says; nil: nowhere.
func againstDocument(doc *openapi3.T, s *Server, method, target string, got reply) error {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	op, where := operationOf(doc, s, method, u)
	documented := op.Responses.Status(got.status)
	if documented == nil {
		return fmt.Errorf("%s: status %d is not documented", where, got.status)
	}
	if got.header.Get("X-Content-Type-Options") != "nosniff" {
		return fmt.Errorf("%s: X-Content-Type-Options is not nosniff", where)
	}
	if len(got.header.Values("Content-Type")) != 1 || documented.Value.Content.Get(got.header.Get("Content-Type")) == nil {
		return fmt.Errorf("%s: %d has Content-Type %q, want one of %v", where, got.status, got.header["Content-Type"], slices.Collect(keys(documented.Value.Content)))
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: &http.Request{Method: method, URL: u},
			Route:   &routers.Route{Spec: doc, Path: where, Method: method, Operation: op},
		},
		Status: got.status, Header: got.header, Body: io.NopCloser(bytes.NewReader([]byte(got.body))),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	if method == http.MethodHead { // its header is that of GET, its body is empty
		if got.body != "" {
			return fmt.Errorf("%s: HEAD has a body", where)
		}
		input.RequestValidationInput.Request.Method, input.Options.ExcludeResponseBody = http.MethodGet, true
	}
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return nil
}

// againstSchema tells where a text differs from a schema of openapi.yaml.
func againstSchema(t *testing.T, name, text string) []string {
	t.Helper()
	value, err := decodeJSON(text)
	if err == nil {
		err = mustDocument(t).Components.Schemas[name].Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
	}
	if err != nil {
		return []string{name + ": " + err.Error()}
	}
	return nil
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// hold fails the test when an answer is not what openapi.yaml says. Every answer of every box is held to it.
func (b *box) hold(method, target string, got reply) {
	b.t.Helper()
	doc, err := apiDocument()
	if err != nil {
		b.t.Fatalf("openapi.yaml: %v", err)
	}
	if err := againstDocument(doc, b.server, method, target, got); err != nil {
		b.t.Errorf("%s %s: not as openapi.yaml says: %v\nanswer %d: %s", method, cutText(target, 200), err, got.status, cutText(got.body, 500))
	}
}

// TestOpenAPIHasTheRoutes compares the operations of openapi.yaml with the routes of a server, both ways.
func TestOpenAPIHasTheRoutes(t *testing.T) {
	doc, b := mustDocument(t), newBox(t, "", nil)
	served := map[string]bool{}
	for _, d := range b.server.dialects {
		for _, rt := range d.routes {
			key := rt.method + " " + bare(rt.path)
			if served[key] {
				t.Errorf("%s is registered twice", key)
			}
			served[key] = true
			item := documented(doc, rt.path)
			if item == nil || item.Operations()[rt.method] == nil {
				t.Errorf("%s %s is served but not in openapi.yaml", rt.method, rt.path)
			}
		}
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if ids[op.OperationID] || op.OperationID == "" {
				t.Errorf("%s %s: operationId %q is missing or there twice", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
			if !served[method+" "+bare(path)] {
				t.Errorf("%s %s is in openapi.yaml but not served", method, path)
			}
			if op.Security == nil {
				t.Errorf("%s %s: openapi.yaml does not say which credential it takes", method, path)
			}
		}
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	b := newBox(t, "", nil)
	got := b.do("GET", "/openapi.yaml", "")
	if got.status != 200 || got.header.Get("Content-Type") != "application/yaml" || got.body != openAPI {
		t.Errorf("GET /openapi.yaml = %d %q, %d bytes, want the document", got.status, got.header.Get("Content-Type"), len(got.body))
	}
	if head := b.do("HEAD", "/openapi.yaml", ""); head.header.Get("Content-Length") != strconv.Itoa(len(openAPI)) {
		t.Errorf("HEAD: Content-Length = %s, want %d", head.header.Get("Content-Length"), len(openAPI))
	}
}

// TestSpoiledAnswersDoNotPass takes real answers, spoils each in one place and wants the check to see it: a
// check that lets anything pass would make all others worthless.
func TestSpoiledAnswersDoNotPass(t *testing.T) {
	doc := mustDocument(t)
	const list, login = "/container-station/api/v1/log?limit=1", "/container-station/api/v1/login"
	const pages, images, journal = "/api/v1/organization/admin/logs?starttime=03/04/2025&endtime=03/07/2025", "/v5/" + testProject + "/container/image/events?limit=1", "/v1/journal/?limit=1"
	boxes := map[string]*box{}
	boxOf := func(target string) *box {
		fixture := "fixture-qnap.jsonl"
		switch target {
		case pages:
			fixture = "fixture-quay.jsonl"
		case images:
			fixture = "fixture-hss.jsonl"
		case journal:
			fixture = "fixture-aos.jsonl"
		}
		if boxes[fixture] == nil {
			boxes[fixture] = newBox(t, fixture, nil)
		}
		return boxes[fixture]
	}
	replace := func(pattern, with string) func(*reply) {
		return func(r *reply) { r.body = regexp.MustCompile(pattern).ReplaceAllString(r.body, with) }
	}
	for _, row := range []struct {
		name, method, target string
		spoil                func(*reply)
	}{
		{"a status that is not documented", "GET", list, func(r *reply) { r.status = 404 }},
		{"a redirect", "GET", list, func(r *reply) { r.status = 301 }},
		{"another content type", "GET", list, func(r *reply) { r.header.Set("Content-Type", "text/html") }},
		{"no content type", "GET", list, func(r *reply) { r.header.Del("Content-Type") }},
		{"no nosniff", "GET", list, func(r *reply) { r.header.Del("X-Content-Type-Options") }},
		{"a member of another name", "GET", list, func(r *reply) { r.body = strings.Replace(r.body, `"ts"`, `"time"`, 1) }},
		{"one member more", "GET", list, func(r *reply) { r.body = strings.Replace(r.body, `"ts"`, `"x": 1, "ts"`, 1) }},
		{"a number in quotes", "GET", list, func(r *reply) { r.body = regexp.MustCompile(`"id": (\d+)`).ReplaceAllString(r.body, `"id": "$1"`) }},
		{"a fraction", "GET", list, func(r *reply) { r.body = regexp.MustCompile(`"ts": (\d+)`).ReplaceAllString(r.body, `"ts": $1.5`) }},
		{"null for a user", "GET", list, func(r *reply) {
			r.body = regexp.MustCompile(`"user": "[^"]*"`).ReplaceAllString(r.body, `"user": null`)
		}},
		{"a level that is none", "GET", list, func(r *reply) { r.body = strings.Replace(r.body, `"INFO"`, `"DEBUG"`, 1) }},
		{"null for a list", "GET", list, func(r *reply) { r.body = "null" }},
		{"half an answer", "GET", list, func(r *reply) { r.body = r.body[:len(r.body)/2] }},
		{"an error of another code", "GET", "/api/v1/log?limit=x", func(r *reply) { r.body = strings.Replace(r.body, "400", "401", 1) }},
		{"an error without a text", "GET", "/api/v1/log?limit=x", func(r *reply) { r.body = `{"error":{"code":400,"message":""}}` }},
		{"an error of another dialect", "GET", "/api/v1/nope", func(r *reply) { r.body = `{"error":{"code":404,"title":"Not Found","message":"x"}}` }},
		{"a 405 without Allow", "POST", list, func(r *reply) { r.header.Del("Allow") }},
		{"an unknown path that is found", "GET", "/nope", func(r *reply) { r.status = 200 }},
		{"a cookie of another name", "POST", login, func(r *reply) { r.header.Set("Set-Cookie", "SID=x") }},
		{"no cookie", "POST", login, func(r *reply) { r.header.Del("Set-Cookie") }},
		{"a time of another form", "POST", login, func(r *reply) {
			r.body = regexp.MustCompile(`"logintime": "(\S+) `).ReplaceAllString(r.body, `"logintime": "${1}T`)
		}},
		{"an event without its category", "GET", "/container-station/api/v1/event", func(r *reply) { r.body = strings.Replace(r.body, `"image:`, `":`, 1) }},
		{"a CSV without its header", "GET", "/api/v1/log/export", func(r *reply) { r.body = r.body[strings.Index(r.body, "\n")+1:] }},
		{"a page token that is null", "GET", pages, replace(`"next_page":"[^"]*"`, `"next_page":null`)},
		{"a page token that a URL cannot hold", "GET", pages, replace(`"next_page":"`, `"next_page":"/`)},
		{"an entry without its address", "GET", pages, replace(`"ip":"[^"]*",`, ``)},
		{"a time in another zone", "GET", pages, replace(`-0000"`, `GMT"`)},
		{"a performer that is null", "GET", pages, replace(`"performer":\{[^{]*\{[^}]*\}\}`, `"performer":null`)},
		{"a time with a fraction", "GET", images, replace(`"time":(\d+)`, `"time":$1.5`)},
		{"a total in quotes", "GET", images, replace(`"total_num":(\d+)`, `"total_num":"$1"`)},
		{"null for a text", "GET", images, replace(`"content":"[^"]*"`, `"content":null`)},
		{"no request id", "GET", images, func(r *reply) { r.header.Del("X-Request-Id") }},
		{"an error of the journal", "GET", "/v5/p1/nope", func(r *reply) { r.body = `{"error":{"code":404,"title":"Not Found","message":"x"}}` }},
		{"an entry with one key less", "GET", journal, replace(`"parent_request_id":(null|"[^"]*"),`, ``)},
		{"a status that is null", "GET", journal, replace(`"status":"[^"]*"`, `"status":null`)},
		{"an id in quotes", "GET", journal, replace(`"id":(\d+)`, `"id":"$1"`)},
		{"a time with a zone", "GET", journal, replace(`"event_time":"([^"]*)"`, `"event_time":"${1}Z"`)},
		{"no request id of the journal", "GET", journal, func(r *reply) { r.header.Del("X-Openstack-Request-Id") }},
		{"a HEAD with a body", "HEAD", list, func(r *reply) { r.body = "x" }},
		{"a HEAD with another type", "HEAD", list, func(r *reply) { r.header.Set("Content-Type", "text/html") }},
	} {
		body := ""
		if row.target == login {
			body = `{"username":"admin","password":"admin-pw"}`
		}
		b := boxOf(row.target)
		got := b.do(row.method, row.target, body, "Cookie", b.cookie("admin"), "Authorization", "Bearer tok-admin", "X-Auth-Token", "tok-admin")
		if err := againstDocument(doc, b.server, row.method, row.target, got); err != nil {
			t.Errorf("%s: the answer is refused before it is spoiled: %v", row.name, err)
			continue
		}
		was := fmt.Sprint(got)
		row.spoil(&got)
		if fmt.Sprint(got) == was {
			t.Errorf("%s: the answer is not spoiled: %s", row.name, got.body)
		}
		if againstDocument(doc, b.server, row.method, row.target, got) == nil {
			t.Errorf("%s: the check lets it pass", row.name)
		}
	}
}
