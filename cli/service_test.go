package cli

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager is the end of a service manager that hears how a service is.
type manager struct {
	conn *net.UnixConn
	path string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{path: filepath.Join(dir, "notify")}
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.conn.Close()
		os.RemoveAll(dir)
	})
	return m
}

// hear returns the next message, or "" when there was none within limit.
func (m *manager) hear(t *testing.T, limit time.Duration) string {
	t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := m.conn.Read(b)
	if os.IsTimeout(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// want reads messages until one holds the line want, and returns it; those before may be anything but not.
func (m *manager) want(t *testing.T, want, not string) string {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); {
		msg := m.hear(t, time.Until(until))
		if strings.Contains("\n"+msg, "\n"+want) {
			return msg
		}
		if not != "" && strings.Contains(msg, not) {
			t.Fatalf("the manager heard %q before %q", msg, want)
		}
	}
	t.Fatalf("the manager did not hear %q", want)
	return ""
}

// startService starts a command as a service manager does, and waits for its first line.
func startService(t *testing.T, m *manager, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("shiplog", args...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.path)
	cmd.Env = append(cmd.Env, env...)
	startCommand(t, cmd)
	return cmd
}

func TestServicesTellHowTheyAre(t *testing.T) {
	for _, c := range []struct{ kind, status string }{
		{"run --docker none --incus none --listen 127.0.0.1:0", "STATUS=no engine, 1 record, ready"},
		{"agent --docker none --incus none", "STATUS=no engine, 1 record, ready"},
		{"serve --listen 127.0.0.1:0", "STATUS=1 record, ready"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			must(t, "", "record", "--data", dir, "--category", "test", "--message", "first")
			m := newManager(t)
			// A ping each two seconds.
			cmd := startService(t, m, []string{"WATCHDOG_USEC=4000000"}, append(strings.Fields(c.kind), "--data", dir)...)
			m.want(t, "READY=1", "WATCHDOG=1")
			if kind, _, _ := strings.Cut(c.kind, " "); kind != "serve" {
				if _, err := os.Stat(filepath.Join(dir, "agent.sock")); err != nil {
					t.Errorf("ready without its socket: %v", err)
				}
			}
			m.want(t, c.status, "WATCHDOG=1")
			m.want(t, "WATCHDOG=1", "STATUS=")
			m.want(t, "WATCHDOG=1", "STATUS=") // nothing has changed: no other status
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			m.want(t, "STOPPING=1", "")
			if err := cmd.Wait(); err != nil {
				t.Errorf("ended with %v, want exit status 0", err)
			}
		})
	}
}

// passed starts a command that inherits ln under a name as systemd hands sockets over. The shell says whose they
// are: its process is the command's.
func passed(t *testing.T, name string, ln *net.TCPListener, args ...string) *exec.Cmd {
	t.Helper()
	f, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	cmd := exec.Command("sh", append([]string{"-c", `export LISTEN_PID=$$; exec shiplog "$@"`, "sh"}, args...)...)
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES="+name)
	cmd.ExtraFiles = []*os.File{f}
	return cmd
}

// TestSocketIsHandedOver exchanges a server whose socket the manager holds: who connects meanwhile waits, and is
// served by the next.
func TestSocketIsHandedOver(t *testing.T) {
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dir := t.TempDir()
	var between net.Conn
	for round := range 2 {
		cmd := passed(t, "http", ln, "run", "--data", dir, "--docker", "none", "--incus", "none", "--listen", "127.0.0.1:1")
		var errs strings.Builder
		cmd.Stderr = &errs
		if line, want := startCommand(t, cmd), "listening on http://"+ln.Addr().String(); line != want {
			t.Fatalf("round %d: first line = %q, want %q; %s", round, line, want, errs.String())
		}
		if round == 0 {
			between = connect(t, ln)
		}
		answered(t, between)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("round %d: ended with %v, want exit status 0", round, err)
		}
		if !strings.Contains(errs.String(), "--listen is ignored") {
			t.Errorf("round %d: standard error = %q, want that --listen is ignored", round, errs.String())
		}
		between = connect(t, ln) // nobody accepts now
	}
}

func connect(t *testing.T, ln *net.TCPListener) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// answered sends a request on conn and wants an answer.
func answered(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
		t.Errorf("GET /healthz = %q, %v; want 200", line, err)
	}
}

func TestSocketOfAnotherNameIsRefused(t *testing.T) {
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cmd := passed(t, "web", ln, "run", "--data", t.TempDir(), "--docker", "none", "--incus", "none", "--listen", "127.0.0.1:0")
	ended := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer ended.Stop()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), `FileDescriptorName=http`) {
		t.Errorf("run with a socket named web = %v, %q; want an error that names FileDescriptorName=http", err, out)
	}
}
