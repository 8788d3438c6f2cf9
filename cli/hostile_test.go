package cli

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxHostileRSS is what a process may need while clients do their worst, in KiB: a small box gives it 256 MiB.
const maxHostileRSS = 200 << 10

// startBoth starts run as a process with both listeners, with a token that may write, and returns their addresses.
func startBoth(t *testing.T) (cmd *exec.Cmd, all, journal string) {
	t.Helper()
	dir := t.TempDir()
	accounts := filepath.Join(t.TempDir(), "accounts.json")
	if err := os.WriteFile(accounts, []byte(`{"qnap_users":[{"name":"admin","password":"admin-pw","admin":true}],
		"tokens":[{"token":"tok","user":"admin","user_id":"u","domain_id":"d","project":"default","roles":["admin"]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "", "account", "apply", "--data", dir, accounts)
	cmd = exec.Command("shiplog", "run", "--data", dir, "--docker", "none", "--incus", "none", "--listen", "127.0.0.1:0", "--journal-listen", "127.0.0.1:0")
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
	lines := bufio.NewReader(out)
	for _, one := range []struct {
		to             *string
		prefix, suffix string
	}{{&all, "listening on http://", ""}, {&journal, "journal on http://", "/v1/journal/"}} {
		line, err := lines.ReadString('\n')
		addr, ok := strings.CutPrefix(strings.TrimSpace(line), one.prefix)
		if err != nil || !ok {
			t.Fatalf("line = %q, %v; want %s...", line, err, one.prefix)
		}
		*one.to = strings.TrimSuffix(addr, one.suffix)
	}
	return cmd, all, journal
}

// hold opens n connections to addr and sends text on each; what the server closes is no fault.
func hold(t *testing.T, addr, text string, n int) []net.Conn {
	t.Helper()
	var mu sync.Mutex
	var held []net.Conn
	var openers sync.WaitGroup
	for range 8 {
		openers.Go(func() {
			for range n / 8 {
				c, err := net.DialTimeout("tcp", addr, 30*time.Second)
				if err != nil {
					t.Errorf("connect: %v", err)
					return
				}
				_ = c.SetWriteDeadline(time.Now().Add(30 * time.Second))
				_, _ = io.WriteString(c, text)
				mu.Lock()
				held = append(held, c)
				mu.Unlock()
			}
		})
	}
	openers.Wait()
	t.Cleanup(func() {
		for _, c := range held {
			c.Close()
		}
	})
	return held
}

// memory is the resident memory of a process and the most it ever was, in KiB.
func memory(t *testing.T, pid int) (now, peak int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no memory figures here: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d", &now)
		fmt.Sscanf(line, "VmHWM: %d", &peak)
	}
	return now, peak
}

// TestHostileClients lets clients hold as many connections as they can, to both listeners of a process, with as
// much in each as they can: others are served meanwhile and afterwards, and the memory stays bounded.
func TestHostileClients(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	cmd, all, journal := startBoth(t)
	fields := &strings.Builder{}
	for i := range 5500 {
		fmt.Fprintf(fields, "x%d: y\r\n", i)
	}
	const text = "HTTP/1.1\r\nHost: localhost\r\n"
	signed := fmt.Sprintf("X-Sdk-Date: %s\r\nAuthorization: SDK-HMAC-SHA256 Access=AK, SignedHeaders=%sx-sdk-date, Signature=%064d\r\nX: %s\r\n",
		time.Now().UTC().Format("20060102T150405Z"), strings.Repeat("x;", 62), 0, strings.Repeat("a", 60<<10))
	for _, row := range []struct{ name, addr, send string }{
		{"silence", all, ""},
		{"half a head", all, "GET /healthz " + text + "X: "},
		{"half a head to the journal", journal, "GET /v1/journal/ " + text + "X: "},
		{"a head of thousands of fields without its end", all, "GET /healthz " + text + fields.String()},
		{"a head of thousands of fields without its end to the journal", journal, "GET /healthz " + text + fields.String()},
		{"half a login of 64 KiB", all, "POST /api/v1/login " + text + "Content-Length: 65000\r\n\r\n" + strings.Repeat("a", 64_000)},
		{"half an entry of a megabyte without a token", journal, "POST /v1/journal/ " + text + "Content-Length: 1000000\r\n\r\n" + strings.Repeat("a", 900_000)},
		{"half an entry of a megabyte", journal, "POST /v1/journal/ " + text + "X-Auth-Token: tok\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("a", 900_000)},
		{"half an entry of 64 KiB", journal, "POST /v1/journal/ " + text + "X-Auth-Token: tok\r\nContent-Length: 65000\r\n\r\n" + strings.Repeat("a", 64_000)},
		{"a long header that is signed many times", all, "GET /v5/default/container/image/events " + text + signed + "\r\n"},
		{"requests for the longest page, unread", all, strings.Repeat("GET /openapi.yaml "+text+"\r\n", 20)},
	} {
		held := hold(t, row.addr, row.send, 640)
		client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		for _, addr := range []string{all, journal} {
			began := time.Now()
			resp, err := client.Get("http://" + addr + "/healthz")
			if err != nil {
				t.Errorf("%s: healthz of %s meanwhile: %v", row.name, addr, err)
				continue
			}
			resp.Body.Close()
			if took := time.Since(began); resp.StatusCode != 200 || took > 15*time.Second {
				t.Errorf("%s: healthz meanwhile = %d in %v, want 200", row.name, resp.StatusCode, took)
			}
		}
		now, peak := memory(t, cmd.Process.Pid)
		t.Logf("%s on %d connections: %d MiB, at most %d MiB", row.name, len(held), now>>10, peak>>10)
		if peak > maxHostileRSS && !racing {
			t.Errorf("%s: the process took %d KiB, want at most %d", row.name, peak, maxHostileRSS)
		}
		for _, c := range held {
			c.Close()
		}
	}
}

// TestSlowClientsAreCutOff sends a byte now and then on both listeners: a head has five seconds in all.
func TestSlowClientsAreCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	_, all, journal := startBoth(t)
	var clients sync.WaitGroup
	for _, addr := range []string{all, journal} {
		clients.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			began := time.Now()
			fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
			for time.Since(began) < 40*time.Second {
				time.Sleep(250 * time.Millisecond)
				if _, err := c.Write([]byte("a")); err != nil {
					break
				}
			}
			if took := time.Since(began); took > 25*time.Second {
				t.Errorf("a head that comes byte by byte was read for %v, want 5s", took)
			}
		})
	}
	clients.Wait()
}
