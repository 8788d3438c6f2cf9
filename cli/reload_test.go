package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// reloaded is shiplog as a process of its own with a configuration file that changes.
type reloaded struct {
	t    *testing.T
	dir  string // its data directory
	file string
	out  string // file of its standard output
	errs string // file of its standard error
	cmd  *exec.Cmd
	url  string // empty: it has no network
}

// startReloaded starts a command with a file of these lines.
func startReloaded(t *testing.T, dir, command string, lines ...string) *reloaded {
	t.Helper()
	r := &reloaded{t: t, dir: dir, file: filepath.Join(t.TempDir(), "shiplog.yaml"), out: filepath.Join(t.TempDir(), "stdout"), errs: filepath.Join(t.TempDir(), "stderr")}
	r.write(lines...)
	errs, err := os.Create(r.errs)
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close()
	stdout, err := os.Create(r.out)
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	r.cmd = exec.Command("shiplog", command, "--config", r.file)
	r.cmd.Stdout, r.cmd.Stderr = stdout, errs
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		if err := r.cmd.Wait(); err != nil {
			t.Errorf("%s ended with %v, want exit status 0; it said: %s", command, err, r.said())
		}
	})
	r.wait("start", func() bool {
		first, _, whole := strings.Cut(r.printed(), "\n")
		r.url, _ = strings.CutPrefix(first, "listening on ")
		return whole
	})
	return r
}

// write replaces the file. Engines and addresses are always the same.
func (r *reloaded) write(lines ...string) {
	r.t.Helper()
	text := "data: " + r.dir + "\nlisten: 127.0.0.1:0\ndocker: \"none\"\nincus: \"none\"\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reloaded) printed() string {
	b, _ := os.ReadFile(r.out)
	return string(b)
}

func (r *reloaded) said() string {
	b, _ := os.ReadFile(r.errs)
	return string(b)
}

// wait waits until done.
func (r *reloaded) wait(what string, done func() bool) {
	r.t.Helper()
	for range 2000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatalf("after 20 s there is no %s; it said: %s", what, r.said())
}

// reload sends SIGHUP and returns what the process says of it, which must contain all of want.
func (r *reloaded) reload(want ...string) string {
	r.t.Helper()
	before := len(r.said())
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		r.t.Fatal(err)
	}
	r.wait(strings.Join(want, " and "), func() bool {
		said := r.said()[before:]
		for _, w := range want {
			if !strings.Contains(said, w) {
				return false
			}
		}
		return true
	})
	return r.said()[before:]
}

// do sends a request with a token, and optionally for a host, and returns status and body.
func (r *reloaded) do(method, path, token, host, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Auth-Token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// login returns the answer to a login, its body closed.
func (r *reloaded) login(user, password string) *http.Response {
	r.t.Helper()
	resp, err := http.PostForm(r.url+"/api/v1/login", map[string][]string{"username": {user}, "password": {password}})
	if err != nil {
		r.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// metric returns the value of a metric.
func (r *reloaded) metric(name string) string {
	r.t.Helper()
	_, text := r.do("GET", "/metrics", "", "", "")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	r.t.Fatalf("there is no metric %s", name)
	return ""
}

const (
	reloadGood = "shiplog_config_last_reload_successful"
	reloadTime = "shiplog_config_last_reload_success_timestamp_seconds"
	exportLogs = "/api/v1/user/exportlogs"
)

// adminToken makes a token that may do all.
func adminToken(t *testing.T, dir string) string {
	t.Helper()
	return strings.TrimSpace(must(t, "", "token", "add", "--data", dir, "--user", "alice", "--scope", "user:admin,repo:admin", "--role", "reader"))
}

func TestReloadTakesAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	r := startReloaded(t, dir, "run", "host: [a.lan]")
	good, when := r.metric(reloadGood), r.metric(reloadTime)
	if good != "1" {
		t.Errorf("%s = %s after the start, want 1", reloadGood, good)
	}
	knows := func(host string, want int) {
		t.Helper()
		if got, _ := r.do("GET", "/healthz", "", host, ""); got != want {
			t.Errorf("GET /healthz of %s = %d, want %d", host, got, want)
		}
	}
	knows("a.lan", 200)
	knows("b.lan", 421)

	r.write("host: [b.lan]", "hots: [c.lan]", "sync-interval: soon")
	said := r.reload(r.file+":6: hots: unknown; is host meant?", r.file+":7: sync-interval: ")
	if strings.Contains(said, "level=INFO") {
		t.Errorf("a bad file: %s, want errors alone", said)
	}
	knows("a.lan", 200)
	knows("b.lan", 421)
	if r.metric(reloadGood) != "0" || r.metric(reloadTime) != when {
		t.Errorf("after a bad file: %s %s, want 0 and the time of the start", r.metric(reloadGood), r.metric(reloadTime))
	}

	r.write("host: [b.lan]", "container-metrics: 3", "sync-interval: 2s")
	r.reload(`"configuration read again" changed=host`, "level=WARN", "next start", "keys=container-metrics,sync-interval")
	knows("a.lan", 421)
	knows("b.lan", 200)
	if r.metric(reloadGood) != "1" || r.metric(reloadTime) == when {
		t.Errorf("after a good file: %s %s, want 1 and a later time than that of the start", r.metric(reloadGood), r.metric(reloadTime))
	}
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
	r.reload("no such file")
	knows("b.lan", 200)
}

func TestReloadOfWhatExportsNeed(t *testing.T) {
	dir := t.TempDir()
	token := adminToken(t, dir)
	tries := make(chan string, 16)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var m struct {
			URL string `json:"exported_data_url"`
		}
		_ = json.NewDecoder(q.Body).Decode(&m)
		if tries <- m.URL; len(tries) < 2 {
			w.WriteHeader(http.StatusServiceUnavailable) // the first must be tried again
		}
	}))
	defer receiver.Close()
	r := startReloaded(t, dir, "run")
	ask := func(body string, want int, part string) {
		t.Helper()
		if got, answer := r.do("POST", exportLogs, token, "", body); got != want || !strings.Contains(answer, part) {
			t.Fatalf("POST exportlogs %s = %d %s, want %d %s", body, got, answer, want, part)
		}
	}
	callback := `{"callback_url":"` + receiver.URL + `/"}`
	ask(callback, 400, "Invalid callback URL")
	ask(`{"callback_email":"nina@example.com"}`, 400, "E-mail callbacks are not configured")

	r.write("export-allowed-hosts: [127.0.0.0/8]", "export-retry-delay: 10ms", "quay-export-status: 200", "public-url: https://logs.example.com/x/",
		"smtp: 127.0.0.1:9", "smtp-from: box@example.com", "smtp-tls: \"none\"")
	r.reload("configuration read again", "public-url,export-allowed-hosts,export-retry-delay,quay-export-status,smtp,smtp-from,smtp-tls")
	ask(callback, 200, "export_id")
	ask(`{"callback_email":"nina@example.com"}`, 200, "export_id")
	for range 2 {
		select {
		case url := <-tries:
			if !strings.HasPrefix(url, "https://logs.example.com/x/exportedlogs/") {
				t.Errorf("the callback names %s, want it below the public URL", url)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("the callback was not tried twice within 20 s; shiplog said: %s", r.said())
		}
	}
	r.wait("try to send the e-mail", func() bool { return strings.Contains(r.said(), "by=e-mail") })
}

func TestReloadOfProjectAndEventForm(t *testing.T) {
	dir := t.TempDir()
	must(t, "secret\n", "user", "add", "--data", dir, "--admin", "admin")
	token := adminToken(t, dir)
	event := `{"Type":"image","Action":"pull","Actor":{"ID":"nginx:1","Attributes":{"name":"nginx"}},"time":1628671995,"timeNano":1628671995000000000}`
	must(t, event, "import", "--data", dir, "--format", "docker", "-")
	r := startReloaded(t, dir, "run")
	project := func(id string) int {
		status, _ := r.do("GET", "/v5/"+id+"/container/image/events", token, "", "")
		return status
	}
	form := func() string {
		resp := r.login("admin", "secret")
		req, err := http.NewRequest("GET", r.url+"/api/v1/event?index=0", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range resp.Cookies() {
			req.AddCookie(c)
		}
		resp, err = http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	if got := [2]int{project("default"), project("p1")}; got != [2]int{200, 403} {
		t.Errorf("projects default and p1 answer %v, want 200 and 403", got)
	}
	const timed = ":1628671995:{"
	if got := form(); !strings.Contains(got, "image:") || strings.Contains(got, timed) {
		t.Errorf("events = %s, want one of version 1", got)
	}
	r.write("default-project: p1", "qnap-root-event-format: v2")
	r.reload("configuration read again", "default-project,qnap-root-event-format")
	if got := [2]int{project("default"), project("p1")}; got != [2]int{403, 200} {
		t.Errorf("projects default and p1 answer %v after the reload, want 403 and 200", got)
	}
	if got := form(); !strings.Contains(got, timed) {
		t.Errorf("events = %s after the reload, want one of version 2", got)
	}
}

func TestReloadOfTheAgentsLog(t *testing.T) {
	r := startReloaded(t, t.TempDir(), "agent", "log-level: error")
	r.write("log-level: info")
	r.reload("configuration read again", "changed=log-level")
	r.write("log-level: error")
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.write("log-level: error", "mistake: 1") // an error is still told
	r.reload("mistake: unknown")
	r.write("log-level: debug")
	r.reload("configuration read again", "changed=log-level")
}

func TestReloadReadsSecretsAgain(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startReloaded(t, dir, "run", "smtp: 127.0.0.1:9", "smtp-from: box@example.com", "smtp-user: box", "smtp-password-file: "+secret)
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	r.reload("every user of this machine may read a secret", "configuration read again")
	if err := os.WriteFile(secret, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reload("--smtp-password-file: the password is empty")
	if got := r.metric(reloadGood); got != "0" {
		t.Errorf("%s = %s with an empty password, want 0", reloadGood, got)
	}
}

// TestHangupWhileItStarts sends SIGHUP as early as the process can know of it, many times.
func TestHangupWhileItStarts(t *testing.T) {
	dir := t.TempDir()
	must(t, "secret\n", "user", "add", "--data", dir, "--admin", "admin")
	file := filepath.Join(t.TempDir(), "shiplog.yaml")
	text := "data: " + dir + "\nlisten: 127.0.0.1:0\ndocker: \"none\"\nincus: \"none\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("shiplog", "run", "--config", file)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lock := filepath.Join(dir, "lock")
	for range 2000 { // the lock is the first that a start makes
		if _, err := os.Stat(lock); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for range 50 {
		_ = cmd.Process.Signal(syscall.SIGHUP)
		time.Sleep(2 * time.Millisecond)
	}
	line := make([]byte, 64)
	if n, err := out.Read(line); err != nil || !strings.HasPrefix(string(line[:n]), "listening on ") {
		t.Fatalf("first line = %q, %v, want an address; it said %s", line[:n], err, errs.String())
	}
	time.Sleep(200 * time.Millisecond)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || !strings.Contains(errs.String(), "configuration read again") {
		t.Errorf("ended with %v, saying %q; want exit status 0 and that the configuration was read again", err, errs.String())
	}
}
