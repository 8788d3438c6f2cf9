package httpd

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"shiplog/format"
)

// FuzzJournalFilter parses query strings and asks the filter of records: nothing panics, no refusal is other
// than a 400, and each record meets a condition or its negation.
func FuzzJournalFilter(f *testing.F) {
	for _, seed := range []string{"object_type=volume", "status=SUCCESS&limit=5", "object_type__in=server&object_type__in=node", "action__like=x",
		"id__gt=ten", "event_time__gte=2018-03-22T07:25:31&event_time__lt=2018-03-23", "event_time__year=2018&event_time__month=3",
		"filter_project_id=p1&filter_domain_id=d", "message__notcontains=%d0%9e%FF", "user_name__not_eq=a", "object_id_in=4", "id=%2b5&__=1&a__b=", "response_code__lte=-07"} {
		f.Add(seed, uint64(1))
	}
	f.Fuzz(func(t *testing.T, query string, seed uint64) {
		if len(query) > 16<<10 {
			return
		}
		j, err := parseJournalFilter(params(query))
		if err != nil {
			if e := asStatus(err); e.status != http.StatusBadRequest || len(e.message) > 1000 {
				t.Errorf("%q: %d %q, want a short 400", query, e.status, e.message)
			}
			return
		}
		r := entrySource{rand.New(rand.NewPCG(seed, 1))}
		n := &journalNarrowing{}
		for i := range j.conditions {
			c := &j.conditions[i]
			if c.field.name != "object_id" { // asks the index
				if err := n.condition(context.Background(), c); err != nil {
					t.Fatal(err)
				}
			}
		}
		narrowed := n.done()
		for range 5 {
			rec := r.record()
			rec.Seq = 1 + r.Uint64N(100)
			var fields format.Fields
			if err := format.ScanLine(format.AppendLine(nil, rec), &fields); err != nil {
				t.Fatal(err)
			}
			all := true
			for i := range j.conditions {
				c := &j.conditions[i]
				is := c.match(&fields)
				all = all && (is || c.field.name == "object_id")
				if negative, ok := strings.CutPrefix(c.modifier, "not"); ok {
					test, err := modifierTest(c.field, negative, c.values)
					text := c.field.text(&fields)
					if err != nil || test(text, text == "" && !c.field.always) == is {
						t.Errorf("%q: %s and its opposite say the same of %q", query, c.modifier, text)
					}
				}
			}
			if narrowed.Match(&fields) != all {
				t.Errorf("%q: the query says %v of %+v, its conditions say %v", query, !all, rec, all)
			}
		}
	})
}

// FuzzJournalTime compares what is read with a plain reading of the same contract.
func FuzzJournalTime(f *testing.F) {
	for _, seed := range []string{"2018-03-22", "2018-03-22T07:25", "2018-03-22 07:25:31.9", "2018-03-22T07:25:31+03:00", "2018-03-22T07:25:31Z",
		"2018-02-29", "2018-03-22T24:00", "2018-03-22T07:25:60", "2018-03-22Z", "2018-3-22", "0000-01-01T00:00+14:00", "2018-03-22T07:25.5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseJournalTime(text)
		want, ok := secondOf(text)
		if strings.Count(text, " ") > 0 && !ok { // a plus that was not escaped
			i := strings.LastIndexByte(text, ' ')
			want, ok = secondOf(text[:i] + "+" + text[i+1:])
		}
		if m := plainTime.FindStringSubmatch(text); ok && m != nil && (m[8] > "24" || m[9] > "59") {
			return // a zone that does not exist
		}
		if (err == nil) != ok || ok && got != want {
			t.Errorf("parseJournalTime(%q) = %d, %v, want %d, %v", text, got, err, want, ok)
		}
	})
}

// FuzzJournalBody posts bodies: what is taken is a valid record that is stored whole and shown as JSON.
func FuzzJournalBody(f *testing.F) {
	for _, seed := range []string{`{"journal": {"object_id": "4", "object_type": "node", "action": "node_control.power_on", "status": "Success"}}`,
		`{"journal":{"object_id":4,"action":"a","status":"s","action_arguments":{"n":1.50e3, "s":"<"},"response_code":-1}}`,
		`{"journal":{"object_id":"4","action":"a","status":"s","action_arguments":"[1]","message":null,"tenant_id":"p","user_name":"\ud800"}}`,
		`{"journal":[]}`, `{"journal":null}`, `[]`, `null`, `{`, "{\"journal\":{\"object_id\":\"\xff\"}}", `{"journal":{"object_id": 1e3}}`, `{"Journal":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &request{Request: httptest.NewRequest("POST", "/v1/journal", nil), body: body}
		rec, err := journalRecord(r, Token{User: "u", UserID: "id", DomainID: "d", Project: "p"})
		if err != nil {
			if e := asStatus(err); e.status != http.StatusBadRequest || !utf8.ValidString(e.message) {
				t.Errorf("%q: %d %q, want a 400", body, e.status, e.message)
			}
			return
		}
		rec.Seq, rec.Time = 1, time.Unix(0, 0)
		if err := rec.Validate(); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		whole := *rec
		whole.Trim()
		var fields format.Fields
		if err := format.ScanLine(format.AppendLine(nil, rec), &fields); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		row := journalRowOf(&fields)
		if row.Action != rec.Action || row.ObjectID == nil || *row.ObjectID != rec.Obj.ID || row.Req == nil {
			t.Errorf("%q: shown as %+v, want what was posted", body, row)
		}
		if row.Args != nil && (!json.Valid([]byte(*row.Args)) || *row.Args != rec.Args) {
			t.Errorf("%q: arguments %q, want the JSON %q", body, *row.Args, rec.Args)
		}
		if len(whole.Cut) == 0 && (whole.Msg != rec.Msg || whole.Args != rec.Args) {
			t.Errorf("%q: a member changes when it is stored", body)
		}
	})
}
