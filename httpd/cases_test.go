package httpd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// The dialects that are built, by the names of their files in testdata/contract. The files of the others wait
// there for theirs.
var builtDialects = []string{
	"aos",
	"hss",
	"qnap-v1",
	"qnap-v2",
	"quay",
}

// contractCase is one case of testdata/contract; its README.md explains the members.
type contractCase struct {
	Name, Dialect, Fixture, Contract string
	Engine                           *struct {
		Containers []format.Container
		Script     []struct {
			After    int64 `json:"after_ms"`
			Type, ID string
			SetState string `json:"set_state"`
		}
	}
	Config              map[string]any
	RestartBetweenSteps []int `json:"restart_between_steps"`
	KillBeforeSteps     []int `json:"kill_before_steps"`
	Steps               []struct {
		Request caseRequest
		Expect  caseExpect
	}
}

type caseRequest struct {
	Method, Path, Query, Body, Auth string
	Headers                         map[string]*string
}

type caseExpect struct {
	Status         json.RawMessage
	JSON           json.RawMessage
	JSONSubset     json.RawMessage `json:"json_subset"`
	Text           *string
	BodyPrefix     string `json:"body_prefix"`
	BodyContains   string `json:"body_contains"`
	BodyRegex      string `json:"body_regex"`
	Headers        map[string]string
	SetCookieCount *int   `json:"set_cookie_count"`
	MinMS          int64  `json:"min_ms"`
	MaxMS          int64  `json:"max_ms"`
	SignMutation   string `json:"sign_mutation"`
	QNAPEvent      *struct {
		Index, Offset int64
		Messages      []struct {
			Prefix string
			JSON   json.RawMessage
		}
	} `json:"qnap_event"`
	Callback *caseCallback
}

func TestContractCases(t *testing.T) {
	for _, dialect := range builtDialects {
		data, err := os.ReadFile(filepath.Join("testdata", "contract", dialect+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var cases []contractCase
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			t.Run(dialect+"/"+c.Name, func(t *testing.T) {
				t.Parallel()
				runCase(t, c, false)
			})
			t.Run(dialect+"/"+c.Name+" in two processes", func(t *testing.T) {
				t.Parallel()
				runCase(t, c, true)
			})
		}
	}
}

// caseRun is one case under way.
type caseRun struct {
	*box
	callback    *callbackReceiver
	first, prev any               // JSON answers
	kept        map[string]string // user -> cookie of qnap-keep
}

func runCase(t *testing.T, c contractCase, split bool) {
	run := &caseRun{box: newBoxIn(t, split, c.Fixture, caseSettings(t, c.Config)), kept: map[string]string{}}
	if slices.ContainsFunc(c.Steps, func(s struct {
		Request caseRequest
		Expect  caseExpect
	}) bool {
		return strings.Contains(s.Request.Body, "@callback")
	}) {
		run.callback = newCallbackReceiver(t)
	}
	for i, step := range c.Steps {
		if slices.Contains(c.RestartBetweenSteps, i) || slices.Contains(c.KillBeforeSteps, i) {
			run.restart()
		}
		auth := run.authorize(step.Request)
		if i == 0 {
			run.startEngine(c)
		}
		run.step(t, i, step.Request, step.Expect, auth)
	}
}

// caseSettings turns a case's config into options.
func caseSettings(t *testing.T, config map[string]any) func(*Options) {
	var set []func(*Options)
	for name, value := range config {
		text, _ := value.(string)
		number, _ := value.(float64)
		switch name {
		case "qnap.root_event_format":
			set = append(set, func(o *Options) { o.QNAPRootEventFormat = text })
		case "quay.export_status":
			set = append(set, func(o *Options) { o.QuayExportStatus = int(number) })
		case "export.retry_delay_ms":
			set = append(set, func(o *Options) { o.ExportRetryDelay = time.Duration(number) * time.Millisecond })
		case "export.allowed_hosts":
			list, _ := value.([]any)
			set = append(set, func(o *Options) {
				for _, host := range list {
					o.ExportAllowedHosts = append(o.ExportAllowedHosts, host.(string))
				}
			})
		default:
			t.Fatalf("config %q is not known to the runner", name)
		}
	}
	return func(o *Options) {
		for _, f := range set {
			f(o)
		}
	}
}

func (run *caseRun) startEngine(c contractCase) {
	if c.Engine == nil {
		return
	}
	run.engine.containers = slices.Clone(c.Engine.Containers) // another run of the case has its own
	for _, change := range c.Engine.Script {
		timer := time.AfterFunc(time.Duration(change.After)*time.Millisecond, func() {
			now, err := run.engine.inspect(run.t.Context(), change.Type, change.ID)
			if err != nil {
				run.t.Errorf("script: %s %s: %v", change.Type, change.ID, err)
				return
			}
			now.State = change.SetState
			run.engine.change(now)
			run.report(now, map[string]string{stateRunning: "start", stateStopped: "stop", "paused": "pause", "": "destroy"}[change.SetState])
		})
		run.t.Cleanup(func() { timer.Stop() })
	}
}

// authorize returns the headers that a request's auth stands for.
func (run *caseRun) authorize(r caseRequest) []string {
	kind, rest, _ := strings.Cut(r.Auth, ":")
	switch kind {
	case "":
		return nil
	case "qnap":
		return []string{"Cookie", run.cookie(rest)}
	case "qnap-keep":
		if run.kept[rest] == "" {
			run.kept[rest] = run.cookie(rest)
		}
		return []string{"Cookie", run.kept[rest]}
	case "bearer":
		return []string{"Authorization", "Bearer " + rest}
	case "xauth":
		return []string{"X-Auth-Token", rest}
	case "aksk":
		ak, sk, _ := strings.Cut(rest, ":")
		return signHuawei(r, ak, sk, time.Now())
	}
	run.t.Fatalf("auth %q is not known to the runner", r.Auth)
	return nil
}

func (run *caseRun) step(t *testing.T, i int, r caseRequest, e caseExpect, headers []string) {
	t.Helper()
	path := r.Path
	if query := run.substitute(r.Query); query != "" {
		path += "?" + query
	}
	body := r.Body
	if n, unit, ok := strings.Cut(strings.TrimPrefix(body, "@repeat:"), ":"); ok && strings.HasPrefix(body, "@repeat:") {
		count, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		body = strings.Repeat(unit, count)
	}
	if run.callback != nil {
		body = strings.ReplaceAll(body, "@callback", run.callback.url)
	}
	for name, value := range r.Headers {
		if value != nil && *value != "" {
			headers = append(headers, name, *value)
		}
	}
	got := run.do(r.Method, path, body, headers...)
	var diffs []string
	diffs = append(diffs, e.answer(got)...)
	answer, err := decodeJSON(got.body)
	if err == nil {
		if run.prev = answer; run.first == nil {
			run.first = answer
		}
	}
	if e.Callback != nil {
		diffs = append(diffs, run.callback.check(run, e.Callback)...)
	}
	if len(diffs) > 0 {
		t.Errorf("step %d: %s %s\n  %s\nanswer %d: %s", i, r.Method, path, strings.Join(diffs, "\n  "), got.status, cutText(got.body, 2000))
	}
}

// answer compares an answer with everything that is expected of it but the callback.
func (e caseExpect) answer(got reply) (diffs []string) {
	diff := func(format string, args ...any) { diffs = append(diffs, fmt.Sprintf(format, args...)) }
	if !statusAllowed(e.Status, got.status) {
		diff("status = %d, want %s", got.status, e.Status)
	}
	if e.Text != nil && got.body != *e.Text {
		diff("text = %q, want %q", got.body, *e.Text)
	}
	if !strings.HasPrefix(got.body, e.BodyPrefix) || !strings.Contains(got.body, e.BodyContains) {
		diff("body must begin with %q and contain %q", e.BodyPrefix, e.BodyContains)
	}
	if e.BodyRegex != "" && !regexp.MustCompile(e.BodyRegex).MatchString(got.body) {
		diff("body does not match %s", e.BodyRegex)
	}
	for name, want := range e.Headers {
		diffs = append(diffs, matchText("header "+name, want, got.header.Get(name))...)
	}
	if e.SetCookieCount != nil && len(got.header.Values("Set-Cookie")) != *e.SetCookieCount {
		diff("%d Set-Cookie headers, want %d", len(got.header.Values("Set-Cookie")), *e.SetCookieCount)
	}
	const busy = 5000 // ms that a machine may be late; who did not answer when he should waits for 30 s or more
	if ms := got.took.Milliseconds(); ms < e.MinMS || (e.MaxMS > 0 && ms > e.MaxMS+busy) {
		diff("took %d ms, want %d to %d", ms, e.MinMS, e.MaxMS)
	}
	if e.JSON != nil {
		diffs = append(diffs, matchJSON(e.JSON, got.body, false)...)
	}
	if e.JSONSubset != nil {
		diffs = append(diffs, matchJSON(e.JSONSubset, got.body, true)...)
	}
	if e.QNAPEvent != nil {
		diffs = append(diffs, e.events(got.body)...)
	}
	return diffs
}

func (e caseExpect) events(body string) (diffs []string) {
	var got struct {
		Index, Offset int64
		Messages      []string
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		return []string{"events: " + err.Error()}
	}
	want := e.QNAPEvent
	if got.Index != want.Index || got.Offset != want.Offset || len(got.Messages) != len(want.Messages) {
		return []string{fmt.Sprintf("events index=%d offset=%d %d messages, want %d %d %d",
			got.Index, got.Offset, len(got.Messages), want.Index, want.Offset, len(want.Messages))}
	}
	for i, m := range want.Messages {
		object, ok := strings.CutPrefix(got.Messages[i], m.Prefix)
		if !ok {
			diffs = append(diffs, fmt.Sprintf("message %d = %s, want it to begin with %s", i, got.Messages[i], m.Prefix))
			continue
		}
		diffs = append(diffs, matchJSON(m.JSON, object, false)...)
	}
	return diffs
}

func statusAllowed(want json.RawMessage, got int) bool {
	var list []int
	var one int
	if json.Unmarshal(want, &one) == nil {
		list = []int{one}
	} else if json.Unmarshal(want, &list) != nil {
		return false
	}
	return slices.Contains(list, got)
}

func cutText(s string, n int) string {
	if len(s) > n {
		return s[:n] + "..."
	}
	return s
}
