package httpd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shiplog/format"
)

// journalRows counts the records of a journal page.
func (b *box) journalRows(query string) int {
	b.t.Helper()
	got := b.do("GET", "/v1/journal/?"+query, "", "X-Auth-Token", "tok-admin")
	var page struct{ Journal []json.RawMessage }
	if err := json.Unmarshal([]byte(got.body), &page); got.status != 200 || err != nil {
		b.t.Fatalf("GET journal?%s = %d %s (%v), want a page", query, got.status, got.body, err)
	}
	return len(page.Journal)
}

// Pages that were begun before the oldest segments were removed are continued under a running server with what is
// left, in every dialect; a place that is gone is no error.
func TestPagesIntoRemovedSegments(t *testing.T) {
	b := newBox(t, "", nil)
	const each, kept = 10, 10 // records of a segment
	for s := range 4 {
		for i := range each {
			r := tagged(fmt.Sprint(s, "-", i), s*each+i)
			r.Project, r.Category, r.Obj, r.Eseq = "p1", "container", format.Object{Type: "container", ID: "web", Name: "web"}, format.NextEseq
			r.Stream = format.StreamEvent
			b.append(r)
		}
		if _, err := b.writer.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	cookie := b.cookie("admin")
	quay := b.quayPage("tok-admin", pagePath+"?"+pageSpan)
	if len(quay.tags()) != 20 || quay.NextPage == "" {
		t.Fatalf("first page = %v, want 20 of 40", quay.tags())
	}
	if n := b.journalRows("limit=30&obj_id=web"); n < 30 {
		t.Fatalf("the journal has %d records, want 30 on a page", n)
	}
	segments, err := filepath.Glob(filepath.Join(b.dir, "log", "*.jsonl"))
	if err != nil || len(segments) != 5 {
		t.Fatalf("segments = %v, %v, want five", segments, err)
	}
	for _, file := range segments[:3] {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}

	if second := b.quayPage("tok-admin", pagePath+"?next_page="+quay.NextPage); len(second.tags()) != 0 || second.NextPage != "" {
		t.Errorf("the second page of Quay = %v and a next one %q, want the end", second.tags(), second.NextPage)
	}
	if again := b.quayPage("tok-admin", pagePath+"?"+pageSpan); len(again.tags()) != kept {
		t.Errorf("the first page of Quay = %v, want %d records", again.tags(), kept)
	}
	for query, want := range map[string]struct{ rows, total int }{"limit=10&offset=0": {kept, kept}, "limit=10&offset=20": {0, kept}} {
		if got := hssPageOf(t, b, "p1", "tok-reader-p1", query); len(got.List) != want.rows || got.Total != want.total {
			t.Errorf("HSS events?%s = %d of %d, want %d of %d", query, len(got.List), got.Total, want.rows, want.total)
		}
	}
	if n := b.journalRows("limit=30&offset=30"); n != 0 {
		t.Errorf("the journal behind what is left has %d records, want none", n)
	}
	got := b.do("GET", "/container-station/api/v1/event?index=5", "", "Cookie", cookie)
	var events eventList
	if err := json.Unmarshal([]byte(got.body), &events); err != nil || got.status != 200 {
		t.Fatalf("GET event?index=5 = %d %s", got.status, got.body)
	}
	if events.Index != 3*each || events.Offset != 4*each || len(events.Messages) > kept {
		t.Errorf("GET event?index=5 = %d..%d with %d messages, want %d..%d: it says where what is left begins", events.Index, events.Offset, len(events.Messages), 3*each, 4*each)
	}
	for _, path := range []string{"/container-station/api/v1/log?limit=100", "/container-station/api/v1/log/export"} {
		if got := b.do("GET", path, "", "Cookie", cookie); got.status != 200 {
			t.Errorf("GET %s = %d %s, want 200", path, got.status, got.body)
		}
	}
	if got := b.do("GET", "/readyz", ""); got.status != 200 || !strings.Contains(got.body, `"ready": true`) {
		t.Errorf("GET /readyz = %d %s, want ready", got.status, got.body)
	}
}
