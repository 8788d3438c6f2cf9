package httpd

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// hostileNumbers are integers, and what looks like one.
var hostileNumbers = []string{"-1", "0", "-0", "+1", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"18446744073709551615", "18446744073709551616", "4294967296", "2147483648", "-2147483649", "99999999999999999999999999999999999999", "1e9", "1e400",
	"0x7fffffff", "NaN", "Infinity", "-", "--1", "1.5", "1_000", "١", "1 2", "253402300800", "9223372036", "9223372037", "-9223372037", "9223372036854", "9223372036855"}

// hostileTimes are days and times that are none, or far away.
var hostileTimes = []string{"0000-00-00", "0001-01-01", "-0001-01-01", "9999-12-31", "99999-01-01", "2262-04-12", "1677-09-20", "2025-02-30", "12/31/9999", "02/29/2023",
	"1/1/1", "00/00/0000", "99/99/9999", "2025-01-01T25:61:61Z", "9999-12-31T23:59:59.999999999-23:59", "0000-01-01T00:00:00+23:59", "2025-01-01T00:00:60Z"}

// hostileTexts are texts that mean something to somebody: wildcards, quotes, paths, markup, line breaks.
var hostileTexts = []string{strings.Repeat("web* ", 2000), strings.Repeat("%", 12_000), strings.Repeat("?*", 5000), strings.Repeat("_", 12_000), strings.Repeat(",", 14_000),
	strings.Repeat("a,", 7000), "(a+)+$", `.*`, `[`, `\`, `"`, "'; DROP TABLE log; --", "' OR ''='", "{{7*7}}", "${jndi:ldap://x}", "<script>alert(1)</script>", "$(id)", "`id`",
	"a\r\nX-Injected: yes\r\n\r\nHTTP/1.1 200 OK", "a\x00b", "\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", "\u2028", "\u202eabc", strings.Repeat("\u0130", 4000), "ſ", "ß",
	"../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", `..\..\windows`, "/etc/passwd", "file:///etc/passwd", "....//....//etc/passwd", ".", "..", "~root", "-rf", "null", "undefined",
	strings.Repeat("[", 10_000), strings.Repeat(`{"a":`, 2000), "true", "=cmd|' /C calc'!A0"}

// hostileValues are what is sent for a parameter: by what it is, and some of all the rest.
func hostileValues(p *openapi3.Parameter, turn int) []string {
	every := func(values []string, n int) (some []string) {
		for i, v := range values {
			if (i+turn)%n == 0 {
				some = append(some, v)
			}
		}
		return some
	}
	number := p.Schema != nil && p.Schema.Value != nil && p.Schema.Value.Type.Is("integer")
	switch {
	case p.In == openapi3.ParameterInPath:
		return slices.Concat(hostileTexts, every(hostileNumbers, 3))
	case number:
		return slices.Concat(hostileNumbers, every(hostileTexts, 8))
	case strings.Contains(p.Name, "time"):
		return slices.Concat(hostileTimes, every(hostileNumbers, 2), every(hostileTexts, 8))
	}
	return slices.Concat(every(hostileTexts, 2), every(hostileNumbers, 8))
}

// hostileTarget is one operation of openapi.yaml with harmless values in its path.
type hostileTarget struct {
	method, path string // path holds {names}
	params       []*openapi3.Parameter
}

// hostileTargets are the operations that openapi.yaml describes, but for the two that are only another spelling.
func hostileTargets(t *testing.T) (all []hostileTarget) {
	doc := mustDocument(t)
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		item := doc.Paths.Map()[path]
		if strings.HasPrefix(path, "/containerstation/") || path == "/v1/journal" || path == "/v1/journal/count" || path == "/v1/journal/{id}" {
			continue // the same handlers; the route table holds them to that
		}
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			o := hostileTarget{method: method, path: path}
			for _, ref := range slices.Concat(item.Parameters, item.Operations()[method].Parameters) {
				o.params = append(o.params, filtersOf(ref.Value)...)
			}
			all = append(all, o)
		}
	}
	return all
}

var filterNames = regexp.MustCompile(`^\^\(([a-z_|]+)\)\(__\(([a-z_|]+)\)\)\?\$$|^\^([a-z_]+)__\(([a-z|]+)\)\$$`)

// filtersOf is the parameter, or for one that stands for many by a pattern of their names: those.
func filtersOf(p *openapi3.Parameter) []*openapi3.Parameter {
	if p.Schema == nil || p.Schema.Value == nil || len(p.Schema.Value.Extensions) == 0 && len(p.Schema.Value.PatternProperties) == 0 {
		return []*openapi3.Parameter{p}
	}
	var all []*openapi3.Parameter
	for _, pattern := range slices.Sorted(maps.Keys(p.Schema.Value.PatternProperties)) {
		m := filterNames.FindStringSubmatch(pattern)
		if m == nil {
			continue
		}
		for field := range strings.SplitSeq(m[1]+m[3], "|") {
			if m[1] != "" {
				all = append(all, &openapi3.Parameter{Name: field, In: openapi3.ParameterInQuery})
			}
			for modifier := range strings.SplitSeq(m[2]+m[4], "|") {
				all = append(all, &openapi3.Parameter{Name: field + "__" + modifier, In: openapi3.ParameterInQuery})
			}
		}
	}
	return all
}

var harmless = strings.NewReplacer("{type}", "docker", "{id}", "7", "{state}", "stopped", "{orgname}", "admin", "{repository}", "admin/web", "{repository...}", "admin/web",
	"{project_id}", testProject, "{file}", "nothing")

// with is the target with value in one parameter, and the header that it wants.
func (o hostileTarget) with(p *openapi3.Parameter, value string) (target string, header []string) {
	path, query := o.path, ""
	switch p.In {
	case openapi3.ParameterInPath:
		escaped := url.PathEscape(value)
		if escaped == "." || escaped == ".." {
			escaped = strings.ReplaceAll(escaped, ".", "%2e")
		}
		path = strings.NewReplacer("{"+p.Name+"}", escaped, "{"+p.Name+"...}", escaped).Replace(path)
	case openapi3.ParameterInQuery:
		query = "?" + url.QueryEscape(p.Name) + "=" + url.QueryEscape(value)
		if path == journalPrefix+"/" && p.Name != "limit" {
			query += "&limit=5" // else a thousand entries are held to openapi.yaml each time
		}
	default:
		header = []string{p.Name, value}
	}
	return harmless.Replace(path) + query, header
}

// TestHostileParameters sends to every parameter of every operation of openapi.yaml what it is not meant for. No
// answer may be a fault of the server, none may take long, and each is held to openapi.yaml.
func TestHostileParameters(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", func(o *Options) { o.limits.delay = time.Millisecond })
	cookie, sent, seen := b.cookie("admin"), 0, map[string]bool{}
	for _, o := range hostileTargets(t) {
		for i, p := range o.params {
			seen[p.Name] = true
			values, every := hostileValues(p, i), 2*fewer // the next parameter gets the other half
			if strings.Contains(p.Name, "__") || strings.HasPrefix(o.path, "/api/v1/log") || strings.HasPrefix(o.path, "/api/v1/event") {
				every *= 5 // one of hundreds of filters, or read by the code of the other version
			}
			for k, value := range values {
				if (k+i)%every != 0 {
					continue
				}
				target, header := o.with(p, value)
				if len(header) > 0 && strings.ContainsAny(value, "\r\n\x00") {
					continue // no client can send it
				}
				sent++
				b.hostile(o.method, target, append(header, "Cookie", cookie, "Authorization", "Bearer tok-admin", "X-Auth-Token", "tok-admin"))
			}
		}
	}
	for _, name := range []string{"limit", "offset", "time_start", "end_time", "starttime", "next_page", "project_id", "file", "duration", "message__contains", "event_time__year"} {
		if !seen[name] {
			t.Errorf("parameter %s is not among those of openapi.yaml: the test is blind", name)
		}
	}
	if sent < 1500/fewer {
		t.Errorf("%d requests, want thousands", sent)
	}
	if got := b.do("GET", "/api/v1/log?limit=1", "", "Cookie", cookie); got.status != 200 {
		t.Errorf("afterwards GET log = %d, want 200", got.status)
	}
}

// hostile sends one request and looks at what every answer must be.
func (b *box) hostile(method, target string, header []string) {
	b.t.Helper()
	body := ""
	if method == http.MethodPost {
		body = "{}"
	}
	got := b.do(method, target, body, header...)
	what := method + " " + cutText(target, 120)
	bounded := strings.Contains(target, "/exportlogs") && got.status == 503 // so many jobs are not queued
	if got.status >= 500 && !bounded {
		b.t.Errorf("%s = %d %s, want no fault of the server", what, got.status, cutText(got.body, 300))
	}
	if got.took > 10*time.Second {
		b.t.Errorf("%s took %v", what, got.took)
	}
	for name := range got.header {
		if strings.HasPrefix(name, "X-Injected") {
			b.t.Errorf("%s: the answer has a header of the client's", what)
		}
	}
	if strings.Contains(got.body, "root:x:0:0") {
		b.t.Errorf("%s: the answer holds a file of this machine", what)
	}
}
