package httpd

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
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

// entrySource makes records and filters that meet each other often.
type entrySource struct{ *rand.Rand }

func (r entrySource) of(pool ...string) string { return pool[r.IntN(len(pool))] }

var (
	oracleTexts = []string{"", "Объект 7 готов", "object 7 done", `a "quoted" \ <b>&`, "kKK sſS", "ok", "Straße", "line\nbreak", "100%", "x\u0000y"}
	oracleIDs   = []string{"", "", "4", "o-1", "0123456789ab", "0123456789abcdef0123456789abcdef", "0123456789abcdef", "p1", "default", "O-1"}
	oracleNames = []string{"", "", "t1", "0123456789ab", "p1", "o-1", "default"}
)

func (r entrySource) record() *format.Record {
	at := time.Date(2018, 3, 20+r.IntN(5), r.IntN(24), r.IntN(2)*30, r.IntN(3), r.IntN(2)*999_999_999, time.UTC)
	if r.IntN(20) == 0 {
		at = time.Date([]int{1969, 1970, 2019, 2261}[r.IntN(4)], 12, 31, 23, 59, 59, 1, time.UTC)
	}
	rec := &format.Record{Time: at, Stream: format.StreamLog, Category: "system",
		Level: format.Level(r.of("", "INFO", "ERROR")), Outcome: format.Outcome(r.of("", "success", "failure")),
		Action: r.of("", "container.stop", "node_control.power_on", "Container.Stop", "system"), Status: r.of("", "Success", "success", "ERROR", "İ"),
		Code: r.of("", "0", "404", "1000", "0404", "-1", "timeout", "99"), Msg: r.of(oracleTexts...), Project: r.of("", "p1", "p2", "default"),
		Actor: format.Actor{Name: r.of("", "", "admin", "system", "Anonymous", "user1", "USER1"), ID: r.of("", "u-1", "u-2"), Domain: r.of("", "default", "unix", "d2"),
			Type: r.of("", "engine", "anonymous", "user")},
		Obj: format.Object{Type: r.of("", "project", "domain", "container", "server"), ID: r.of(oracleIDs...), Name: r.of(oracleNames...)},
		Req: r.of("", "req-1", "REQ-2"), PReq: r.of("", "req-1"), Args: r.of("", `{"user": "admin"}`, `{"USER":"admin"}`, "1.50")}
	if r.IntN(2) == 0 {
		rec.Stream = format.StreamEvent
	}
	return rec
}

var oracleModifiers = []string{"", "", "eq", "noteq", "contains", "notcontains", "startswith", "notstartswith", "endswith", "notendswith",
	"in", "notin", "gt", "gte", "lt", "lte"}

// value takes what some entry shows, or a part of it, or something else.
func (r entrySource) value(all []entryText, field, modifier string) string {
	v := all[r.IntN(len(all))].shown[field]
	part := strings.HasSuffix(modifier, "contains") || strings.HasSuffix(modifier, "with")
	switch runes := []rune(v); {
	case modifier == "year":
		return r.of("2018", "1969", "1970", "2262", "-3", "0")
	case modifier == "month" || modifier == "day":
		return r.of("3", "22", "12", "31", "022", "-1")
	case part && len(runes) > 1:
		i := r.IntN(len(runes))
		v = string(runes[i : i+1+r.IntN(len(runes)-i)])
		return r.of(v, strings.ToUpper(v), strings.ToLower(v))
	case part:
	case field == "id":
		return r.of(v, v, "0", "-7", "+5", " 9 ", "9223372036854775807")
	case field == "event_time":
		return r.of(v, v+"Z", v+".75", v[:16], v[:10], strings.Replace(v, "T", " ", 1)+"+03:00", v+"-00:30", "0001-01-01", "9999-12-31T23:59:59")
	}
	return r.of(v, v, v, v, strings.ToUpper(v), "nothing", r.of(oracleIDs...))
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
	if testing.Short() {
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

// filters makes a query string and what it means.
func (r entrySource) filters(all []entryText) (string, func(entryText) bool) {
	q := url.Values{}
	var conditions []func(entryText) bool
	for range r.IntN(3) + r.IntN(2) {
		field := journalFields[r.IntN(len(journalFields))].name
		modifier := oracleModifiers[r.IntN(len(oracleModifiers))]
		if field == "event_time" && r.IntN(3) == 0 {
			modifier = r.of("year", "month", "day")
		}
		values := []string{r.value(all, field, modifier)}
		if modifier == "in" || modifier == "notin" {
			values = append(values, r.value(all, field, modifier), "")
		}
		name := field + "__" + modifier
		if modifier == "" {
			name, modifier = field, "eq"
		}
		if _, there := q[name]; there {
			continue
		}
		q[name] = values
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
		if len(values) == 0 {
			continue // present but empty is absent
		}
		if field == "id" && !strings.Contains(modifier, "with") && !strings.Contains(modifier, "contains") {
			for i := range values {
				values[i] = strings.TrimPrefix(strings.TrimSpace(values[i]), "+")
			}
		}
		conditions = append(conditions, func(e entryText) bool { return e.meets(field, modifier, values) })
	}
	if r.IntN(6) == 0 {
		p := r.of("p1", "default", "o-1", "0123456789ab")
		q.Set("filter_project_id", p)
		conditions = append(conditions, func(e entryText) bool {
			return e.project == p || e.shown["object_type"] == "project" && e.shown["object_id"] == p
		})
	}
	if r.IntN(6) == 0 {
		d := r.of("default", "unix", "p1", "0123456789abcdef")
		q.Set("filter_domain_id", d)
		conditions = append(conditions, func(e entryText) bool {
			return e.shown["domain_id"] == d || e.shown["object_type"] == "domain" && e.shown["object_id"] == d
		})
	}
	return q.Encode(), func(e entryText) bool {
		return !slices.ContainsFunc(conditions, func(ok func(entryText) bool) bool { return !ok(e) })
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
