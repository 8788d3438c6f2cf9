package huawei

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

const repository = "../../.."

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

// startShiplog puts records (native lines) and accounts into a new data directory, serves it and returns its URL.
func startShiplog(t *testing.T, records, accounts string) string {
	t.Helper()
	program, dir := binary(t), t.TempDir()
	run := func(input string, args ...string) {
		t.Helper()
		cmd := exec.Command(program, append(args, "--data", dir)...)
		cmd.Stdin = strings.NewReader(input)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("shiplog %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run(records, "import", "--format", "native", "-")
	run(accounts, "account", "apply", "-")
	cmd := exec.Command(program, "run", "--data", dir, "--docker", "none", "--incus", "none", "--listen", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, cmd) })
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("first line of shiplog = %q, %v; want listening on http://...", line, err)
	}
	return url
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

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
