package enginetest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// engines are the daemons that scripts/engines.sh runs in dir.
type engines struct {
	dir    string
	script string
	env    []string // DOCKER_HOST, INCUS_SOCKET ... so that the engines' own clients find them
}

func openEngines(t *testing.T) *engines {
	t.Helper()
	dir := os.Getenv("SHIPLOG_ENGINES")
	if dir == "" {
		t.Skip("SHIPLOG_ENGINES is not set: scripts/test starts the engines and sets it")
	}
	script, err := filepath.Abs("../engines.sh")
	if err != nil {
		t.Fatal(err)
	}
	e := &engines{dir: dir, script: script}
	out, err := exec.Command(script, "env", dir).Output()
	if err != nil {
		t.Fatalf("%s env %s: %v", script, dir, err)
	}
	e.env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin:"+os.Getenv("PATH"), "LC_ALL=C", "QUIET=1",
		"ENGINES="+script, "DIR="+dir, "WORK="+t.TempDir())
	for line := range strings.Lines(string(out)) {
		e.env = append(e.env, strings.TrimPrefix(strings.TrimSpace(line), "export "))
	}
	return e
}

func (e *engines) dockerSocket() string { return filepath.Join(e.dir, "docker.sock") }
func (e *engines) incusSocket() string  { return filepath.Join(e.dir, ".engines/incus/unix.socket") }

// run runs one line of bash and gives its output and exit status.
func (e *engines) run(t testing.TB, line string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Env = e.env
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("%s: %v %v\n%s", line, err, ctx.Err(), out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// do runs lines of bash. A line must succeed, and one that begins with "!" must fail.
func (e *engines) do(t testing.TB, lines ...string) string {
	t.Helper()
	var last string
	for _, line := range lines {
		cmd, fails := strings.CutPrefix(line, "!")
		out, rc := e.run(t, cmd)
		if (rc != 0) != fails {
			t.Errorf("%s\nexit status %d, want failure %v; it said: %s", cmd, rc, fails, out)
		}
		last = out
	}
	return strings.TrimSpace(last)
}

// daemon stops (stop: politely, kill: at once) or starts docker or incus.
func (e *engines) daemon(t testing.TB, verb, name string) {
	t.Helper()
	if out, rc := e.run(t, `"$ENGINES" `+verb+` "$DIR" `+name); rc != 0 {
		t.Fatalf("engines.sh %s %s: %s", verb, name, out)
	}
}

// initPID is the first process of the engines' namespaces.
func (e *engines) initPID(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(e.dir, ".engines/init.pid"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b))[0]
}

// eventually waits until ok, at most d, and says what it waited for when that does not come.
func eventually(t testing.TB, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v: %s", d, what)
		}
	}
}
