package httpd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"shiplog/format"
)

// hssPageOf asks with the token of the first project and returns the page.
func hssPageOf(t *testing.T, b *box, project, token, query string) hssPage {
	t.Helper()
	got := b.do("GET", "/v5/"+project+"/container/image/events?"+query, "", "X-Auth-Token", token)
	var page hssPage
	if err := json.Unmarshal([]byte(got.body), &page); got.status != 200 || err != nil {
		t.Fatalf("GET events?%s = %d %s (%v), want a page", query, got.status, got.body, err)
	}
	return page
}

// contents are the texts of a page.
func (p hssPage) contents() string {
	var texts []string
	for _, row := range p.List {
		texts = append(texts, row.Content)
	}
	return strings.Join(texts, " ")
}

func TestHSSErrors(t *testing.T) {
	b := newBox(t, "fixture-hss.jsonl", nil)
	if _, err := b.server.opts.Accounts.Apply(strings.NewReader(`{"tokens": [{"token": "tok-none", "user": "alice", "project": "p1", "scopes": ["super:user"]},
		{"token": "tok-old", "user": "alice", "project": "p1", "roles": ["reader"], "expires": "2020-01-01T00:00:00Z"}]}`)); err != nil {
		t.Fatal(err)
	}
	admin := []string{"X-Auth-Token", "tok-admin"}
	for name, row := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code, text         string
	}{
		"an unknown path":                {"GET", "/v5/p1/images", "", admin, 404, "APIGW.0101", "Not found"},
		"the prefix alone":               {"GET", "/v5", "", admin, 404, "APIGW.0101", ""},
		"a slash at the end":             {"GET", hssPath + "/", "", admin, 404, "APIGW.0101", ""},
		"a slash too many":               {"GET", "/v5//" + hssProject + "/container/image/events", "", admin, 404, "APIGW.0101", ""},
		"another method":                 {"POST", hssPath, "{}", admin, 405, "APIGW.0101", "Method not allowed"},
		"a long query string":            {"GET", hssPath + "?x=" + strings.Repeat("y", 16<<10), "", admin, 414, "APIGW.0201", ""},
		"a large body":                   {"GET", hssPath, strings.Repeat("x", 1<<20+1), admin, 413, "APIGW.0201", ""},
		"another host":                   {"GET", hssPath, "", append([]string{"Host", "evil.example"}, admin...), 421, "APIGW.0201", ""},
		"another site's page":            {"POST", hssPath, "", append([]string{"Sec-Fetch-Site", "cross-site"}, admin...), 403, "APIGW.0302", ""},
		"an SDK without a project":       {"GET", "/v5/%7Bproject_id%7D/container/image/events", "", admin, 400, "HSS.0002", "project_id"},
		"a project with a dot":           {"GET", "/v5/a.b/container/image/events", "", admin, 400, "HSS.0002", "project_id"},
		"a project of 65 letters":        {"GET", "/v5/" + strings.Repeat("a", 65) + "/container/image/events", "", admin, 400, "HSS.0002", "project_id"},
		"a project with a slash":         {"GET", "/v5/a%2Fb/container/image/events", "", admin, 400, "HSS.0002", "project_id"},
		"no credential":                  {"GET", hssPath, "", nil, 401, "APIGW.0301", "Incorrect IAM authentication information: x-auth-token not found"},
		"an unknown token":               {"GET", hssPath, "", []string{"X-Auth-Token", "tok"}, 401, "APIGW.0301", "Incorrect IAM authentication information: decrypt token fail"},
		"an expired token":               {"GET", "/v5/p1/container/image/events", "", []string{"X-Auth-Token", "tok-old"}, 401, "APIGW.0301", "Incorrect IAM authentication information: decrypt token fail"},
		"a token without a role":         {"GET", "/v5/p1/container/image/events", "", []string{"X-Auth-Token", "tok-none"}, 403, "APIGW.0302", ""},
		"another project":                {"GET", "/v5/p1/container/image/events", "", admin, 403, "APIGW.0302", ""},
		"another project, and bad query": {"GET", "/v5/p1/container/image/events?limit=x", "", admin, 403, "APIGW.0302", ""},
		"no credential, and bad query":   {"GET", hssPath + "?limit=x", "", nil, 401, "APIGW.0301", ""},
		"a limit that is no integer":     {"GET", hssPath + "?limit=5.0", "", admin, 400, "HSS.0002", "limit"},
		"an offset above all":            {"GET", hssPath + "?offset=2000001", "", admin, 400, "HSS.0002", "offset"},
		"a negative start":               {"GET", hssPath + "?start_time=-1", "", admin, 400, "HSS.0002", "start_time"},
		"an end that no int64 holds":     {"GET", hssPath + "?end_time=9223372036854775808", "", admin, 400, "HSS.0002", "end_time"},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.do(row.method, row.path, row.body, row.headers...)
			var e hssError
			if err := json.Unmarshal([]byte(got.body), &e); err != nil {
				t.Fatalf("answer %d %s: %v", got.status, got.body, err)
			}
			if got.status != row.status || e.Code != row.code || e.Message == "" || !strings.Contains(e.Message, row.text) {
				t.Errorf("answer %d %s, want %d %s %q", got.status, got.body, row.status, row.code, row.text)
			}
			if id := got.header.Get("X-Request-Id"); id != e.RequestID || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
				t.Errorf("request id %q in the header, %q in the body, want the same 32 hex digits", id, e.RequestID)
			}
			if got.header.Get("Content-Type") != "application/json" || got.header.Get("Location") != "" {
				t.Errorf("headers %v, want JSON and no redirect", got.header)
			}
		})
	}
}

func TestHSSGuessedTokensAreSlowed(t *testing.T) {
	b := newBox(t, "", nil)
	for n := range failuresPerMinute {
		if got := b.do("GET", hssPath, "", "X-Auth-Token", fmt.Sprint("guess", n)); got.status != 401 {
			t.Fatalf("guess %d = %d %s, want 401", n, got.status, got.body)
		}
	}
	got := b.do("GET", hssPath, "", "X-Auth-Token", "another")
	if got.status != 429 || !strings.Contains(got.body, `"error_code":"APIGW.0308"`) || got.header.Get("Retry-After") == "" {
		t.Errorf("one more = %d %s %v, want 429 with Retry-After", got.status, got.body, got.header)
	}
}

// TestHSSShowsItsOwn: what is not of the project, or neither container nor image, is not even counted.
func TestHSSShowsItsOwn(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.Project = "p1" })
	at := time.UnixMilli(1737465650731)
	for i, r := range []format.Record{
		{Msg: "of-p1", Project: "p1", Obj: format.Object{Type: "container", Name: "a"}},
		{Msg: "of-the-box", Obj: format.Object{Type: "image", Name: "a"}},
		{Msg: "of-p2", Project: "p2", Obj: format.Object{Type: "container", Name: "a"}},
		{Msg: "network", Project: "p1", Obj: format.Object{Type: "network", Name: "a"}},
		{Msg: "imported", Project: "p1", Obj: format.Object{Name: "a"}, Data: json.RawMessage(`{"\u0068ss":{"resource_type":"container","event_name":7,"event_type":"t"}}`)},
		{Msg: "shouted", Project: "p1", Obj: format.Object{Name: "a"}, Data: json.RawMessage(`{"HSS":{"resource_type":"container"},"x":"hss"}`)},
		{Msg: "odd", Project: "p1", Obj: format.Object{Type: "image", Name: "a"}, Data: json.RawMessage(`{"hss":null}`)},
	} {
		r.Stream, r.Time, r.Action, r.Category = format.StreamLog, at.Add(time.Duration(i)*time.Second), "hss.x", "image"
		b.append(&r)
	}
	for query, want := range map[string]string{
		"":                        "odd imported of-the-box of-p1",
		"resource_name=a":         "odd imported of-the-box of-p1",
		"resource_type=container": "imported of-p1",
		"resource_type=image":     "odd of-the-box",
		"event_type=t":            "imported",
		"event_type=Image":        "",
		"event_name=x":            "odd imported of-the-box of-p1",
		"event_name=hss.x":        "",
	} {
		page := hssPageOf(t, b, "p1", "tok-reader-p1", query)
		if got := page.contents(); got != want || page.Total != len(page.List) {
			t.Errorf("events?%s = %q of %d, want %q", query, got, page.Total, want)
		}
	}
	if page := hssPageOf(t, b, "p2", "tok-limited", ""); page.contents() != "of-p2" || page.Total != 1 {
		t.Errorf("events of p2 = %q of %d, want of-p2", page.contents(), page.Total)
	}
}

func TestHSSFilters(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.Project = "p1" })
	ms := func(n int64) time.Time { return time.UnixMilli(n).Add(999999) } // the last nanosecond of it
	for _, r := range []format.Record{
		{Msg: "before", Time: ms(-2), Src: format.Src{IP: "2001:DB8::0:1"}},
		{Msg: "zero", Time: ms(0), Src: format.Src{IP: "::ffff:10.0.0.1"}, Actor: format.Actor{Name: "ops"}},
		{Msg: "five", Time: ms(5), Src: format.Src{IP: "10.0.0.1"}, Actor: format.Actor{Name: "Ops"}, Obj: format.Object{Image: "nginx", Tag: "1.2"}},
		{Msg: "late", Time: ms(3), Src: format.Src{IP: "somewhere"}, Actor: format.Actor{Type: format.ActorSystem}, Obj: format.Object{ID: "k8s infer/ä+b&c=d~*"}},
	} {
		r.Stream, r.Project, r.Category, r.Action, r.Obj.Type = format.StreamEvent, "p1", "a,b", "image.pull", "image"
		b.append(&r)
	}
	for query, want := range map[string]string{
		"":                                    "five late zero before",
		"start_time=0":                        "five late zero",
		"start_time=3&end_time=3":             "late",
		"end_time=2":                          "zero before",
		"end_time=0":                          "zero before",
		"end_time=":                           "five late zero before",
		"start_time=6":                        "",
		"start_time=9223372036855":            "",
		"end_time=9223372036854775807":        "five late zero before",
		"source_ip=10.0.0.1":                  "five zero",
		"source_ip=::FFFF:10.0.0.1":           "five zero",
		"source_ip=2001:db8:0::1":             "before",
		"source_ip=somewhere":                 "",
		"source_ip=10.0.0.01":                 "",
		"user_name=ops":                       "zero",
		"user_name=system":                    "",
		"event_type=a,b":                      "five late zero before",
		"event_type=a":                        "",
		"event_name=image.pull&user_name=Ops": "five",
		"resource_name=nginx:1.2":             "five",
		"resource_name=nginx":                 "",
		"resource_name=k8s%20infer%2F%C3%A4%2Bb%26c%3Dd~%2A": "late",
		"limit=2&offset=1": "late zero",
		"limit=1&limit=x&unknown=1&enterprise_project_id=all_granted_eps": "five",
	} {
		if got := hssPageOf(t, b, "p1", "tok-reader-p1", query).contents(); got != want {
			t.Errorf("events?%s = %q, want %q", query, got, want)
		}
	}
	if got := hssPageOf(t, b, "p1", "tok-reader-p1", "end_time=0&limit=2").List[1].Time; got != -2 {
		t.Errorf("time of a record before 1970 = %d, want -2: rounded down", got)
	}
	if got := hssPageOf(t, b, "p1", "tok-reader-p1", "offset=2000000"); got.Total != 4 || got.List == nil || len(got.List) != 0 {
		t.Errorf("page beyond the end = %+v, want an empty list and the true total", got)
	}
	if got := b.do("HEAD", "/v5/p1/container/image/events", "", "X-Auth-Token", "tok-reader-p1"); got.status != 200 || got.body != "" || len(got.header.Get("X-Request-Id")) != 32 {
		t.Errorf("HEAD = %d %q %v, want 200, no body, a request id", got.status, got.body, got.header)
	}
}

// TestHSSCountsWhatItLists: total and page are of one moment, whoever writes meanwhile.
func TestHSSCountsWhatItLists(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.Project = "p1" })
	var writing sync.WaitGroup
	writing.Go(func() {
		for range maxHSSLimit {
			r := &format.Record{Stream: format.StreamLog, Time: time.Now(), Action: "image.pull", Obj: format.Object{Type: "image", Name: "a"}}
			if err := b.writer.Append(context.Background(), r); err != nil {
				t.Error(err)
			}
		}
	})
	defer writing.Wait()
	for last := 0; last < maxHSSLimit; {
		page := hssPageOf(t, b, "p1", "tok-reader-p1", "limit=200")
		if page.Total != len(page.List) || page.Total < last {
			t.Fatalf("total_num = %d with %d records, after %d", page.Total, len(page.List), last)
		}
		last = page.Total
	}
}

// TestHSSShowsEngineEvents reads what an agent wrote of a real Docker Engine.
func TestHSSShowsEngineEvents(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.Project = "p1" })
	f, err := os.Open(filepath.Join("..", "agent", "testdata", "golden", "docker", "02-images.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r format.Record
		if err := format.ParseLine(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Seq = 0; r.Eseq != 0 {
			r.Eseq = format.NextEseq
		}
		b.append(&r)
	}
	page := hssPageOf(t, b, "p1", "tok-reader-p1", "event_name=image.pull&resource_name=localhost:5000/team/aaa&limit=200")
	if page.Total == 0 || page.Total != len(page.List) {
		t.Fatalf("pulls = %d of %d, want them all", len(page.List), page.Total)
	}
	texts := map[string]bool{}
	for _, row := range page.List {
		texts[row.Content] = true
		if row.ResourceType != "image" || row.EventType != "image" || len(row.EventID) != 36 || row.Time < 1e12 {
			t.Errorf("a pull is shown as %+v", row)
		}
	}
	for _, want := range []string{"image.pull image localhost:5000/team/aaa:v1", "Finished background task (image_download, localhost:5000/team/aaa:v1)"} {
		if !texts[want] {
			t.Errorf("contents of pulls = %v, want also %q", texts, want)
		}
	}
	for _, row := range hssPageOf(t, b, "p1", "tok-reader-p1", "limit=200").List {
		if (row.ResourceName == "") != (row.EventName == "image.prune") || row.EventName == "" || row.Content == "" || strings.HasSuffix(row.Content, " ") {
			t.Errorf("not worth reading: %+v", row)
		}
	}
}

func FuzzHSSFilter(f *testing.F) {
	f.Add("start_time=0&end_time=2&limit=200&offset=2000000&source_ip=::1&user_name&resource_name=%zz")
	f.Add("start_time=-0&end_time=+&limit=%2B5&&==;source_ip=%")
	f.Fuzz(func(t *testing.T, query string) {
		filter, err := parseHSSFilter(params(query))
		if err != nil {
			if asStatus(err).status != 400 {
				t.Errorf("status %d, want 400", asStatus(err).status)
			}
			return
		}
		q := filter.query(func(string) bool { return true })
		if q.Limit < 1 || q.Limit > maxHSSLimit || q.Offset < 0 || q.Offset > maxHSSOffset {
			t.Errorf("limit %d, offset %d", q.Limit, q.Offset)
		}
		if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
			t.Errorf("bounds %v to %v", q.From, q.To)
		}
	})
}
