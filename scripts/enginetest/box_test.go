package enginetest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const password = "correct horse battery staple"

// box is a shiplog with its data directory, as it stands on a NAS.
type box struct {
	e      *engines
	binary string
	data   string
	client *http.Client

	base string    // http://127.0.0.1:PORT of the running program
	cmd  *exec.Cmd // nil while it does not run
	pid  int       // of shiplog itself; cmd may be nsenter, its parent
	log  *lines    // all that it printed, over all its lives
}

func newBox(t *testing.T, e *engines) *box {
	t.Helper()
	b := &box{e: e, binary: os.Getenv("SHIPLOG_BINARY"), data: filepath.Join(t.TempDir(), "data"), log: &lines{}}
	if b.binary == "" {
		b.binary = filepath.Join(t.TempDir(), "shiplog")
		if out, err := exec.Command("go", "build", "-o", b.binary, "../..").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	accounts := filepath.Join(t.TempDir(), "accounts.json")
	text := fmt.Sprintf(`{"qnap_users": [{"name": "admin", "password": %q, "admin": true}], "tokens": [
		{"token": %q, "user": "admin", "scopes": ["super:user"]},
		{"token": %q, "user": "admin", "project": "default", "roles": ["reader"]},
		{"token": %q, "user": "admin", "project": "default", "roles": ["writer"]}]}`, password, registryToken, journalToken, writerToken)
	if err := os.WriteFile(accounts, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(b.binary, "account", "apply", "--data", b.data, accounts).CombinedOutput(); err != nil {
		t.Fatalf("shiplog account apply: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if b.cmd != nil {
			b.stop(t, syscall.SIGKILL)
		}
		if t.Failed() {
			t.Logf("shiplog printed:\n%s", b.log)
		}
	})
	return b
}

// start starts shiplog. Inside the engines' process namespace it sees the containers' processes as it does
// on a NAS; outside the process numbers that dockerd gives belong to strangers, as with a remote engine.
func (b *box) start(t *testing.T, inside bool) {
	t.Helper()
	args := []string{b.binary, "run", "--data", b.data, "--listen", "127.0.0.1:0",
		"--docker", "unix://" + b.e.dockerSocket(), "--incus", b.e.incusSocket(), "--container-metrics", "200", "--log-level", "debug"}
	if inside {
		args = append([]string{"nsenter", "-t", b.e.initPID(t), "-m", "-p", "--"}, args...)
	}
	b.launch(t, args...)
	if inside {
		b.pid = child(t, b.pid)
	}
}

// launch starts a command that serves, reads the address from its first line, and logs in.
func (b *box) launch(t *testing.T, args ...string) {
	t.Helper()
	b.cmd = exec.Command(args[0], args[1:]...)
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.cmd.Stderr = b.log
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout := bufio.NewReader(out)
	first, err := stdout.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(first), "listening on ")
	if err != nil || !ok {
		t.Fatalf("first line of %s = %q (%v), want listening on http://...\n%s", args, first, err, b.log)
	}
	go io.Copy(b.log, stdout)
	b.base = url
	b.pid = b.cmd.Process.Pid
	b.login(t)
}

// child is the process that nsenter started inside.
func child(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatalf("children of nsenter = %q, want one", text)
	}
	return n
}

// stop ends shiplog with a signal and gives its exit status and how long it took.
func (b *box) stop(t *testing.T, sig syscall.Signal) (int, time.Duration) {
	t.Helper()
	began := time.Now()
	if err := syscall.Kill(b.pid, sig); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { b.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("shiplog did not end within 20 s of %v\n%s", sig, b.log)
	}
	code := b.cmd.ProcessState.ExitCode()
	b.cmd = nil
	return code, time.Since(began)
}

// proc reads one number of shiplog's file under /proc.
func (b *box) proc(t *testing.T, file, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", b.pid, file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("/proc/%d/%s has no %s", b.pid, file, name)
	return 0
}

func (b *box) login(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.client = &http.Client{Jar: jar, Timeout: time.Minute}
	body := fmt.Sprintf(`{"username": "admin", "password": %q}`, password)
	resp, err := b.client.Post(b.base+v2+"/login", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("login = %s: %s", resp.Status, text)
	}
}

// lines keeps what a process prints; safe for concurrent use.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
