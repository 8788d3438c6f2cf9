package httpd

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"shiplog/format"
)

func TestRequestID(t *testing.T) {
	b := newBox(t, "", nil)
	own := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, test := range []struct {
		name, sent string
		taken      bool
	}{
		{"none is sent", "", false},
		{"a proxy's", "req-7f.A_1", true},
		{"as long as may be", strings.Repeat("a", 64), true},
		{"longer", strings.Repeat("a", 65), false},
		{"with a space", "a b", false},
		{"that would end a line of metrics", `a"} 1`, false},
		{"not of ASCII", "idé", false},
	} {
		for _, path := range []string{"/container-station/api/v1/log", "/healthz", "/v1/journal/", "/api/v1/user/logs", "/nosuch", "/v5/p1/container/image/events"} {
			got := b.do("GET", path, "", "X-Request-Id", test.sent).header.Get("X-Request-Id")
			if strings.HasPrefix(path, "/v5") { // the vendor's answers have ids of a form of their own
				test.taken = false
			}
			if test.taken && got != test.sent || !test.taken && !own.MatchString(got) {
				t.Errorf("%s, %q: GET %s has X-Request-Id %q, want it taken %v, else 32 hex digits", test.name, test.sent, path, got, test.taken)
			}
		}
	}
}

// TestRequestIDInLogAndExemplar finds one request by its id in the log and in the histogram.
func TestRequestIDInLogAndExemplar(t *testing.T) {
	var log bytes.Buffer
	b := newBox(t, "", func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.Inspect = func(context.Context, string, string) (format.Container, error) { panic("kaboom") }
	})
	b.do("GET", "/api/v1/container/docker/x", "", "Cookie", b.cookie("admin"), "X-Request-Id", "find-me")
	if !strings.Contains(log.String(), "request_id=find-me") {
		t.Errorf("the log of a panic = %s, want request_id=find-me", log.String())
	}
	b.do("GET", "/healthz", "", "X-Request-Id", "probe-1")
	r := httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil) // the box cannot check an answer in this format
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	answer := httptest.NewRecorder()
	b.server.Handler().ServeHTTP(answer, r)
	open := answer.Body.String()
	want := regexp.MustCompile(`shiplog_http_request_duration_seconds_bucket\{dialect="native",le="[^"]+"\} \d+ # \{request_id="probe-1"\} `)
	if !want.MatchString(open) {
		t.Errorf("OpenMetrics has no exemplar of probe-1:\n%s", grepLines(open, "request_duration_seconds_bucket"))
	}
	if plain := b.do("GET", "/metrics", "").body; strings.Contains(plain, "request_id") {
		t.Error("the text format has exemplars, which its parsers refuse")
	}
}

func grepLines(text, part string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			b.WriteString(line)
		}
	}
	return b.String()
}
