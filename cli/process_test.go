package cli

import (
	"bufio"
	"fmt"
	"net/http"
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

// startProcess starts shiplog as a process of its own and returns it with its URL.
func startProcess(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command("shiplog", append(args, "--listen", "127.0.0.1:0")...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("first line = %q, %v; want listening on http://...", line, err)
	}
	return cmd, url
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]uint64{}
	for round := range 5 {
		cmd, _ := startProcess(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
		waitFor(t, filepath.Join(dir, "agent.sock"))
		var mu sync.Mutex
		var writers sync.WaitGroup
		killed := make(chan struct{})
		for w := range 4 {
			writers.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-killed:
						return
					default:
					}
					msg := fmt.Sprintf("round %d writer %d record %d", round, w, i)
					out, _, status := shiplog(t, "", "record", "--data", dir, "--category", "test", "--message", msg)
					if status != exitOK {
						continue // not acknowledged
					}
					seq, err := strconv.ParseUint(strings.Trim(out, "{\"seq:}\n"), 10, 64)
					if err != nil {
						t.Errorf("record printed %q", out)
						return
					}
					mu.Lock()
					acknowledged[msg] = seq
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(60+round*35) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		close(killed)
		writers.Wait()
	}
	if len(acknowledged) == 0 {
		t.Fatal("no record was acknowledged; the test tested nothing")
	}
	out := must(t, "", "query", "--data", dir, "-o", "jsonl", "--category", "test")
	for msg, seq := range acknowledged {
		want := fmt.Sprintf(`{"v":1,"seq":%d,`, seq)
		found := 0
		for line := range strings.Lines(out) {
			if strings.Contains(line, `"msg":"`+msg+`"`) {
				if found++; !strings.HasPrefix(line, want) {
					t.Errorf("%q was acknowledged as %d and is %s", msg, seq, line)
				}
			}
		}
		if found != 1 {
			t.Errorf("%q was acknowledged and is there %d times, want once", msg, found)
		}
	}
}

func TestSignals(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		cmd, url := startProcess(t, "run", "--data", t.TempDir(), "--docker", "none", "--incus", "none")
		resp, err := http.Get(url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		begin := time.Now()
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after %v: %v, want exit status 0", sig, err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("after %v: ended in %v, want 10s at most", sig, took)
		}
	}
}

// TestIdleWritesNothing lets a box with nothing to do be: its disks must be able to sleep.
func TestIdleWritesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	dir := t.TempDir()
	cmd, url := startProcess(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
	resp, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	time.Sleep(1500 * time.Millisecond) // start has things to write: the lock, the accounts
	bytes, calls := written(t, cmd.Process.Pid)
	before := tree(t, dir)
	time.Sleep(4 * time.Second)
	nowBytes, nowCalls := written(t, cmd.Process.Pid)
	// The runtime wakes its own poller through an eventfd of 8 bytes; no file is that short a write.
	if grown := nowBytes - bytes; grown > 8*(nowCalls-calls) {
		t.Errorf("an idle server wrote %d bytes in %d calls, want none", grown, nowCalls-calls)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("an idle server changed its directory:\n%swant\n%s", after, before)
	}
}

// written returns the bytes and write calls of a process, whatever it wrote to.
func written(t *testing.T, pid int) (bytes, calls int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		t.Skipf("no io counters here: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		fmt.Sscanf(line, "wchar: %d", &bytes)
		fmt.Sscanf(line, "syscw: %d", &calls)
	}
	return bytes, calls
}

func TestClosedPipeIsSilent(t *testing.T) {
	dir := t.TempDir()
	must(t, "", "import", "--data", dir, "--format", "qnap-csv", filepath.Join("..", "agent", "testdata", "qnap", "v2-log.csv"))
	var errs strings.Builder
	cmd := exec.Command("sh", "-c", `shiplog query -n 59 --data "$1" | head -n 1; while shiplog query --data "$1"; do :; done | true`, "sh", dir)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || strings.Count(string(out), "\n") != 1 || errs.Len() > 0 {
		t.Errorf("query | head = %q %q, %v; want one line and nothing on standard error", out, errs.String(), err)
	}
}
