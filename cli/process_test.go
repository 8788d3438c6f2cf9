package cli

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	neturl "net/url"
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
	line := startCommand(t, cmd)
	url, ok := strings.CutPrefix(line, "listening on ")
	if !ok {
		t.Fatalf("first line = %q, want listening on http://...", line)
	}
	return cmd, url
}

// startCommand starts cmd, which is killed with the test, and returns the first line that it prints.
func startCommand(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
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
	if err != nil {
		t.Fatalf("first line = %q, %v", line, err)
	}
	return strings.TrimSpace(line)
}

// ledger is what was acknowledged to the clients of a server that is killed.
type ledger struct {
	mu      sync.Mutex
	records map[string]uint64 // guarded by mu; number by message
	clears  int               // guarded by mu; times that the log was cleared
}

// record writes records one after the other until killed is closed.
func (l *ledger) record(t *testing.T, dir, name string, killed chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-killed:
			return
		default:
		}
		msg := fmt.Sprintf("%s record %d", name, i)
		out, _, status := shiplog(t, "", "record", "--data", dir, "--category", "test", "--message", msg)
		if status != exitOK {
			continue // not acknowledged
		}
		seq, err := strconv.ParseUint(strings.Trim(out, "{\"seq:}\n"), 10, 64)
		if err != nil {
			t.Errorf("record printed %q", out)
			return
		}
		l.mu.Lock()
		l.records[msg] = seq
		l.mu.Unlock()
	}
}

// clear clears the log again and again until the server is gone.
func (l *ledger) clear(client *http.Client, url string) {
	for {
		req, err := http.NewRequest(http.MethodDelete, url+v2+"/log", nil)
		if err != nil {
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			return
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			l.mu.Lock()
			l.clears++
			l.mu.Unlock()
		}
	}
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	must(t, "secret\n", "user", "add", "--data", dir, "--admin", "admin")
	l := &ledger{records: map[string]uint64{}}
	for round := range 5 {
		cmd, url := startProcess(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
		waitFor(t, filepath.Join(dir, "agent.sock"))
		jar, _ := cookiejar.New(nil) // without options it never fails
		client := &http.Client{Jar: jar}
		resp, err := client.PostForm(url+v2+"/login", neturl.Values{"username": {"admin"}, "password": {"secret"}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		var clients sync.WaitGroup
		killed := make(chan struct{})
		clients.Go(func() { l.clear(client, url) })
		for w := range 4 {
			clients.Go(func() { l.record(t, dir, fmt.Sprintf("round %d writer %d", round, w), killed) })
		}
		l.wait(8*(round+1), round+1)
		time.Sleep(time.Duration(round*7) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		close(killed)
		clients.Wait()
	}
	l.check(t, dir)
	if out, errs, status := shiplog(t, "", "verify", "--data", dir); status == exitDamage {
		t.Errorf("verify finds damage after kills:\n%s%s", out, errs)
	}
}

// wait returns when so much was acknowledged, after 10 s at the latest.
func (l *ledger) wait(records, clears int) {
	for range 1000 {
		l.mu.Lock()
		enough := len(l.records) >= records && l.clears >= clears
		l.mu.Unlock()
		if enough {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// check looks for everything acknowledged in the files.
func (l *ledger) check(t *testing.T, dir string) {
	t.Helper()
	if len(l.records) == 0 || l.clears == 0 {
		t.Fatalf("%d records and %d clears were acknowledged; the test tested nothing", len(l.records), l.clears)
	}
	out := must(t, "", "query", "--data", dir, "-o", "jsonl")
	if got := strings.Count(out, `"action":"log.clear"`); got < l.clears {
		t.Errorf("%d clears are in the log, want the %d acknowledged ones", got, l.clears)
	}
	for msg, seq := range l.records {
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

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		must(t, "", "record", "--data", dir, "--category", "test", "--message", fmt.Sprintf("old %d", i))
	}
	cmd := exec.Command("shiplog", "query", "--data", dir, "-f", "--text", "o")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	for i := 2; i < 12; i++ {
		if want := fmt.Sprintf("old %d", i); !lines.Scan() || !strings.HasSuffix(lines.Text(), want) {
			t.Fatalf("query -f shows %q, want %q first", lines.Text(), want)
		}
	}
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "unseen")
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "one")
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "two")
	for _, want := range []string{"one", "two"} {
		if !lines.Scan() || !strings.HasSuffix(lines.Text(), want) {
			t.Fatalf("query -f shows %q, want %q", lines.Text(), want)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("query -f ended with %v after an interrupt, want exit status 0", err)
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
	waitFor(t, filepath.Join(dir, "agent.sock"))
	time.Sleep(1500 * time.Millisecond) // the last of what a start has to write
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
