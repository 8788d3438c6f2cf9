package httpd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"
	"shiplog/index"
)

func TestQuayKind(t *testing.T) {
	for _, row := range []struct {
		action  string
		outcome format.Outcome
		want    string
	}{
		{"image.pull", format.OutcomeSuccess, "pull_repo"},
		{"image.pull", format.OutcomeUnknown, "pull_repo"},
		{"image.pull", format.OutcomeFailure, "pull_repo_failed"},
		{"image.push", format.OutcomeFailure, "push_repo_failed"},
		{"image.tag", format.OutcomeSuccess, "create_tag"},
		{"image.untag", format.OutcomeSuccess, "delete_tag"},
		{"image.delete", format.OutcomeSuccess, "delete_repo"},
		{"image.import", format.OutcomeSuccess, "create_repo"},
		{"image.load", format.OutcomeSuccess, "create_repo"},
		{"image.build", format.OutcomeSuccess, "build_dockerfile"},
		{"auth.login", format.OutcomeSuccess, "login_success"},
		{"auth.login", format.OutcomeFailure, "login_failure"},
		{"auth.logout", format.OutcomeSuccess, "logout_success"},
		{"user.create", format.OutcomeSuccess, "user_create"},
		{"user.delete", format.OutcomeSuccess, "user_delete"},
		{"log.export", format.OutcomeSuccess, "export_logs_success"},
		{"log.export", format.OutcomeFailure, "export_logs_failure"},
		{"quay.pull_repo", format.OutcomeFailure, "pull_repo"},
		{"quay.Any Thing", format.OutcomeSuccess, "Any Thing"},
		{"quay.", format.OutcomeSuccess, "quay_"},
		{"container.start", format.OutcomeSuccess, "container_start"},
		{"image.alias-create", format.OutcomeSuccess, "image_alias_create"},
		{"Node Control.Power_On", format.OutcomeFailure, "node_control_power_on"},
		{"", format.OutcomeSuccess, "unknown"},
	} {
		if got := quayKind(row.action, row.outcome); got != row.want {
			t.Errorf("quayKind(%q, %s) = %q, want %q", row.action, row.outcome, got, row.want)
		}
	}
}

// rendered is a record as Quay shows it, after the way through the log.
func rendered(t *testing.T, b *box, r *format.Record) quayLog {
	t.Helper()
	now := time.Now().UTC()
	r.NS, r.Time = fmt.Sprintf("ns%d", now.UnixNano()), now
	b.append(r)
	page := b.quayPage("tok-admin", "/api/v1/organization/"+r.NS+"/logs")
	if len(page.Logs) != 1 {
		t.Fatalf("%d records, want 1", len(page.Logs))
	}
	return page.Logs[0]
}

func TestQuayMetadata(t *testing.T) {
	b := quayBox(t, "", nil)
	image := func(name, tag string) format.Object { return format.Object{Type: "image", Name: name, Tag: tag} }
	for name, row := range map[string]struct {
		r    format.Record
		want string // NS stands for the record's namespace
	}{
		"a registry's is as it came": {format.Record{Action: "quay.push_repo", Repo: "r", Msg: "m", Req: "q", Engine: format.EngineDocker,
			Data: json.RawMessage(`{"tag":"v1","n":1.50,"big":12345678901234567890,"<&>":"<&>","deep":{"a":[null,true]}}`)},
			`{"<&>":"<&>","big":12345678901234567890,"deep":{"a":[null,true]},"n":1.50,"tag":"v1"}`},
		"none": {format.Record{Action: "quay.push_repo", Repo: "r"}, `{}`},
		"other dialects' members are theirs": {format.Record{Action: "quay.x", Data: json.RawMessage(`{"hss":{"a":1},"qnap":{"b":2},"c":3}`)},
			`{"c":3}`},
		"an engine's pull": {format.Record{Action: "image.pull", Stream: format.StreamEvent, Repo: "nginx", Engine: format.EngineDocker, Obj: image("nginx:1.27", ""),
			Data: json.RawMessage(`{"attr":{"name":"nginx"},"qnap":{}}`)},
			`{"attr":{"name":"nginx"},"engine":"docker","namespace":"NS","repo":"nginx","tag":"1.27"}`},
		"a pull whose tag stands in the id alone": {format.Record{Action: "image.pull", Stream: format.StreamEvent, Repo: "diamond", Engine: format.EngineDocker,
			Obj: format.Object{Type: "image", ID: "localhost:5000/lgsd/diamond:4.2", Name: "localhost:5000/lgsd/diamond"}},
			`{"engine":"docker","namespace":"NS","repo":"diamond","tag":"4.2"}`},
		"an image with tag of its own": {format.Record{Action: "image.tag", Repo: "imported", Obj: image("imported", "v1")},
			`{"namespace":"NS","repo":"imported","tag":"v1"}`},
		"an image known by its name only": {format.Record{Action: "image.alias-create", Engine: format.EngineIncus, Obj: image("bb2", "")},
			`{"engine":"incus","namespace":"NS","repo":"bb2"}`},
		"an image known by its id only": {format.Record{Action: "image.delete", Obj: image("sha256:0123456789ab", "")}, `{}`},
		"a container": {format.Record{Action: "container.start", Repo: "busybox", Msg: "Start container", Req: "req-1", Engine: format.EngineDocker,
			Obj: format.Object{Type: "container", ID: "abc", Name: "web", Image: "busybox:musl"}},
			`{"container_id":"abc","engine":"docker","message":"Start container","namespace":"NS","repo":"busybox","request_id":"req-1","tag":"musl"}`},
		"a container without an id": {format.Record{Action: "container.stop", Engine: format.EngineIncus, Obj: format.Object{Type: "container", Name: "c1"}},
			`{"container_id":"c1","engine":"incus"}`},
		"the origin's word goes first": {format.Record{Action: "image.pull", Repo: "r", Msg: "m", Obj: image("r:2", ""),
			Data: json.RawMessage(`{"message":"own","tag":null,"repo":5}`)}, `{"message":"own","namespace":"NS","repo":5,"tag":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := row.r
			if r.Stream == "" {
				r.Stream = format.StreamLog
			}
			rendered(t, b, &r)
			body := b.bearer("tok-admin", "/api/v1/organization/"+r.NS+"/logs").body
			want := `"metadata":` + strings.ReplaceAll(row.want, "NS", r.NS) + `,"ip":`
			if !strings.Contains(body, want) {
				t.Errorf("answer = %s, want %s", body, want)
			}
		})
	}
}

func TestParseImage(t *testing.T) {
	for ref, want := range map[string]imageName{
		"busybox":                           {"library", "busybox", ""},
		"busybox:1.36":                      {"library", "busybox", "1.36"},
		"lgsd/diamond":                      {"lgsd", "diamond", ""},
		"lgsd/di/amond:v1":                  {"lgsd", "di/amond", "v1"},
		"quay.io/lgsd/diamond:v1":           {"lgsd", "diamond", "v1"},
		"localhost/app":                     {"library", "app", ""},
		"nas:5000/app":                      {"library", "app", ""},
		"nas:5000/team/app:v2@sha256:00ff":  {"team", "app", "v2"},
		"sha256:0123":                       {},
		"0123456789ab":                      {},
		"":                                  {"library", "", ""},
		"feed":                              {"library", "feed", ""},
		"registry.example/library/nginx:1a": {"library", "nginx", "1a"},
	} {
		if got := parseImage(ref); got != want {
			t.Errorf("parseImage(%q) = %+v, want %+v", ref, got, want)
		}
	}
}

func TestQuayPerformer(t *testing.T) {
	b := quayBox(t, "", nil)
	const adminHash = "8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918" // printf admin | sha256sum
	for name, row := range map[string]struct {
		actor format.Actor
		want  *quayPerformer
	}{
		"a user":                      {format.Actor{Name: "admin", Type: format.ActorUser}, &quayPerformer{"user", "admin", false, quayAvatar{"admin", adminHash, "#8c6976", "user"}}},
		"a user with an e-mail":       {format.Actor{Name: "x", Email: " Admin "}, &quayPerformer{"user", "x", false, quayAvatar{"x", adminHash, "#8c6976", "user"}}},
		"a robot by its name":         {format.Actor{Name: "a+b", Email: "admin"}, &quayPerformer{"user", "a+b", true, quayAvatar{"a+b", adminHash, "#8c6976", "robot"}}},
		"a robot by its type":         {format.Actor{Name: "admin", Type: format.ActorRobot}, &quayPerformer{"user", "admin", true, quayAvatar{"admin", adminHash, "#8c6976", "robot"}}},
		"a name that only has a plus": {format.Actor{Name: "+b", Email: "admin"}, &quayPerformer{"user", "+b", false, quayAvatar{"+b", adminHash, "#8c6976", "user"}}},
		"an engine":                   {format.Actor{Type: format.ActorEngine}, nil},
		"nobody":                      {format.Actor{Type: format.ActorAnonymous}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := registry("", "", "", "push_repo")
			r.Actor = row.actor
			got := rendered(t, b, r).Performer
			if (got == nil) != (row.want == nil) || got != nil && *got != *row.want {
				t.Errorf("performer = %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestQuayUserLog(t *testing.T) {
	b := quayBox(t, "", nil)
	put := func(ns, actor, kind string) { b.append(registry(ns, "r", actor, kind)) }
	put("alice", "eve", "mine")
	put("other", "alice", "done_by_me")
	put("alice", "alice", "both")
	put("other", "eve", "neither")
	put("other", "alice+ci", "a_robot_of_mine")
	for _, verb := range []string{"create", "approve", "delete", "modify", "extend", "rotate"} {
		put("alice", "alice", "service_key_"+verb)
	}
	put("alice", "", "engine")
	login := &format.Record{Stream: format.StreamLog, Category: "auth", Action: "auth.login", Outcome: format.OutcomeFailure, Actor: format.Actor{Name: "alice"}, Time: time.Now()}
	b.append(login)
	kinds := func(path string) (kinds []string) {
		for _, log := range b.quayAll("tok-limited", path, "") {
			kinds = append(kinds, log.Kind)
		}
		slices.Sort(kinds)
		return kinds
	}
	if got, want := kinds("/api/v1/user/logs"), []string{"both", "done_by_me", "engine", "login_failure", "mine"}; !slices.Equal(got, want) {
		t.Errorf("user/logs = %v, want %v", got, want)
	}
	for performer, want := range map[string][]string{"alice": {"both", "done_by_me", "login_failure"}, "eve": {"mine"}, "Alice": nil, "alic": nil, "system": nil} {
		if got := kinds("/api/v1/user/logs?performer=" + performer); !slices.Equal(got, want) {
			t.Errorf("user/logs of performer %s = %v, want %v", performer, got, want)
		}
	}
	org := b.quayAll("tok-admin", "/api/v1/organization/alice/logs", "")
	if len(org) != 9 {
		t.Errorf("organization/alice/logs holds %d records, want 9: service keys too", len(org))
	}
}

// The counts of the aggregate add up to what the list pages through.
func TestQuayCountsAgreeWithLists(t *testing.T) {
	b := quayBox(t, "fixture-quay.jsonl", nil)
	for _, path := range []string{"user", "organization/admin", "repository/admin/web"} {
		for _, query := range []string{"starttime=03/01/2025&endtime=03/31/2025", "starttime=03/05/2025&endtime=03/06/2025&performer=admin%2Bci"} {
			type key struct{ day, kind string }
			want, got := map[key]int{}, map[key]int{}
			for _, log := range b.quayAll("tok-admin", "/api/v1/"+path+"/logs", "?"+query) {
				want[key{log.Datetime[:16], log.Kind}]++
			}
			var answer struct {
				Aggregated []struct {
					Kind, Datetime string
					Count          int
				}
			}
			r := b.bearer("tok-admin", "/api/v1/"+path+"/aggregatelogs?"+query)
			if err := json.Unmarshal([]byte(r.body), &answer); err != nil {
				t.Fatal(err)
			}
			for _, c := range answer.Aggregated {
				got[key{strings.TrimSuffix(c.Datetime, " 00:00:00 -0000"), c.Kind}] = c.Count
			}
			if len(want) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s?%s counts %v, lists %v", path, query, got, want)
			}
		}
	}
	if r := b.bearer("tok-admin", "/api/v1/user/aggregatelogs?starttime=01/01/2001&endtime=01/02/2001"); r.body != `{"aggregated":[]}`+"\n" {
		t.Errorf("nothing counted = %s, want an empty array", r.body)
	}
}

// What is written by hand is what the encoder would write.
func TestQuayCountsAreJSON(t *testing.T) {
	type count struct {
		Kind     string `json:"kind"`
		Count    int    `json:"count"`
		Datetime string `json:"datetime"`
	}
	day := time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)
	var groups []index.Group
	want := struct {
		Aggregated []count `json:"aggregated"`
	}{[]count{}}
	for _, kind := range []string{"", "pull_repo", `a "quoted" \ one`, "größer <&>", "line\nbreak", "no UTF-8 \xff"} {
		for i := range 2 {
			at := day.AddDate(0, 0, i)
			groups = append(groups, index.Group{Day: at, Value: kind, Count: 7 * i})
			want.Aggregated = append(want.Aggregated, count{kind, 7 * i, at.Format(quayTime)})
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(want); err != nil {
			t.Fatal(err)
		}
		if got := appendQuayCounts(nil, groups); string(got) != b.String() {
			t.Errorf("appendQuayCounts(%q) = %s, want %s", kind, got, b.String())
		}
	}
}
