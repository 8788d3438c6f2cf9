package boottest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// long is how long anything may take that a busy machine merely delays.
const long = time.Minute

// guest is a Debian booted by scripts/boot.sh in dir.
type guest struct {
	dir    string
	script string
	env    []string
}

// newGuest boots one, and takes it down at the end of the test. bind are directories to show in it.
func newGuest(t *testing.T, bind string) *guest {
	t.Helper()
	rootfs := os.Getenv("SHIPLOG_ROOTFS")
	script, err := filepath.Abs("../boot.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := os.Getenv("SHIPLOG_GUEST") // scripts/test takes it down when this process cannot
	if dir == "" {
		if dir, err = os.MkdirTemp("", "shiplog-guest-"); err != nil {
			t.Fatal(err)
		}
	}
	g := &guest{dir: dir, script: script, env: append(os.Environ(), "BASE="+rootfs, "BIND="+bind, "QUIET=1")}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := g.try("journalctl --no-pager -n 300 -o short-precise -u 'shiplog*'")
			t.Logf("the guest's journal:\n%s", out)
		}
		g.boot(t, "down")
	})
	g.boot(t, "up")
	return g
}

// boot runs a verb of boot.sh, which must succeed.
func (g *guest) boot(t testing.TB, verb string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*long)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.script, append([]string{verb, g.dir}, args...)...)
	cmd.Env = g.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("boot.sh %s %s: %v\n%s", verb, strings.Join(args, " "), err, out)
	}
}

// try runs one line of shell as the guest's root and gives its output and exit status; -1: it did not end.
func (g *guest) try(line string) (string, int) {
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.script, "run", g.dir, "sh", "-c", "cd; "+line)
	cmd.Env = g.env
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil || ctx.Err() != nil {
		return string(out) + err.Error(), -1
	}
	return strings.TrimSpace(string(out)), cmd.ProcessState.ExitCode()
}

// do runs lines of shell that must succeed, and gives the output of the last.
func (g *guest) do(t testing.TB, lines ...string) string {
	t.Helper()
	var last string
	for _, line := range lines {
		out, rc := g.try(line)
		if rc != 0 {
			t.Fatalf("%s\nexit status %d, want 0; it said: %s", line, rc, out)
		}
		last = out
	}
	return last
}

// write makes a file in the guest.
func (g *guest) write(t testing.TB, path, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	g.boot(t, "copy", file, path)
}

// init is the guest's first process, seen from outside; "0" while there is none.
func (g *guest) init() string {
	text, err := os.ReadFile(filepath.Join(g.dir, ".guest/pid"))
	if fields := strings.Fields(string(text)); err == nil && len(fields) > 0 {
		return fields[0]
	}
	return "0"
}

// path is where a file of the guest is for this process.
func (g *guest) path(file string) string { return "/proc/" + g.init() + "/root" + file }

// dial connects from within the guest's network. It has the form of http.Transport's DialContext.
func (g *guest) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "unix" {
		return (&net.Dialer{}).DialContext(ctx, network, g.path(address))
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1) // 1: an answer that nobody waits for any more
	go func() {
		// Never unlocked: a thread that changed its network ends with this goroutine.
		runtime.LockOSThread()
		conn, err := dialIn("/proc/"+g.init()+"/ns/net", ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// dialIn moves this thread into a network namespace and connects there.
func dialIn(namespace string, ctx context.Context, network, address string) (net.Conn, error) {
	ns, err := os.Open(namespace)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter %s: %w", namespace, err)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// show reads one property of a unit.
func (g *guest) show(t testing.TB, unit, property string) string {
	t.Helper()
	return g.do(t, "systemctl show --value -p "+property+" "+unit)
}

// number reads a property that is one.
func (g *guest) number(t testing.TB, unit, property string) int {
	t.Helper()
	text := g.show(t, unit, property)
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s of %s = %q, want a number", property, unit, text)
	}
	return n
}

// journal is what a unit printed in its present life, without what systemd says of it.
func (g *guest) journal(t testing.TB, unit string) string {
	t.Helper()
	return g.do(t, "journalctl --sync; journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID="+g.show(t, unit, "InvocationID"))
}

// configure gives a unit a drop-in and restarts it; the lines are of its [Service] section.
func (g *guest) configure(t testing.TB, unit, lines string) {
	t.Helper()
	g.write(t, "/etc/systemd/system/"+unit+".d/boottest.conf", "[Service]\n"+lines+"\n")
	g.do(t, "systemctl daemon-reload", "systemctl restart "+unit)
}

// unconfigure takes the drop-in away again.
func (g *guest) unconfigure(t testing.TB, unit string) {
	t.Helper()
	g.do(t, "rm -r /etc/systemd/system/"+unit+".d", "systemctl daemon-reload", "systemctl restart "+unit)
}

// eventually waits until ok, at most a minute, and says what it waited for when that does not come.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(long); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v: %s", long, what)
		}
	}
}
