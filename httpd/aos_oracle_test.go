package httpd

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// entryText is an entry as the contract shows it: member -> text, absent for null. It is made of the line's
// JSON, by a reading of the contract that shares no code with the server's.
type entryText struct {
	id      int64
	second  int64
	project string
	shown   map[string]string
}

func readEntry(t *testing.T, line []byte) entryText {
	t.Helper()
	var r struct {
		Seq                                                        int64
		Time                                                       time.Time
		Level, Outcome, Status, Action, Msg, Code, Req, PReq, Args string
		Project                                                    string
		Actor                                                      struct{ Name, ID, Domain string }
		Obj                                                        struct{ Type, ID, Name string }
	}
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatal(err)
	}
	status := strings.ToLower(r.Status)
	if status == "" {
		status = r.Outcome
	}
	if status == "" {
		if status = "unknown"; r.Level == "ERROR" {
			status = "failure"
		}
	}
	object := r.Obj.ID
	if object == "" {
		object = r.Obj.Name
	}
	project := r.Project
	if project == "" {
		project = "default"
	}
	e := entryText{id: r.Seq, second: r.Time.Unix(), project: project, shown: map[string]string{}}
	for name, text := range map[string]string{"object_id": object, "object_type": r.Obj.Type, "action_arguments": r.Args, "response_code": r.Code,
		"message": r.Msg, "user_id": r.Actor.ID, "domain_id": r.Actor.Domain, "request_id": r.Req, "parent_request_id": r.PReq} {
		if text != "" {
			e.shown[name] = text
		}
	}
	e.shown["id"], e.shown["event_time"] = strconv.FormatInt(r.Seq, 10), r.Time.UTC().Format("2006-01-02T15:04:05")
	e.shown["action"], e.shown["status"], e.shown["user_name"] = r.Action, status, r.Actor.Name
	return e
}

var plainTime = regexp.MustCompile(`^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:Z|([+-])(\d\d):(\d\d))?)?$`)

// secondOf is the plain reading of an event_time value.
func secondOf(s string) (int64, bool) {
	m := plainTime.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n := make([]int, len(m))
	for i := range m {
		n[i], _ = strconv.Atoi(m[i])
	}
	d := time.Date(n[1], time.Month(n[2]), n[3], n[4], n[5], n[6], 0, time.UTC)
	if d.Month() != time.Month(n[2]) || d.Day() != n[3] || n[4] > 23 || n[5] > 59 || n[6] > 59 {
		return 0, false
	}
	zone := int64(n[8]*3600 + n[9]*60)
	if m[7] == "-" {
		zone = -zone
	}
	return d.Unix() - zone, true
}

// alike finds part in s, letters without regard to case: at (0) the beginning, (1) the end, (2) anywhere.
func alike(s, part string, where int) bool {
	text, want := []rune(s), []rune(part)
	for i := 0; i+len(want) <= len(text); i++ {
		atEdge := where == 2 || where == 0 && i == 0 || where == 1 && i+len(want) == len(text)
		if atEdge && strings.EqualFold(string(text[i:i+len(want)]), part) {
			return true
		}
	}
	return false
}

// meets tells whether e meets field__modifier with values.
func (e entryText) meets(field, modifier string, values []string) bool {
	if rest, ok := strings.CutPrefix(modifier, "not"); ok {
		return !e.meets(field, rest, values)
	}
	text, there := e.shown[field]
	if !there {
		return false
	}
	v := values[0]
	switch modifier {
	case "contains":
		return alike(text, v, 2)
	case "startswith":
		return alike(text, v, 0)
	case "endswith":
		return alike(text, v, 1)
	case "year", "month", "day":
		n, _ := strconv.ParseInt(v, 10, 64)
		at := time.Unix(e.second, 0).UTC()
		return n == map[string]int64{"year": int64(at.Year()), "month": int64(at.Month()), "day": int64(at.Day())}[modifier]
	case "in":
		return slices.ContainsFunc(values, func(v string) bool { return e.meets(field, "eq", []string{v}) })
	}
	c := e.compare(field, text, v)
	return map[string]bool{"eq": c == 0, "gt": c > 0, "gte": c >= 0, "lt": c < 0, "lte": c <= 0}[modifier] &&
		(modifier != "eq" || field != "response_code" || text == v)
}

func (e entryText) compare(field, text, v string) int {
	a, errA := strconv.ParseInt(text, 10, 64)
	b, errB := strconv.ParseInt(v, 10, 64)
	switch {
	case field == "id", field == "response_code" && errA == nil && errB == nil:
		return int(min(max(a-b, -1), 1))
	case field == "event_time":
		s, _ := secondOf(v)
		return int(min(max(e.second-s, -1), 1))
	case field == "status":
		return strings.Compare(text, strings.ToLower(v))
	}
	return strings.Compare(text, v)
}

// TestJournalAgreesWithAPlainReading asks for random filters of random records and compares every answer.
func TestJournalAgreesWithAPlainReading(t *testing.T) {
	b := newBox(t, "", nil)
	r := entrySource{rand.New(rand.NewPCG(5, 4))}
	var all []entryText
	for i := range 300 {
		if i == 200 { // the older ones are then found by their columns
			if _, err := b.writer.Seal(); err != nil {
				t.Fatal(err)
			}
		}
		rec := r.record()
		b.append(rec)
		all = append(all, readEntry(t, format.AppendLine(nil, rec)))
	}
	slices.Reverse(all) // newest first
	rounds := 1500
	if testing.Short() || fewer > 1 {
		rounds = 300
	}
	hits := 0
	for range rounds {
		query, keep := r.filters(all)
		token, project := "tok-admin", ""
		if r.IntN(3) == 0 {
			token, project = "tok-reader-p1", "p1"
		}
		var want []entryText
		for _, e := range all {
			if (project == "" || e.project == project) && keep(e) {
				want = append(want, e)
			}
		}
		hits += len(want)
		limit, offset := 1+r.IntN(20), r.IntN(4)
		page := want[min(offset, len(want)):]
		page = page[:min(limit, len(page))]
		got := b.do("GET", "/v1/journal?"+query+fmt.Sprintf("&limit=%d&offset=%d", limit, offset), "", "X-Auth-Token", token)
		wantPage(t, query, got, page)
		count := b.do("GET", "/v1/journal/count/?"+query, "", "X-Auth-Token", token)
		if count.body != fmt.Sprintf("{\"count\":%d}\n", len(want)) {
			t.Errorf("count of %s = %s, want %d", query, count.body, len(want))
		}
		if t.Failed() {
			return
		}
	}
	if hits < rounds { // a test whose filters find nothing would show nothing
		t.Errorf("%d filters found %d entries, want more than one each", rounds, hits)
	}
}

func wantPage(t *testing.T, query string, got reply, want []entryText) {
	t.Helper()
	var answer struct{ Journal []map[string]any }
	if err := json.Unmarshal([]byte(got.body), &answer); got.status != 200 || err != nil {
		t.Errorf("%s = %d %s", query, got.status, got.body)
		return
	}
	var ids, wantIDs []string
	for _, row := range answer.Journal {
		ids = append(ids, fmt.Sprint(row["id"]))
	}
	for _, e := range want {
		wantIDs = append(wantIDs, e.shown["id"])
	}
	if !slices.Equal(ids, wantIDs) {
		t.Errorf("%s\n= %v, want %v", query, ids, wantIDs)
		return
	}
	for i, row := range answer.Journal {
		if len(row) != 14 {
			t.Errorf("entry %s has %d members, want 14", ids[i], len(row))
		}
		for name, v := range row {
			if text, there := want[i].shown[name]; name != "id" && (there != (v != nil) || there && v != text) {
				t.Errorf("entry %s: %s = %v, want %q (%v)", ids[i], name, v, text, there)
			}
		}
	}
}
