package enginetest

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// recorded writes a record as a backup script does, through the agent's socket.
func (r *run) recorded(t *testing.T) {
	out, err := exec.Command(r.b.binary, "record", "--data", r.b.data, "--category", "backup", "--user", "nightly",
		"--level", "WARN", "--message", "Finished backup with 1 warning").CombinedOutput()
	if err != nil {
		t.Fatalf("shiplog record: %v\n%s", err, out)
	}
	for _, l := range r.b.logs(t, v2) { // acknowledged before the question, so it is in the answer
		if l.Category == "backup" && l.User == "nightly" && l.Level == "WARN" && l.Message == "Finished backup with 1 warning" {
			return
		}
	}
	t.Error("a record of shiplog record is not in /log")
}

// copied serves a copy of the segments, without engines, agent or index, and offline through export.
func (r *run) copied(t *testing.T) {
	c := &box{e: r.e, binary: r.b.binary, data: filepath.Join(t.TempDir(), "copy"), log: &lines{}}
	if err := os.CopyFS(filepath.Join(c.data, "log"), os.DirFS(filepath.Join(r.b.data, "log"))); err != nil {
		t.Fatal(err)
	}
	accounts, err := os.ReadFile(filepath.Join(r.b.data, "accounts.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(c.data, "accounts.json"), accounts, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(c.binary, "export", "--data", c.data, "-o", "jsonl").Output()
	if err != nil {
		t.Fatalf("shiplog export: %v", err)
	}
	all := r.b.records(t)
	if n := strings.Count(string(out), "\n"); n != len(all) {
		t.Errorf("shiplog export of the copy = %d lines, the files hold %d", n, len(all))
	}
	c.launch(t, c.binary, "serve", "--data", c.data, "--listen", "127.0.0.1:0")
	defer func() { c.stop(t, syscall.SIGTERM) }()
	if want, got := r.b.logs(t, v2), c.logs(t, v2); !reflect.DeepEqual(want, got) {
		t.Errorf("the copy answers %d lines, the original %d", len(got), len(want))
	}
	if want, got := r.b.events(t, v2), c.events(t, v2); !reflect.DeepEqual(want, got) {
		t.Errorf("the copy answers %d messages, the original %d", len(got), len(want))
	}
	if status, body := c.clear(t); status < 400 {
		t.Errorf("DELETE /log on a copy = %d %s, want a refusal", status, body)
	}
}

// clear asks for DELETE /log.
func (b *box) clear(t *testing.T) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodDelete, b.base+v2+"/log", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// cleared clears the log: the view is empty, the events and the files are not.
func (r *run) cleared(t *testing.T) {
	lines, events, files := r.b.logs(t, v2), r.b.events(t, v2), r.b.records(t)
	if status, body := r.b.clear(t); status != 200 || !strings.Contains(body, `"records": `) {
		t.Errorf("DELETE /log = %d %s", status, body)
	}
	if after := r.b.logs(t, v2); len(after) != 0 {
		t.Errorf("after DELETE /log it shows %d of %d lines", len(after), len(lines))
	}
	if after := r.b.events(t, v2); len(after) != len(events) {
		t.Errorf("after DELETE /log /event tells %d messages, before %d", len(after), len(events))
	}
	if after := r.b.records(t); len(after) <= len(files) {
		t.Errorf("after DELETE /log the files hold %d records, before %d", len(after), len(files))
	}
}
