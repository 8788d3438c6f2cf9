package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// server is run, serve or demo as a value, listening on a free port.
type server struct {
	url, password string
	journal       string // URL of the second listener; set when password is
	client        *http.Client
	stop          func() int // ends it and returns its exit status
	stderr        *bytes.Buffer
}

var passwordNote = regexp.MustCompile(`^user admin, password ([a-z0-9]{20}) `)

// startServer starts a command and waits until it listens.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	return startServerOn(t, "127.0.0.1:0", args...)
}

func startServerOn(t *testing.T, listen string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	s := &server{stderr: new(bytes.Buffer)}
	p := &Program{Args: append(args, "--listen", listen), Env: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: in, Stderr: s.stderr}
	ended := make(chan int, 1)
	go func() {
		status := p.Run(ctx)
		in.Close()
		ended <- status
	}()
	s.stop = func() int {
		cancel()
		select {
		case status := <-ended:
			ended <- status
			return status
		case <-time.After(10 * time.Second):
			t.Fatal("the server did not stop within 10 s")
			return -1
		}
	}
	t.Cleanup(func() { s.stop() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("no line on standard output; standard error: %s", s.stderr)
	}
	url, ok := strings.CutPrefix(lines.Text(), "listening on ")
	if !ok {
		t.Fatalf("first line = %q, want listening on http://...", lines.Text())
	}
	s.url = url
	notes := make(chan string, 1)
	go func() {
		for lines.Scan() {
			if journal, ok := strings.CutPrefix(lines.Text(), "journal on "); ok {
				s.journal = journal // the password is told after it
			}
			if m := passwordNote.FindStringSubmatch(lines.Text()); m != nil {
				notes <- m[1]
			}
		}
		close(notes)
	}()
	select {
	case s.password = <-notes:
	case <-time.After(200 * time.Millisecond): // it has accounts already
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.client = &http.Client{Jar: jar, Timeout: 20 * time.Second}
	return s
}

// do sends a request with the session's cookie and returns status and body.
func (s *server) do(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (s *server) want(t *testing.T, method, path, body string, status int, parts ...string) string {
	t.Helper()
	code, got := s.do(t, method, path, body)
	if code != status {
		t.Fatalf("%s %s = %d %s, want %d", method, path, code, got, status)
	}
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%s %s = %s, want it to contain %q", method, path, got, part)
		}
	}
	return got
}

const v2 = "/container-station/api/v1"

func TestFromFirstStartToLastClear(t *testing.T) {
	for name, start := range setups {
		t.Run(name, func(t *testing.T) { fromFirstStartToLastClear(t, start) })
	}
}

func fromFirstStartToLastClear(t *testing.T, start func(*testing.T, string) *server) {
	dir := t.TempDir()
	seed := filepath.Join("..", "agent", "testdata", "qnap", "v2-log.csv")
	must(t, "", "import", "--data", dir, "--format", "qnap-csv", seed)
	s := start(t, dir)
	if s.password == "" {
		t.Fatal("the first start told no password")
	}
	s.want(t, "GET", v2+"/log", "", 401, "{\n  \"error\"")
	s.want(t, "POST", v2+"/login", `{"username": "admin", "password": "`+s.password+`"}`, 200, `"isAdmin": true`)
	s.want(t, "GET", v2+"/log?limit=1", "", 200, "Registry remove: new_test")
	want, err := os.ReadFile(seed)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.want(t, "GET", v2+"/log/export", "", 200); got != string(want) {
		t.Errorf("GET log/export = %d bytes that differ from the %d imported ones", len(got), len(want))
	}
	if out := must(t, "", "record", "--data", dir, "--category", "backup", "--message", "over the socket", "--user", "b"); !strings.HasPrefix(out, `{"seq":`) {
		t.Errorf("record = %q, want its number", out)
	}
	s.want(t, "GET", v2+"/log?category=backup", "", 200, "over the socket")
	s.want(t, "GET", v2+"/event/wait/docker/x/running?duration=0", "", 503)
	s.want(t, "DELETE", v2+"/log", "", 200, `"records": 60`)
	s.want(t, "GET", v2+"/log", "", 200, "[]")
	s.want(t, "GET", "/healthz", "", 200)
	s.want(t, "GET", "/readyz", "", 200, `"ready": true`)
	s.want(t, "GET", "/metrics", "", 200, "shiplog_last_seq 62", `shiplog_http_requests_total{code="200",dialect="qnap-v2",method="POST"}`)

	problems, err := promlint.New(strings.NewReader(s.want(t, "GET", "/metrics", "", 200))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("GET /metrics: %s: %s", p.Metric, p.Text)
	}
	if _, errs, status := shiplog(t, "", "seal", "--data", dir); status != exitFailed || !strings.Contains(errs, "locked by process") {
		t.Errorf("seal of a running directory = exit %d %q, want 1 and the process that locks it", status, errs)
	}
	if status := s.stop(); status != exitOK {
		t.Errorf("run ended with %d, want 0; %s", status, s.stderr)
	}

	// The second start tells no password, the old one still works, and nothing is lost.
	again := start(t, dir)
	if again.password != "" {
		t.Error("the second start told a password again")
	}
	again.want(t, "POST", v2+"/login", "username=admin&password="+s.password, 200)
	again.want(t, "GET", v2+"/log", "", 200, "[]")
	if out := must(t, "", "query", "--data", dir, "-o", "jsonl", "--text", "logs are cleared"); strings.Count(out, "\n") != 1 {
		t.Errorf("query finds %q, want the one clearing", out)
	}
}

func TestServeIsReadOnlyWithoutAnAgent(t *testing.T) {
	dir := t.TempDir()
	must(t, "", "import", "--data", dir, "--format", "qnap-csv", filepath.Join("..", "agent", "testdata", "qnap", "v2-log.csv"))
	before := tree(t, dir)
	s := startServer(t, "serve", "--data", dir, "--index", "none")
	s.want(t, "POST", v2+"/login", "username=admin&password="+s.password, 200)
	s.want(t, "GET", v2+"/log?limit=1", "", 200, "Registry remove: new_test")
	if code, body := s.do(t, "DELETE", v2+"/log", ""); code != 405 && code != 403 {
		t.Errorf("DELETE log of a copy = %d %s, want a refusal", code, body)
	}
	if status := s.stop(); status != exitOK {
		t.Errorf("serve ended with %d, want 0", status)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("serve changed the directory: %s, want %s", after, before)
	}
}

func TestServeBesideRunWritesThroughItsSocket(t *testing.T) {
	dir := t.TempDir()
	run := startServer(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
	waitFor(t, filepath.Join(dir, "agent.sock"))
	s := startServer(t, "serve", "--data", dir)
	s.want(t, "POST", v2+"/login", "username=admin&password="+run.password, 200)
	s.want(t, "DELETE", v2+"/log", "", 200, `"records": 0`)
	s.want(t, "GET", "/readyz", "", 200)
	run.stop()
	s.want(t, "DELETE", v2+"/log", "", 503, "agent is not reachable")
	s.want(t, "GET", "/readyz", "", 503, "no agent is running")
}

func TestServeUsesWhatItMayNotWrite(t *testing.T) {
	dir := t.TempDir()
	must(t, "", "import", "--data", dir, "--format", "qnap-csv", filepath.Join("..", "agent", "testdata", "qnap", "v2-log.csv"))
	must(t, "", "seal", "--data", dir)
	if err := os.WriteFile(filepath.Join(dir, "index"), nil, 0o400); err != nil { // no folder can be made here
		t.Fatal(err)
	}
	s := startServer(t, "serve", "--data", dir)
	s.want(t, "POST", v2+"/login", "username=admin&password="+s.password, 200)
	s.want(t, "GET", v2+"/log?text=NEW_TEST&limit=1", "", 200, "Registry remove: new_test")
	s.want(t, "GET", "/readyz", "", 200)
}

func TestListeningForOthersIsSaid(t *testing.T) {
	s := startServerOn(t, "0.0.0.0:0", "run", "--data", t.TempDir(), "--docker", "none", "--incus", "none", "--insecure-http")
	if status := s.stop(); status != exitOK || !strings.Contains(s.stderr.String(), "unencrypted") {
		t.Errorf("run on all addresses = exit %d and says %q, want a warning", status, s.stderr)
	}
}

func TestDemo(t *testing.T) {
	s := startServer(t, "demo")
	s.want(t, "POST", v2+"/login", "username=admin&password="+s.password, 200)
	s.want(t, "GET", v2+"/log?user=guest", "", 200, "Remove container with its volumes")
	s.want(t, "GET", v2+"/container", "", 200, "homeassistant", "nextcloud-db")
	s.want(t, "GET", v2+"/event/wait/docker/nextcloud/running?duration=1", "", 200, `"state": "running"`)
	s.want(t, "GET", v2+"/event/wait/docker/paperless/running?duration=1", "", 404)
}

// tree lists the files of dir with size and time of change.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, fi os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		b.WriteString(path + " " + fi.Mode().String() + " " + fi.ModTime().String() + "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func waitFor(t *testing.T, path string) {
	t.Helper()
	for range 500 {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s did not appear", path)
}

func TestFailedStartKeepsThePassword(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	_, stderr, status := shiplog(t, "", "run", "--data", dir, "--listen", taken.Addr().String(), "--docker", "none", "--incus", "none")
	if status != 1 || !strings.Contains(stderr, "--listen") {
		t.Errorf("run on a taken address: status %d, %q; want 1 and a word on --listen", status, stderr)
	}
	if out := must(t, "", "user", "list", "--data", dir); strings.Contains(out, "admin") {
		t.Errorf("accounts after a start that failed = %q; want none, nobody was told a password", out)
	}
}
