package httpd

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"shiplog/format"
)

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
