package httpd

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shiplog/format"
)

// tags are the tags in a page's metadata, by which tests tell records apart.
func (l quayList) tags() (tags []string) {
	for _, log := range l.Logs {
		tag, _ := log.Metadata["tag"].(string)
		tags = append(tags, tag)
	}
	return tags
}

// quayAll follows the pages of path to the end.
func (b *box) quayAll(token, path, query string) (all []quayLog) {
	b.t.Helper()
	for range 1000 {
		page := b.quayPage(token, path+query)
		all = append(all, page.Logs...)
		if page.NextPage == "" {
			return all
		}
		query = "?next_page=" + page.NextPage
	}
	b.t.Fatalf("%s does not end", path)
	return nil
}

// tagged is a registry's record of ns a, repo b at second s of 2025-03-06.
func tagged(tag string, s int) *format.Record {
	r := registry("a", "b", "eve", "push_repo")
	r.Time = time.Date(2025, 3, 6, 0, 0, s, 0, time.UTC)
	r.Data = fmt.Appendf(nil, `{"tag":%q}`, tag)
	return r
}

const (
	pagePath = "/api/v1/repository/a/b/logs"
	pageSpan = "starttime=03/06/2025&endtime=03/06/2025"
)

func TestQuayPagesOfExactlyTwenty(t *testing.T) {
	b := quayBox(t, "", nil)
	for i := range quayPageSize {
		b.append(tagged(fmt.Sprint(i), i))
	}
	first := b.quayPage("tok-admin", pagePath+"?"+pageSpan)
	if len(first.Logs) != quayPageSize || first.NextPage != "" {
		t.Errorf("20 records: page of %d, next %q, want all on the last page", len(first.Logs), first.NextPage)
	}
	if r := b.bearer("tok-admin", pagePath+"?"+pageSpan); strings.Contains(r.body, "next_page") {
		t.Errorf("the last page has the key next_page: %s", r.body)
	}
	b.append(tagged("20", 20))
	first = b.quayPage("tok-admin", pagePath+"?"+pageSpan)
	second := b.quayPage("tok-admin", pagePath+"?next_page="+first.NextPage)
	if first.tags()[0] != "20" || len(first.Logs) != 20 || !slices.Equal(second.tags(), []string{"0"}) || second.NextPage != "" {
		t.Errorf("21 records: pages %v and %v, want 20 and the oldest", first.tags(), second.tags())
	}
}

// Whatever is appended meanwhile, pages hold each record of the beginning exactly once, in order.
func TestQuayPagesWhileRecordsArrive(t *testing.T) {
	b := quayBox(t, "", nil)
	var want []string
	for i := range 90 { // by threes of one time; the last to arrive comes first
		tag := fmt.Sprint("old", i)
		b.append(tagged(tag, i/3))
		want = append(want, tag)
	}
	slices.Reverse(want)
	var got []string
	query := "?" + pageSpan
	for round := 0; ; round++ {
		page := b.quayPage("tok-admin", pagePath+query)
		for _, tag := range page.tags() {
			if strings.HasPrefix(tag, "old") {
				got = append(got, tag)
			}
		}
		if page.NextPage == "" {
			break
		}
		query = "?next_page=" + page.NextPage
		last, err := time.Parse(quayTime, page.Logs[len(page.Logs)-1].Datetime)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []int{40, 41, last.Second(), last.Second(), 0} { // newer, of the place's own time, and late ones
			b.append(tagged("new", s))
		}
		if round == 1 {
			b.restart()
		}
		if round > 20 {
			t.Fatal("pages do not end")
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages hold %v, want %v", got, want)
	}
}

// A page token goes on working when the record at its place is gone.
func TestQuayPageAfterItsPlaceWasForgotten(t *testing.T) {
	b := quayBox(t, "", nil)
	b.stop()
	w, err := format.Open(b.dir, format.Options{KeepFree: -1, SegmentBytes: 4 << 10})
	if err != nil {
		t.Fatal(err)
	}
	b.writer = w
	b.append(tagged("place", 30)) // the oldest to arrive stands in the middle by its time
	for i := range 20 {
		r := tagged(fmt.Sprint("filler", i), 0)
		r.NS, r.Msg = "elsewhere", strings.Repeat("x", 1000)
		b.append(r)
	}
	for i := range 19 {
		b.append(tagged(fmt.Sprint("newer", i), 31+i))
	}
	for i := range 5 {
		b.append(tagged(fmt.Sprint("older", i), i))
	}
	b.start()
	first := b.quayPage("tok-admin", pagePath+"?"+pageSpan)
	if tags := first.tags(); len(tags) != 20 || tags[19] != "place" {
		t.Fatalf("first page = %v, want it to end at the place", tags)
	}
	b.stop()
	segments, err := filepath.Glob(filepath.Join(b.dir, "log", "*.jsonl"))
	if err != nil || len(segments) < 3 {
		t.Fatalf("segments = %v %v, want several", segments, err)
	}
	if err := os.Remove(segments[0]); err != nil {
		t.Fatal(err)
	}
	b.start()
	if got := b.quayPage("tok-admin", pagePath+"?"+pageSpan).tags(); slices.Contains(got, "place") {
		t.Fatalf("the place is still there: %v", got)
	}
	second := b.quayPage("tok-admin", pagePath+"?next_page="+first.NextPage)
	if want := []string{"older4", "older3", "older2", "older1", "older0"}; !slices.Equal(second.tags(), want) {
		t.Errorf("second page = %v, want %v", second.tags(), want)
	}
}

func TestQuayPageTokenIsBound(t *testing.T) {
	now := time.Date(2025, 3, 6, 12, 0, 0, 0, time.UTC)
	b := quayBox(t, "fixture-quay.jsonl", func(o *Options) { o.Now = func() time.Time { return now } })
	for i := range 25 {
		r := tagged(fmt.Sprint(i), i)
		r.NS = "alice"
		b.append(r)
	}
	const org = "/api/v1/organization/admin/logs"
	span := "starttime=03/04/2025&endtime=03/07/2025"
	token := b.quayPage("tok-admin", org+"?"+span+"&performer=admin").NextPage
	if token == "" || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" || strings.Contains(token, "admin") {
		t.Fatalf("token = %q, want url-safe text that tells nothing", token)
	}
	alice := b.quayPage("org", "/api/v1/organization/alice/logs?"+span).NextPage
	byDefault := b.quayPage("tok-admin", org).NextPage
	for name, row := range map[string]struct {
		who, path, query string
		want             int
	}{
		"nothing repeated":                        {"tok-admin", org, "", 200},
		"all repeated":                            {"tok-admin", org, span + "&performer=admin", 200},
		"dates written otherwise":                 {"tok-admin", org, "starttime=2025-3-4&endtime=3/7/2025", 200},
		"only the performer":                      {"tok-admin", org, "performer=admin", 200},
		"an empty performer":                      {"tok-admin", org, "performer=", 200},
		"another performer":                       {"tok-admin", org, "performer=alice", 400},
		"another start":                           {"tok-admin", org, "starttime=03/05/2025", 400},
		"another end":                             {"tok-admin", org, "endtime=03/06/2025", 400},
		"a bad date":                              {"tok-admin", org, "endtime=03", 400},
		"another family":                          {"tok-admin", "/api/v1/user/logs", "", 400},
		"another organization":                    {"tok-admin", "/api/v1/organization/alice/logs", "", 400},
		"a repository":                            {"tok-admin", "/api/v1/repository/admin/web/logs", "", 400},
		"another caller":                          {"root", org, "", 400},
		"a caller without the right":              {"org", org, "", 403},
		"counts know no pages":                    {"tok-admin", strings.TrimSuffix(org, "logs") + "aggregatelogs", span, 200},
		"a caller's own token":                    {"org", "/api/v1/organization/alice/logs", "next_page=" + alice, 200},
		"that token in another's hands":           {"tok-admin", "/api/v1/organization/alice/logs", "next_page=" + alice, 400},
		"a default span is the token's":           {"tok-admin", org, "next_page=" + byDefault, 200},
		"a start where there was the default":     {"tok-admin", org, "starttime=03/05/2025&next_page=" + byDefault, 400},
		"a performer where there was none":        {"tok-admin", org, "performer=admin&next_page=" + byDefault, 400},
		"the performer of a repository's is void": {"tok-admin", "/api/v1/repository/admin/web/logs", "performer=x&" + span, 200},
	} {
		t.Run(name, func(t *testing.T) {
			query := row.query
			if !strings.Contains(query, "next_page") && !strings.Contains(name, "void") {
				query += "&next_page=" + token
			}
			r := b.bearer(row.who, row.path+"?"+query)
			if r.status != row.want {
				t.Errorf("GET %s?%s as %s = %d %s, want %d", row.path, query, row.who, r.status, r.body, row.want)
			}
			if row.want == 400 && name != "a bad date" && !strings.Contains(r.body, "Invalid page token") {
				t.Errorf("answer = %s, want Invalid page token", r.body)
			}
		})
	}
}

func TestQuayPageKeepsTheSpanOfItsFirst(t *testing.T) {
	noon := time.Date(2025, 3, 6, 12, 0, 0, 0, time.UTC)
	var after atomic.Int64 // nanoseconds; the server reads its clock all the time
	b := quayBox(t, "fixture-quay.jsonl", func(o *Options) { o.Now = func() time.Time { return noon.Add(time.Duration(after.Load())) } })
	first := b.quayPage("tok-admin", "/api/v1/user/logs")
	after.Store(int64(quayPageLife - time.Second))
	second := b.quayPage("tok-admin", "/api/v1/user/logs?next_page="+first.NextPage)
	if second.StartTime != first.StartTime || second.EndTime != first.EndTime || len(second.Logs) == 0 {
		t.Errorf("second page %s to %s with %d records, want the span of the first, %s to %s", second.StartTime, second.EndTime, len(second.Logs), first.StartTime, first.EndTime)
	}
	for _, shift := range []time.Duration{quayPageLife, -2 * quayPageLife} {
		after.Store(int64(shift))
		r := b.bearer("tok-admin", "/api/v1/user/logs?next_page="+first.NextPage)
		wantAPIError(t, fmt.Sprintf("a token %s old", shift), r, 400, "invalid_request")
	}
}

func TestQuayPageTokenThatIsNone(t *testing.T) {
	b := quayBox(t, "fixture-quay.jsonl", nil)
	const path = "/api/v1/organization/admin/logs?starttime=03/04/2025&endtime=03/07/2025&next_page="
	token := b.quayPage("tok-admin", path).NextPage
	bad := []string{"x", "=", "AAAA", token + "=", token + "A", token[:len(token)-1], token[1:], token + "\n", "\n" + token, token[:9] + "\r\n" + token[9:],
		" " + token, strings.Repeat("A", maxSealed), strings.Repeat("A", maxSealed+1), strings.Repeat(token, 2), "null", "\x00", "ÿ"}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range token { // each character, also those whose last bits do not matter to a decoder
		other := alphabet[(strings.IndexByte(alphabet, token[i])+1)%len(alphabet)]
		bad = append(bad, token[:i]+string(other)+token[i+1:])
	}
	for _, text := range bad {
		r := b.bearer("tok-admin", path+url.QueryEscape(text))
		if r.status != 400 || !strings.Contains(r.body, "Invalid page token") {
			t.Fatalf("next_page=%q = %d %s, want 400 Invalid page token", text, r.status, r.body)
		}
	}
	if r := b.bearer("tok-admin", path+token); r.status != 200 {
		t.Errorf("the token itself = %d %s", r.status, r.body)
	}
	if err := os.Remove(filepath.Join(b.dir, "keys", "pages.key")); err != nil {
		t.Fatal(err)
	}
	b.restart()
	if r := b.bearer("tok-admin", path+token); r.status != 400 {
		t.Errorf("the token under a new key = %d %s, want 400", r.status, r.body)
	}
}

// A page whose records take too long to find is short and names the next one: nothing is lost, given twice, or
// silently left out.
func TestQuayShortPagesGoOn(t *testing.T) {
	b := quayBox(t, "", func(o *Options) { o.limits = limits{page: 1} })
	recs, want := make([]*format.Record, 4000), []string(nil)
	for i := range recs {
		if recs[i] = tagged(fmt.Sprint(i), i); i%200 == 7 {
			want = append(want, fmt.Sprint(i))
		} else {
			recs[i].Repo = "other"
		}
	}
	slices.Reverse(want)
	if err := b.writer.Write(recs...); err != nil {
		t.Fatal(err)
	}
	first := b.quayPage("tok-admin", pagePath+"?"+pageSpan)
	if len(first.Logs) == len(want) || first.NextPage == "" {
		t.Errorf("first page has %d of %d logs, next_page %q; want some of them and a next page", len(first.Logs), len(want), first.NextPage)
	}
	if got := (quayList{Logs: b.quayAll("tok-admin", pagePath, "?"+pageSpan)}).tags(); !slices.Equal(got, want) {
		t.Errorf("all pages have %v, want %v", got, want)
	}
}
