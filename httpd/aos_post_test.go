package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"shiplog/format"
)

// entryBody is the body of a POST with the required members and what is given besides, or instead.
func entryBody(members string) string {
	return `{"journal": {"object_id": "4", "action": "node_control.power_on", "status": "Success"` + members + `}}`
}

// TestJournalRoundTrip posts all that can be posted: the answer and a GET show the same, and the record has it
// where the other dialects look for it.
func TestJournalRoundTrip(t *testing.T) {
	b := journalBox(t, "", nil)
	post := b.do("POST", "/v1/journal/?object_type=ignored&tenant_id=ignored", `{"journal": {"object_id": -12345678901234567890, "object_type": "node", "action": "backup.<start>",
		"status": "ЗАВЕРШЕНО", "message": "a \"text\"\n & more", "response_code": 404, "parent_request_id": "req-0", "request_id": "req-1", "user_id": "u-x", "user_name": "<x>",
		"domain_id": "d-x", "action_arguments": {"n": 1.50, "big": 12345678901234567890, "s": "<&>"}, "tenant_id": "p9", "id": 7, "event_time": "2001-01-01", "extra": [1]}}`,
		"X-Auth-Token", "service", "Content-Type", "application/json; charset=utf-8")
	want := `{"journal": {"id": 1, "action": "backup.<start>", "action_arguments": "{\"n\":1.50,\"big\":12345678901234567890,\"s\":\"<&>\"}", "event_time": "@isotime",
		"message": "a \"text\"\n & more", "object_id": "-12345678901234567890", "object_type": "node", "parent_request_id": "req-0", "request_id": "req-1", "response_code": "404",
		"status": "завершено", "user_id": "u-x", "user_name": "<x>", "domain_id": "d-x"}}`
	if diffs := matchJSON(json.RawMessage(want), post.body, false); post.status != 201 || diffs != nil {
		t.Fatalf("POST = %d %s\n%s", post.status, post.body, strings.Join(diffs, "\n"))
	}
	if got := b.do("GET", "/v1/journal/1", "", "X-Auth-Token", "tok-admin"); got.body != post.body {
		t.Errorf("GET = %s, want what POST answered: %s", got.body, post.body)
	}
	rec := b.newest()
	if rec.Status != "ЗАВЕРШЕНО" || rec.Project != "p9" || rec.NS != "p9" || rec.Category != "backup" || rec.Stream != format.StreamLog || rec.Src.IP != "127.0.0.1" || !rec.Time.Equal(rec.Obs) {
		t.Errorf("record = %+v, want status, project, namespace, category, address and one time", rec)
	}
}

func (b *box) newest() format.Record {
	b.t.Helper()
	l, err := format.OpenLog(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	var last format.Record
	for line, err := range l.Forward(0) {
		if err != nil {
			b.t.Fatal(err)
		}
		if err := format.ParseLine(line.Bytes, &last); err != nil {
			b.t.Fatal(err)
		}
	}
	return last
}

// TestJournalDefaults posts what is required and no more.
func TestJournalDefaults(t *testing.T) {
	b := journalBox(t, "", nil)
	for _, row := range []struct{ what, members, query, header, want string }{
		{"the token's identity", "", "", "", `{"user_id": "u-w", "user_name": "wanda", "domain_id": "d-w", "request_id": "@uuid", "message": null, "object_type": null, "action_arguments": null}`},
		{"the header's request id", "", "", "req-9", `{"request_id": "req-9"}`},
		{"the body's request id before the header's", `, "request_id": "mine"`, "", "req-9", `{"request_id": "mine"}`},
		{"object type and user in the query", "", "?object_type=node&user_id=u-w", "", `{"object_type": "node", "user_id": "u-w"}`},
		{"null members", `, "message": null, "response_code": null, "action_arguments": null`, "", "", `{"message": null, "response_code": null, "action_arguments": null}`},
		{"a JSON text kept as it is", `, "action_arguments": " {\"a\" : 1.0} "`, "", "", `{"action_arguments": " {\"a\" : 1.0} "}`},
		{"a false argument", `, "action_arguments": false`, "", "", `{"action_arguments": "false"}`},
		{"a member twice", `, "message": "a", "message": "b"`, "", "", `{"message": "b"}`},
	} {
		headers := []string{"X-Auth-Token", "writer"}
		if row.header != "" {
			headers = append(headers, "X-Openstack-Request-Id", row.header)
		}
		got := b.do("POST", "/v1/journal"+row.query, entryBody(row.members), headers...)
		if diffs := matchJSON(json.RawMessage(`{"journal": `+row.want+`}`), got.body, true); got.status != 201 || diffs != nil {
			t.Errorf("%s = %d %s\n%s", row.what, got.status, got.body, strings.Join(diffs, "\n"))
		}
	}
	if rec := b.newest(); rec.Project != "p1" || rec.Category != "system" || rec.Outcome != format.OutcomeSuccess || rec.Actor.Type != format.ActorUser {
		t.Errorf("record = %+v, want the token's project, category system and a success", rec)
	}
}

// TestJournalRefusals posts what must not be stored, and counts that nothing was.
func TestJournalRefusals(t *testing.T) {
	b := journalBox(t, "", nil)
	for _, row := range []struct {
		what, body string
		status     int
		part       string
	}{
		{"no JSON", `{"journal": {`, 400, "JSON"},
		{"no body", ``, 400, "JSON"},
		{"something after it", entryBody("") + "x", 400, "JSON"},
		{"an array", `[]`, 400, "journal"},
		{"null", `null`, 400, "journal"},
		{"a journal that is null", `{"journal": null}`, 400, "journal"},
		{"a journal in capitals", `{"Journal": {}}`, 400, "journal"},
		{"no action", `{"journal": {"object_id": "4", "status": "ok"}}`, 400, "action"},
		{"an empty object id", entryBody(`, "object_id": ""`), 400, "object_id"},
		{"a fraction as object id", entryBody(`, "object_id": 1.5`), 400, "object_id"},
		{"a null status", entryBody(`, "status": null`), 400, "status"},
		{"a number as message", entryBody(`, "message": 1`), 400, "message"},
		{"an object as user", entryBody(`, "user_id": {}`), 400, "user_id"},
		{"a truth as response code", entryBody(`, "response_code": true`), 400, "response_code"},
		{"arguments that are no JSON", entryBody(`, "action_arguments": "user=admin"`), 400, "action_arguments"},
		{"arguments nested too deep", entryBody(`, "action_arguments": ` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000)), 400, "JSON"},
		{"a status of 65 bytes", entryBody(`, "status": "` + strings.Repeat("s", 65) + `"`), 400, "status"},
		{"an action of 257 bytes", entryBody(`, "action": "` + strings.Repeat("ж", 128) + `x"`), 400, "action"},
		{"a message of more than 32 KiB", entryBody(`, "message": "` + strings.Repeat("m", 32<<10+1) + `"`), 400, "message"},
		{"members too large together", entryBody(`, "action_arguments": "\"` + strings.Repeat(`\\u0001`, 10000) + `\"", "message": "` + strings.Repeat(`\u0001`, 32<<10) + `"`), 400, "large"},
		{"bytes that are no UTF-8", entryBody(`, "message": "` + "\xff" + `"`), 400, "UTF-8"},
		{"another user", entryBody(`, "user_id": "u-other"`), 403, "authorized"},
		{"another project", entryBody(`, "tenant_id": "p2"`), 403, "authorized"},
	} {
		got := b.do("POST", "/v1/journal", row.body, "X-Auth-Token", "writer", "Content-Type", "application/json")
		keystone(t, row.what, got, row.status, row.part)
		if strings.Contains(got.body, "RawMessage") || strings.Contains(got.body, "Go value") {
			t.Errorf("%s = %s: that is how the server is made", row.what, got.body)
		}
	}
	keystone(t, "a form", b.do("POST", "/v1/journal", entryBody(""), "X-Auth-Token", "writer", "Content-Type", "text/plain"), 415, "application/json")
	keystone(t, "a long request id", b.do("POST", "/v1/journal", entryBody(""), "X-Auth-Token", "writer", "X-Openstack-Request-Id", strings.Repeat("r", 129)), 400, "request_id")
	keystone(t, "a body over 1 MiB", b.do("POST", "/v1/journal", entryBody(strings.Repeat(" ", 1<<20)), "X-Auth-Token", "writer"), 413, "")
	if got := b.do("GET", "/v1/journal/count", "", "X-Auth-Token", "tok-admin"); got.body != "{\"count\":0}\n" {
		t.Errorf("count after refusals = %s, want 0", got.body)
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	full := func(context.Context, ...*format.Record) error { return fmt.Errorf("append: %w", format.ErrFull) }
	b := journalBox(t, "", func(o *Options) { o.Append = full })
	got := b.do("POST", "/v1/journal", entryBody(""), "X-Auth-Token", "writer")
	if keystone(t, "a full disk", got, 503, ""); got.header.Get("Retry-After") == "" {
		t.Error("a full disk: no Retry-After")
	}
	copied := journalBox(t, "", func(o *Options) { o.Append = nil })
	got = copied.do("POST", "/v1/journal/", entryBody(""), "X-Auth-Token", "writer")
	if keystone(t, "a copy", got, 405, ""); got.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("a copy: Allow = %q, want GET, HEAD", got.header.Get("Allow"))
	}
}
