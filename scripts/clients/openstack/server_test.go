package openstack

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	repository = "../../.."
	contract   = repository + "/httpd/testdata/contract/"
)

// binary is the program under test.
func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("SHIPLOG_BINARY"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "shiplog")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build shiplog: %v\n%s", err, out)
	}
	return path
}

// startShiplog serves the journal of the contract cases, also on a listener of its own, and returns the URLs of
// both endpoints.
func startShiplog(t *testing.T) (all, journal string) {
	t.Helper()
	program, dir := binary(t), t.TempDir()
	for _, args := range [][]string{{"import", "--format", "native", contract + "fixture-aos.jsonl"}, {"account", "apply", contract + "accounts.json"}} {
		if out, err := exec.Command(program, append(args, "--data", dir)...).CombinedOutput(); err != nil {
			t.Fatalf("shiplog %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	cmd := exec.Command(program, "run", "--data", dir, "--docker", "none", "--incus", "none", "--listen", "127.0.0.1:0", "--journal-listen", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, cmd) })
	lines := bufio.NewReader(out)
	next := func(prefix string) string {
		line, err := lines.ReadString('\n')
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), prefix)
		if err != nil || !ok {
			t.Fatalf("shiplog says %q, %v; want a line that begins with %q", line, err, prefix)
		}
		return rest
	}
	all, journal = next("listening on "), next("journal on ")
	return all, strings.TrimSuffix(journal, "/v1/journal/")
}

// stop ends the server in order, or by force when that takes too long.
func stop(t *testing.T, cmd *exec.Cmd) {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop shiplog: %v", err)
	}
	force := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer force.Stop()
	if err := cmd.Wait(); err != nil {
		t.Errorf("shiplog ended: %v", err)
	}
}
