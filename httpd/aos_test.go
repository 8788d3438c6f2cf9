package httpd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"shiplog/format"
)

// journalBox is a box with the journal's fixture and tokens of all kinds.
func journalBox(t *testing.T, fixture string, tweak func(*Options)) *box {
	t.Helper()
	b := newBox(t, fixture, tweak)
	accounts, err := LoadAccounts(b.dir + "/accounts.json")
	if err != nil {
		t.Fatal(err)
	}
	_, err = accounts.Apply(strings.NewReader(`{"tokens": [
		{"token": "writer", "user": "wanda", "user_id": "u-w", "domain_id": "d-w", "project": "p1", "roles": ["writer"], "scopes": []},
		{"token": "service", "user": "nova", "user_id": "u-s", "domain_id": "d-s", "project": "service", "roles": ["service"], "scopes": []},
		{"token": "unscoped", "user": "una", "user_id": "u-u", "domain_id": "", "project": "", "roles": ["reader", "writer"], "scopes": []},
		{"token": "none", "user": "nobody", "user_id": "u-n", "domain_id": "", "project": "p1", "roles": [], "scopes": []},
		{"token": "expired", "user": "old", "user_id": "u-o", "domain_id": "", "project": "p1", "roles": ["admin"], "scopes": [], "expires": "2020-01-01T00:00:00Z"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keystone checks that an answer is an error in OpenStack's shape.
func keystone(t *testing.T, what string, got reply, status int, part string) {
	t.Helper()
	var b struct {
		Error struct {
			Code           int
			Title, Message string
		}
	}
	if err := json.Unmarshal([]byte(got.body), &b); err != nil || got.status != status || b.Error.Code != status ||
		b.Error.Title != http.StatusText(status) || !strings.Contains(b.Error.Message, part) || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s = %d %s, want %d in Keystone's shape with %q", what, got.status, got.body, status, part)
	}
	if !namedPatterns["@uuid"].MatchString(strings.TrimPrefix(got.header.Get("X-Openstack-Request-Id"), "req-")) {
		t.Errorf("%s has the request id %q, want req- and a UUID", what, got.header.Get("X-Openstack-Request-Id"))
	}
}

func TestJournalErrors(t *testing.T) {
	b := journalBox(t, "fixture-aos.jsonl", nil)
	for _, token := range []string{"", "wrong", "expired"} {
		got := b.do("GET", "/v1/journal/", "", "X-Auth-Token", token)
		keystone(t, "token "+token, got, 401, "The request you have made requires authentication.")
		if h := got.header.Get("WWW-Authenticate"); h != `Keystone uri="http://127.0.0.1:5000/v3"` {
			t.Errorf("WWW-Authenticate = %q, want the identity service", h)
		}
	}
	const forbidden = "You are not authorized to perform the requested action."
	keystone(t, "a reader posts", b.do("POST", "/v1/journal", "{}", "X-Auth-Token", "tok-limited"), 403, forbidden)
	keystone(t, "a writer reads", b.do("GET", "/v1/journal/count", "", "X-Auth-Token", "writer"), 403, forbidden)
	keystone(t, "without a role", b.do("GET", "/v1/journal/1", "", "X-Auth-Token", "none"), 403, forbidden)
	for _, row := range []struct {
		what, method, path string
		status             int
		part               string
	}{
		{"an unknown modifier", "GET", "?action__like=x", 400, `"action__like"`},
		{"an unknown field with a modifier", "GET", "/count?colour__eq=x", 400, `"colour__eq"`},
		{"a modifier of a filter that has none", "GET", "?filter_project_id__in=x", 400, "filter_project_id__in"},
		{"the year of another field", "GET", "?action__year=2018", 400, "action__year"},
		{"a year that is no integer", "GET", "?event_time__year=2018.5", 400, "event_time__year"},
		{"an id that is no integer", "GET", "?id__in=1&id__in=x", 400, "id__in"},
		{"an id too large", "GET", "?id=9223372036854775808", 400, "of id: not an integer"},
		{"a time that is none", "GET", "?event_time__gt=yesterday", 400, "event_time__gt"},
		{"a limit of 0", "GET", "?limit=0", 400, "limit"},
		{"a limit that is none", "GET", "?limit=1e3", 400, "limit"},
		{"a negative offset", "GET", "?offset=-1", 400, "offset"},
		{"an entry that does not exist", "GET", "/48", 404, "48"},
		{"an entry with a name", "GET", "/last", 404, "last"},
		{"the entry 0", "GET", "/0/", 404, "0"},
		{"a path too long", "GET", "/1/2", 404, ""},
		{"a method that is none", "DELETE", "/", 405, ""},
		{"posting to an entry", "POST", "/1", 405, ""},
		{"a query too long", "GET", "?action=" + strings.Repeat("x", 16<<10), 414, ""},
	} {
		got := b.do(row.method, "/v1/journal"+row.path, "", "X-Auth-Token", "tok-admin")
		keystone(t, row.what, got, row.status, row.part)
		if row.status == 405 && !strings.Contains(got.header.Get("Allow"), "GET, HEAD") {
			t.Errorf("%s: Allow = %q, want what is allowed", row.what, got.header.Get("Allow"))
		}
	}
	var many strings.Builder
	for _, f := range journalFields {
		for _, m := range oracleModifiers[2:] {
			fmt.Fprintf(&many, "&%s__%s=1", f.name, m)
		}
	}
	keystone(t, "more than 100 filters", b.do("GET", "/v1/journal?"+strings.ReplaceAll(many.String(), "event_time", "user_name"), "", "X-Auth-Token", "tok-admin"), 400, "100")
}

// TestJournalRightsAreInsideTheQuery asks as a reader of one project: what others own is neither listed nor
// counted, and asking for it by id is answered as for what does not exist.
func TestJournalRightsAreInsideTheQuery(t *testing.T) {
	b := journalBox(t, "fixture-aos.jsonl", nil)
	foreign := b.append(&format.Record{Stream: format.StreamLog, Action: "a", Project: "p2"})
	own := b.append(&format.Record{Stream: format.StreamEvent, Action: "a", Actor: format.Actor{Type: format.ActorEngine}})
	read := func(token, path string) reply { return b.do("GET", "/v1/journal"+path, "", "X-Auth-Token", token) }
	for token, want := range map[string]string{"tok-admin": "49", "tok-reader-p1": "20", "unscoped": "1"} {
		if got := read(token, "/count"); got.body != `{"count":`+want+"}\n" {
			t.Errorf("count of %s = %s, want %s", token, got.body, want)
		}
	}
	if got := read("tok-limited", "?project=p1&filter_project_id=p1"); got.body != "{\"journal\":[]}\n" {
		t.Errorf("another project's entries = %s, want none", got.body)
	}
	path := fmt.Sprintf("/%d", foreign)
	keystone(t, "an entry of another project", read("tok-reader-p1", path), 404, fmt.Sprint(foreign))
	if got := read("tok-limited", path+"/"); got.status != 200 || !strings.HasPrefix(got.body, `{"journal":{"id":`+fmt.Sprint(foreign)) {
		t.Errorf("an entry of the own project = %d %s, want it", got.status, got.body)
	}
	if got := read("unscoped", fmt.Sprintf("/%d", own)); got.status != 200 {
		t.Errorf("an entry without a project, read without one = %d, want 200", got.status)
	}
}

func TestJournalOfEngineRecords(t *testing.T) {
	b := journalBox(t, "", nil)
	b.append(&format.Record{Stream: format.StreamEvent, Category: "container", Action: "container.die", Code: "137", Engine: format.EngineDocker,
		Actor: format.Actor{Type: format.ActorEngine}, Obj: format.Object{Type: "container", ID: "13e0544312a2", Name: "web"}})
	b.append(&format.Record{Stream: format.StreamLog, Category: "container", Action: "container.stop", Outcome: format.OutcomeSuccess, Engine: format.EngineIncus,
		Msg: "Stop container (lxc, <t1>)", Actor: format.Actor{Name: "root", Domain: "unix", Type: format.ActorUser}, Obj: format.Object{Type: "container", Name: "t1"}})
	got := b.do("GET", "/v1/journal", "", "X-Auth-Token", "tok-admin")
	wantJSON := `{"journal":[
		{"id":2,"action":"container.stop","action_arguments":null,"event_time":"@isotime","message":"Stop container (lxc, <t1>)","object_id":"t1","object_type":"container",
		 "parent_request_id":null,"request_id":null,"response_code":null,"status":"success","user_id":null,"user_name":"root","domain_id":"unix"},
		{"id":1,"action":"container.die","action_arguments":null,"event_time":"@isotime","message":null,"object_id":"13e0544312a2","object_type":"container",
		 "parent_request_id":null,"request_id":null,"response_code":"137","status":"unknown","user_id":null,"user_name":"","domain_id":null}]}`
	if diffs := matchJSON(json.RawMessage(wantJSON), got.body, false); diffs != nil || !strings.Contains(got.body, "<t1>") {
		t.Errorf("journal = %s\n%s", got.body, strings.Join(diffs, "\n"))
	}
	for query, want := range map[string]string{"object_id=t1": "1", "object_id=13e0544312a2": "1", "object_id=13e054431": "0", "user_name__noteq=root": "1",
		"user_id__noteq=x": "2", "user_id__lt=zzz": "0", "message__notcontains=stop": "1", "object_id=&action__in=&foo=bar": "2", "action=container.stop&action=x": "1", "action=&action=x": "2"} {
		if got := b.do("GET", "/v1/journal/count/?"+query, "", "X-Auth-Token", "tok-admin"); got.body != `{"count":`+want+"}\n" {
			t.Errorf("count of %s = %s, want %s", query, got.body, want)
		}
	}
	if got := b.do("HEAD", "/v1/journal/1/", "", "X-Auth-Token", "tok-admin"); got.status != 200 || got.body != "" {
		t.Errorf("HEAD of an entry = %d %q, want 200 and nothing", got.status, got.body)
	}
}

// TestALongJournalIsSentInPieces lists more than one piece holds: it is whole, and one JSON document.
func TestALongJournalIsSentInPieces(t *testing.T) {
	b := journalBox(t, "", nil)
	const entries = 60
	for i := range entries {
		b.append(&format.Record{Stream: format.StreamLog, Action: "a", Msg: strings.Repeat("m", 30<<10), Code: fmt.Sprint(i)})
	}
	got := b.do("GET", "/v1/journal?limit=20000", "", "X-Auth-Token", "tok-admin")
	var answer struct{ Journal []journalRow }
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || len(answer.Journal) != entries || len(got.body) < journalChunk {
		t.Fatalf("list of %d bytes = %d entries, %v; want %d in more than %d bytes", len(got.body), len(answer.Journal), err, entries, journalChunk)
	}
	for i, row := range answer.Journal {
		if row.ID != uint64(entries-i) {
			t.Errorf("entry %d has the id %d, want %d", i, row.ID, entries-i)
		}
	}
}
