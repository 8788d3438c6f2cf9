package cli

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"shiplog/agent"
	"shiplog/format"
)

// statusOf runs shiplog status -o json.
func statusOf(t *testing.T, args ...string) (r report, status int) {
	t.Helper()
	out, errs, status := shiplog(t, "", append([]string{"status", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("status -o json prints %q (%s): %v", out, errs, err)
	}
	return r, status
}

func TestStatusFromTheFilesAlone(t *testing.T) {
	dir := t.TempDir()
	must(t, "secret\n", "user", "add", "--data", dir, "--admin", "admin")
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "first")
	must(t, "", "seal", "--data", dir)
	for _, msg := range []string{"one", "two", "\x1b[31mthree"} {
		must(t, "", "record", "--data", dir, "--category", "system", "--action", "engine.gap", "--message", msg)
	}
	r, status := statusOf(t, "--data", dir)
	if status != exitFailed || r.Running || r.Well || len(r.Reasons) != 1 || r.Reasons[0] != "not running" {
		t.Errorf("status without a process = exit %d, %+v; want exit 1, not running", status, r)
	}
	if r.Log.Segments != 2 || r.Log.LastSeq != 4 || r.Log.LastTime.IsZero() || r.Log.Bytes == 0 || r.Free == nil || r.Accounts == nil || *r.Accounts != 1 {
		t.Errorf("status = %+v, want 2 segments, 4 records, free space and 1 account", r)
	}
	if len(r.Log.Gaps) != 3 || r.Log.Gaps[0].Seq != 4 || r.Log.Gaps[2].Message != "one" {
		t.Errorf("gaps = %+v, want three, newest first", r.Log.Gaps)
	}
	if s := r.Sealed; s == nil || s.Size != 1 || !strings.HasPrefix(s.At, "1:") || !strings.HasPrefix(s.Key, "shiplog/") || s.Time.IsZero() {
		t.Errorf("checkpoint = %+v, want one of size 1", s)
	}
	if r.Index == nil || r.Index.Indexed != 0 || r.Index.Pending != 1 {
		t.Errorf("index = %+v, want one segment to come", r.Index)
	}
	out, errs, status := shiplog(t, "", "status", "--data", dir)
	for _, want := range []string{"not well  not running\n", ": 2 segments, ", ", last record 4 of 20", "\nsealed    checkpoint 1:", "\nkey       shiplog/", `gap       record 4 of `, `: \x1b[31mthree`, " free\n", "accounts  1\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("status prints\n%swant %q in it", out, want)
		}
	}
	if status != exitFailed || !strings.Contains(errs, "not well") || strings.Contains(out, "\x1b") {
		t.Errorf("status = exit %d, %q, want exit 1, not well, nothing for the terminal", status, errs)
	}
}

func TestStatusOfARunningOne(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, "run", "--data", dir, "--incus", "none", "--docker", filepath.Join(dir, "docker.sock"))
	waitFor(t, filepath.Join(dir, "agent.sock"))
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "first")
	r, status := statusOf(t, "--data", dir)
	if status != exitOK || !r.Well || !r.Running || r.Agent == nil {
		t.Fatalf("status = exit %d, %+v; want exit 0, well", status, r)
	}
	a := r.Agent
	if a.URL != s.url || a.PID == 0 || time.Since(a.Started) > time.Minute || len(a.Engines) != 1 || a.Engines[0].Connected || a.Engines[0].Engine != format.EngineDocker {
		t.Errorf("agent = %+v, want its address %s and Docker, not seen", a, s.url)
	}
	if w := a.Writer; w.State != "ok" || w.LastSeq != r.Log.LastSeq || w.DurableSeq != w.LastSeq || w.LastSeq == 0 || w.Segments != 1 || w.Bytes != r.Log.Bytes {
		t.Errorf("writer = %+v, log = %+v; want them to agree", w, r.Log)
	}
	out := must(t, "", "status", "--data", dir)
	want := regexp.MustCompile(`(?m)\Ashiplog   \S+, process \d+, running since \S+\nserver    ` + regexp.QuoteMeta(s.url) + `\nengine    docker: not seen\nwriter    ok, last record (\d+), safe on disk up to \d+\nlog       \S+: 1 segments, \d+ bytes, last record \d+ of \S+\nindex     \S+: 0 segments, 0 to come\nsealed    checkpoint 0:\S+ of \S+\nkey       shiplog/\S+\ndisk      \S+ .iB free\naccounts  1\n\z`)
	if !want.MatchString(out) {
		t.Errorf("status prints\n%swant\n%s", out, want)
	}
}

// TestStatusThatIsNotWell asks agents that have something to complain about.
func TestStatusThatIsNotWell(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	well := agent.WriterStatus{State: format.StateOK}
	for name, row := range map[string]struct {
		told agent.Status
		want []string
	}{
		"an engine that was lost": {agent.Status{Writer: well, Engines: []agent.EngineStatus{{Engine: "docker", Version: "28", Since: at}}},
			[]string{"docker is not reached since 2026-01-02T03:04:05Z", "engine    docker 28: lost at 2026-01-02T03:04:05Z"}},
		"a disk that is full": {agent.Status{Writer: agent.WriterStatus{State: format.StateFull, Reason: "no space left"}},
			[]string{"nothing can be written (full): no space left"}},
		"what is done beside capturing fails": {agent.Status{Writer: well, Failing: []string{"old records cannot be removed: input/output error"}},
			[]string{"not well  old records cannot be removed: input/output error\n"}},
		"an engine that is behind, which is no reason": {agent.Status{Writer: well, Engines: []agent.EngineStatus{{Engine: "incus", Connected: true, Since: at, LastEvent: at, Gaps: 2, Queue: 7, Dropped: 1, Lag: 2.5}}},
			[]string{"last event 2026-01-02T03:04:05Z, 2 gaps, 7 waiting, 1 dropped, 2.5s behind"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() {
				ended <- agent.RunSocket(ctx, filepath.Join(dir, "agent.sock"), agent.SocketOptions{Status: func() agent.Status { return row.told }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			}()
			t.Cleanup(func() { cancel(); <-ended })
			waitFor(t, filepath.Join(dir, "agent.sock"))
			out, _, status := shiplog(t, "", "status", "--data", dir)
			wantStatus := exitFailed
			if strings.Contains(name, "no reason") {
				wantStatus = exitOK
			}
			if status != wantStatus {
				t.Errorf("status = exit %d, want %d\n%s", status, wantStatus, out)
			}
			for _, want := range row.want {
				if !strings.Contains(out, want) {
					t.Errorf("status prints\n%swant %q in it", out, want)
				}
			}
		})
	}
}

func TestStatusOfAnOldAgent(t *testing.T) {
	dir := t.TempDir()
	answerAll(t, filepath.Join(dir, "agent.sock"), `{"error":"record says nothing","reasons":[]}`)
	if r, status := statusOf(t, "--data", dir); status != exitFailed || !r.Running || r.Agent != nil {
		t.Errorf("status of an old agent that says nothing = exit %d, %+v; want exit 1, running", status, r)
	}
	if _, errs, status := shiplog(t, "", "status", "--data", filepath.Join(dir, "none")); status != exitFailed || !strings.Contains(errs, "--data") {
		t.Errorf("status of no directory = exit %d, %q; want exit 1 and a word of --data", status, errs)
	}
}

// TestStatusOfThePair looks at an agent with a server beside it, which says where it is and what it lacks.
func TestStatusOfThePair(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	stop := startAgent(t, dir)
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "first")
	s := startServer(t, "serve", "--data", dir, "--state", state)
	r, status := statusOf(t, "--data", dir, "--state", state)
	if status != exitOK || r.Server != s.url || r.Index == nil || r.Index.Dir != filepath.Join(state, "index") {
		t.Errorf("status of a pair = exit %d, %+v, want exit 0, the address %s and the index of the server", status, r, s.url)
	}
	if out := must(t, "", "status", "--data", dir, "--state", state); !strings.Contains(out, "\nserver    "+s.url+"\n") {
		t.Errorf("status prints\n%swant the server's address %s", out, s.url)
	}
	if r, status := statusOf(t, "--data", dir); status != exitOK || r.Server != "" {
		t.Errorf("status of the agent alone = exit %d, server %q, want exit 0 and none", status, r.Server)
	}
	note := filepath.Join(state, serverFile)
	b, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	if r, status := statusOf(t, "--data", dir, "--state", state); status != exitOK || r.Server != "" {
		t.Errorf("status after the server was stopped = exit %d, server %q, want exit 0 and none", status, r.Server)
	}
	for name, text := range map[string]string{"its server is gone": string(b), "its server cannot be read": "{", "its server has no address": "{}"} {
		if err := os.WriteFile(note, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if r, status := statusOf(t, "--data", dir, "--state", state); status != exitFailed || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], "start shiplog serve again") || strings.Contains(r.Reasons[0], "nil") {
			t.Errorf("status when %s = exit %d, %q, want exit 1 and what to do", name, status, r.Reasons)
		}
	}
	stop()
}
