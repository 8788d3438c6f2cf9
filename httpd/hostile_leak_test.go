package httpd

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// leakAccounts are two users of different projects and namespaces who know nothing of each other.
const leakAccounts = `{"qnap_users":[{"name":"ann","password":"ann-pw"},{"name":"bob","password":"bob-pw"}],
"tokens":[{"token":"tok-ann","user":"ann","user_id":"u-ann","domain_id":"d-ann","project":"pa","roles":["reader"],"scopes":["user:admin","org:admin","repo:admin"],"namespaces":["team-a"]},
{"token":"tok-bob","user":"bob","user_id":"u-bob","domain_id":"d-bob","project":"pb","roles":["reader"],"scopes":["user:admin","org:admin","repo:admin"],"namespaces":["team-b"]}]}`

// leakRecords are records of ann and of bob, by turns at random, alike but for whose they are.
func leakRecords(n int) (all []*format.Record, bobs []bool) {
	r := rand.New(rand.NewPCG(7, 11))
	of := func(pool ...string) string { return pool[r.IntN(len(pool))] }
	at, eseq := time.Date(2025, 3, 3, 8, 0, 0, 0, time.UTC), uint64(0)
	for i := range n {
		at = at.Add(time.Duration(r.IntN(900)) * time.Second)
		bob := r.IntN(2) == 0 && i < n-1 // the newest seq and eseq are the same without him
		name, project, ns := "ann", "pa", of("ann", "team-a")
		if bob {
			name, project, ns = "bob", "pb", of("bob", "team-b")
		}
		rec := &format.Record{Seq: uint64(i + 1), Time: at, Obs: at, ID: fmt.Sprintf("id-%d", i), Stream: format.StreamLog, Category: of("image", "container", "import"),
			Level: format.Level(of("INFO", "ERROR")), Action: of("image.push", "image.pull", "container.start", "quay.create_tag"), Outcome: format.Outcome(of("success", "failure")),
			Status: of("success", "error"), Msg: of("one", "two", "three") + " by " + name, NS: ns, Repo: of("web", "db"), Project: project,
			Actor: format.Actor{Name: name, ID: "u-" + name, Domain: "d-" + name, Type: format.ActorUser}, Req: of("req-1", "req-2"),
			Obj: format.Object{Type: of("container", "image", "project"), ID: name + "-" + of("1", "2", "3"), Name: of("web", "db", name)}, Src: format.Src{IP: "192.0.2.7"}}
		if r.IntN(3) == 0 || i == n-1 {
			eseq++
			rec.Stream, rec.Eseq = format.StreamEvent, eseq
		}
		all, bobs = append(all, rec), append(bobs, bob)
	}
	return all, bobs
}

// annBox is a box that ann asks.
type annBox struct {
	*box
	cookieOfAnn string
	next        string // the same question about the next page; the tokens of two boxes differ
}

// leakBox serves the records; without bob's, the others keep their numbers.
func leakBox(t *testing.T, withBob bool) *annBox {
	b := &annBox{box: newBox(t, "", nil)}
	if _, err := b.accounts().Apply(strings.NewReader(leakAccounts)); err != nil {
		t.Fatal(err)
	}
	all, bobs := leakRecords(600)
	all = slices.DeleteFunc(all, func(rec *format.Record) bool { return bobs[rec.Seq-1] && !withBob })
	if err := b.writer.Restore(all...); err != nil {
		t.Fatal(err)
	}
	return b
}

// leakTargets are ann's questions about herself, about bob and about all.
func leakTargets() (all []string) {
	const span = "starttime=03/01/2025&endtime=03/20/2025"
	for _, path := range []string{"user", "organization/ann", "organization/team-a", "organization/bob", "organization/team-b", "organization/nobody", "repository/ann/web",
		"repository/team-a/db", "repository/bob/web", "repository/team-b/db", "repository/nobody/web", "repository/web"} {
		for _, more := range []string{"", "&performer=ann", "&performer=bob"} {
			all = append(all, "/api/v1/"+path+"/logs?"+span+more, "/api/v1/"+path+"/aggregatelogs?"+span+more)
		}
	}
	for _, project := range []string{"pa", "pb", "default", "nobody"} {
		for _, q := range []string{"", "limit=200", "limit=7&offset=13", "offset=150", "user_name=bob", "user_name=ann", "resource_name=web", "resource_name=bob", "resource_type=image&limit=50",
			"event_name=image.push", "source_ip=192.0.2.7", "start_time=1741000000000&end_time=1741300000000&limit=200"} {
			all = append(all, "/v5/"+project+"/container/image/events?"+q)
		}
	}
	for _, q := range []string{"", "limit=5", "limit=9&offset=31", "limit=1000", "user_name=bob", "user_name__noteq=ann", "user_name__contains=b", "user_id=u-bob", "domain_id=d-bob", "domain_id__noteq=x",
		"object_id=bob-1", "object_id__contains=bob", "object_id=bob", "object_id__notcontains=ann", "message__contains=bob", "message__notcontains=bob", "filter_project_id=pb", "filter_project_id=pa",
		"filter_project_id=bob-1", "filter_domain_id=d-bob", "filter_domain_id=bob-1", "id__gt=100&limit=20", "id__in=1&id__in=2&id__in=3&id__in=4&id__in=5&id__in=6", "action=image.push",
		"event_time__gte=2025-03-04&event_time__lt=2025-03-05", "request_id=req-1&limit=40", "object_type=project"} {
		all = append(all, "/v1/journal/?"+q, "/v1/journal/count?"+q)
	}
	for id := range 40 {
		all = append(all, fmt.Sprintf("/v1/journal/%d/", id*15+1))
	}
	for _, q := range []string{"", "?index=0", "?index=50", "?offset=90", "?index=10&offset=60", "?index=100000"} {
		all = append(all, "/container-station/api/v1/event"+q, "/api/v1/event"+q)
	}
	return all
}

// volatile is what differs between two answers that say the same.
var volatile = regexp.MustCompile(`"(next_page|request_id)":"[^"]*"|"(http://127\.0\.0\.1:\d+)`)

// TestNobodySeesWhetherOthersHaveRecords asks as ann on a box where bob has records and on one where he has none.
// Every answer is the same to the byte: lists, totals, counts, pages to the last, refusals and files of exports.
// (The log of Container Station is the box's own and everybody's who may log in; so are the positions of events.)
func TestNobodySeesWhetherOthersHaveRecords(t *testing.T) {
	with, without := leakBox(t, true), leakBox(t, false)
	rows := 0
	for _, target := range leakTargets() {
		for next := target; next != ""; {
			a, b := with.ask(next), without.askLike(next, target)
			if a.status != b.status || volatile.ReplaceAllString(a.body, "") != volatile.ReplaceAllString(b.body, "") || !sameHeader(a, b) {
				t.Errorf("GET %s = %d %s\nwith bob's records, and without them %d %s", target, a.status, cutText(a.body, 600), b.status, cutText(b.body, 600))
			}
			if strings.Contains(volatile.ReplaceAllString(a.body, ""), "bob") && a.status == 200 { // a page token may spell anything
				t.Errorf("GET %s shows ann something of bob: %s", target, cutText(a.body, 600))
			}
			if a.status == 200 && len(a.body) > 200 {
				rows++
			}
			next = with.follow(target, a)
			without.follow(target, b)
		}
	}
	if rows < 50 {
		t.Errorf("only %d answers held anything: the test tested little", rows)
	}
	if a, b := with.exported(), without.exported(); a != b || !strings.Contains(a, "ann") || strings.Contains(a, "bob") {
		t.Errorf("ann's export holds %d bytes with bob's records and %d without them, want the same, and nothing of his", len(a), len(b))
	}
	if got := with.do("GET", "/v1/journal/count", "", "X-Auth-Token", "tok-bob"); got.status != 200 || strings.Contains(got.body, ":0}") {
		t.Errorf("bob's own count = %d %s, want some: the test tested nothing", got.status, got.body)
	}
}

// follow is the question about the page after r; "": r was the last.
func (b *annBox) follow(target string, r reply) string {
	var page struct {
		Next string `json:"next_page"`
	}
	if json.Unmarshal([]byte(r.body), &page) != nil || page.Next == "" {
		b.next = ""
		return ""
	}
	b.next = target + "&next_page=" + url.QueryEscape(page.Next)
	return b.next
}

// askLike asks the same as another box was asked, with this box's own page token.
func (b *annBox) askLike(next, target string) reply {
	if next != target {
		next = b.next
	}
	return b.ask(next)
}

func (b *annBox) ask(target string) reply {
	b.t.Helper()
	if b.cookieOfAnn == "" {
		r := b.do("POST", "/api/v1/login", `{"username":"ann","password":"ann-pw"}`)
		b.cookieOfAnn, _, _ = strings.Cut(r.header.Get("Set-Cookie"), ";")
	}
	return b.do("GET", target, "", "Cookie", b.cookieOfAnn, "Authorization", "Bearer tok-ann", "X-Auth-Token", "tok-ann")
}

// sameHeader compares what an answer says of itself, but for its date and number.
func sameHeader(a, b reply) bool {
	for _, name := range []string{"Content-Type", "X-Shiplog-Degraded", "Retry-After", "WWW-Authenticate", "Allow"} {
		if a.header.Get(name) != b.header.Get(name) {
			return false
		}
	}
	return true
}

// exported is the file of an export that ann orders.
func (b *box) exported() string {
	b.t.Helper()
	r := b.do("POST", "/api/v1/organization/team-a/exportlogs?starttime=03/01/2025&endtime=03/20/2025", "{}", "Authorization", "Bearer tok-ann")
	var made struct {
		ID string `json:"export_id"`
	}
	if err := json.Unmarshal([]byte(r.body), &made); err != nil || r.status != 201 {
		b.t.Fatalf("export = %d %s", r.status, r.body)
	}
	b.until(made.ID, "over", over)
	data, err := os.ReadFile(filepath.Join(b.dir, "exports", made.ID+logsFile))
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), made.ID, "")
}
