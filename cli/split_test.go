package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// setups start shiplog on a directory as one process and as two; their stop ends all of it.
var setups = map[string]func(t *testing.T, dir string) *server{
	"run": func(t *testing.T, dir string) *server {
		return startServer(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
	},
	"agent and serve": func(t *testing.T, dir string) *server {
		stopAgent := startAgent(t, dir)
		s := startServer(t, "serve", "--data", dir, "--index", t.TempDir())
		stopServer := s.stop
		s.stop = func() int { return max(stopServer(), stopAgent()) }
		return s
	},
}

// startAgent runs shiplog agent as a value until its socket is there; stop ends it and returns its exit status.
func startAgent(t *testing.T, dir string, more ...string) (stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &Program{Args: append([]string{"agent", "--data", dir, "--docker", "none", "--incus", "none"}, more...), Env: func(string) string { return "" },
		Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard}
	ended := make(chan int, 1)
	go func() { ended <- p.Run(ctx) }()
	stop = sync.OnceValue(func() int {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { stop() })
	waitFor(t, filepath.Join(dir, "agent.sock"))
	return stop
}

func TestServeStartsBeforeItsAgent(t *testing.T) {
	dir := t.TempDir()
	must(t, "secret\n", "user", "add", "--data", dir, "--admin", "admin")
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "first")
	s := startServer(t, "serve", "--data", dir, "--agent", filepath.Join(dir, "agent.sock"))
	s.want(t, "POST", v2+"/login", "username=admin&password=secret", 200)
	s.want(t, "DELETE", v2+"/log", "", 503, "agent is not reachable")
	s.want(t, "GET", "/readyz", "", 503, "agent is not reachable")
	s.want(t, "GET", v2+"/log", "", 200, "first")
	for range 2 {
		stop := startAgent(t, dir)
		s.want(t, "DELETE", v2+"/log", "", 200)
		s.want(t, "GET", "/readyz", "", 200)
		s.want(t, "GET", v2+"/container", "", 200, "[]")
		if status := stop(); status != exitOK {
			t.Errorf("agent ended with %d, want 0", status)
		}
		s.want(t, "DELETE", v2+"/log", "", 503)
	}
}

func TestOnlyOneProcessWorksOnExports(t *testing.T) {
	dir := t.TempDir()
	const off = "exports are off"
	run := startServer(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
	waitFor(t, filepath.Join(dir, "agent.sock"))
	beside := startServer(t, "serve", "--data", dir)
	token := strings.TrimSpace(must(t, "", "token", "add", "--data", dir, "--user", "admin", "--scope", "user:admin"))
	order := func(s *server) int {
		req, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/user/exportlogs", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if status := order(beside); status != http.StatusServiceUnavailable {
		t.Errorf("an export of the second server = %d, want 503", status)
	}
	if status := order(run); status != http.StatusCreated {
		t.Errorf("an export of the first server = %d, want 201", status)
	}
	run.stop()
	startAgent(t, dir)
	for end := time.Now().Add(20 * time.Second); order(beside) != http.StatusCreated; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the second server takes no exports after the first has ended: %s", beside.stderr)
		}
	}
	if beside.stop(); !strings.Contains(beside.stderr.String(), off) {
		t.Errorf("serve beside run says %q, want %q", beside.stderr, off)
	}
	if strings.Contains(run.stderr.String(), off) {
		t.Errorf("run says %q, want no word of exports", run.stderr)
	}
	alone := startServer(t, "serve", "--data", dir)
	if alone.stop(); strings.Contains(alone.stderr.String(), off) {
		t.Errorf("serve beside agent says %q, want no word of exports", alone.stderr)
	}
}

// agentProcess starts shiplog agent as a process of its own.
func agentProcess(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	_ = os.Remove(filepath.Join(dir, "agent.sock")) // that of a killed one
	cmd := exec.Command("shiplog", "agent", "--data", dir, "--docker", "none", "--incus", "none")
	if line := startCommand(t, cmd); !strings.HasPrefix(line, "capturing into "+dir) {
		t.Fatalf("first line = %q, want capturing into %s", line, dir)
	}
	waitFor(t, filepath.Join(dir, "agent.sock"))
	return cmd
}

// loggedIn is a client with a session.
func loggedIn(t *testing.T, url string) *http.Client {
	t.Helper()
	jar, _ := cookiejar.New(nil) // without options it never fails
	client := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	resp, err := client.PostForm(url+v2+"/login", neturl.Values{"username": {"admin"}, "password": {"secret"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return client
}

// clearUntil clears the log again and again until killed is closed. An agent that is away must be a 503.
func (l *ledger) clearUntil(t *testing.T, client *http.Client, url string, killed chan struct{}) {
	for {
		select {
		case <-killed:
			return
		default:
		}
		req, err := http.NewRequest(http.MethodDelete, url+v2+"/log", nil)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			continue // the server is killed
		}
		resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
			l.mu.Lock()
			l.clears++
			l.mu.Unlock()
		case http.StatusServiceUnavailable:
		default:
			t.Errorf("DELETE log = %d, want 200, or 503 while the agent is away", resp.StatusCode)
			return
		}
	}
}

func TestKillOneOfTwoLosesNothingAcknowledged(t *testing.T) {
	for _, victim := range []string{"agent", "serve"} {
		t.Run(victim, func(t *testing.T) {
			dir, index := t.TempDir(), t.TempDir()
			must(t, "secret\n", "user", "add", "--data", dir, "--admin", "admin")
			l := &ledger{records: map[string]uint64{}}
			agent := agentProcess(t, dir)
			serve, url := startProcess(t, "serve", "--data", dir, "--index", index)
			client := loggedIn(t, url)
			for round := range 4 {
				killed := make(chan struct{})
				var clients sync.WaitGroup
				clients.Go(func() { l.clearUntil(t, client, url, killed) })
				for w := range 2 {
					clients.Go(func() { l.record(t, dir, fmt.Sprintf("round %d writer %d", round, w), killed) })
				}
				l.wait(8*(round+1), 2*(round+1))
				cmd := agent
				if victim == "serve" {
					cmd = serve
				}
				if err := cmd.Process.Kill(); err != nil {
					t.Error(err)
				}
				_ = cmd.Wait()
				close(killed)
				clients.Wait()
				if victim == "agent" {
					agent = agentProcess(t, dir)
					continue
				}
				serve, url = startProcess(t, "serve", "--data", dir, "--index", index)
				client = loggedIn(t, url)
			}
			l.check(t, dir)
		})
	}
}

func TestServeStartsBeforeThereIsALog(t *testing.T) {
	dir, state := filepath.Join(t.TempDir(), "data"), t.TempDir()
	if _, errs, status := shiplog(t, "", "serve", "--data", dir, "--listen", "127.0.0.1:0"); status != exitFailed || !strings.Contains(errs, "no such file") {
		t.Errorf("serve without an agent and without a log = exit %d, %s; want exit 1, no such file", status, errs)
	}
	must(t, "secret\n", "user", "add", "--data", state, "--admin", "admin")
	s := startServer(t, "serve", "--data", dir, "--state", state, "--agent", filepath.Join(dir, "agent.sock"))
	s.want(t, "GET", "/readyz", "", 503, "there is no log in data yet") // the place is nobody's business but the owner's
	s.want(t, "POST", v2+"/login", "username=admin&password=secret", 200)
	s.want(t, "GET", v2+"/log", "", 200, "[]")
	s.want(t, "DELETE", v2+"/log", "", 503, "agent is not reachable")
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("serve made %s, which is its agent's to make", dir)
	}
	startAgent(t, dir)
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "first")
	s.want(t, "GET", "/readyz", "", 200)
	s.want(t, "GET", v2+"/log", "", 200, "first")
	s.want(t, "DELETE", v2+"/log", "", 200)
}
