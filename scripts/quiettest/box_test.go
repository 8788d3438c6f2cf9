package quiettest

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// box is one shiplog process and what was seen of it.
type box struct {
	name, dir string
	pid       int
	began     time.Time // when watch began

	files   string // of the data directory, before
	tracing string // what strace writes; empty: there is none
	tracer  *exec.Cmd

	// What watch found.
	wakes    int
	at       []time.Duration // of the wake-ups, since the beginning
	switches int
	cpu      time.Duration
	written  int
	wroteAt  []time.Duration
}

// program is the binary under test.
func program(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("SHIPLOG_BINARY")
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "shiplog")
		if out, err := exec.Command("go", "build", "-o", binary, "../..").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	return binary
}

// launch starts shiplog as systemd does, and ends it after the test.
func launch(t *testing.T, binary, name, dir string, args ...string) *box {
	t.Helper()
	cmd := exec.Command(binary, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Env = os.Environ()
	if every := setting(t, "SHIPLOG_WATCHDOG", time.Minute); every > 0 {
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+notifySocket(t), fmt.Sprintf("WATCHDOG_USEC=%d", every.Microseconds()))
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		err := cmd.Wait()
		if err != nil || t.Failed() {
			t.Logf("%s ended with %v and said:\n%s", name, err, said.String())
		}
	})
	return &box{name: name, dir: dir, pid: cmd.Process.Pid}
}

// notifySocket takes what is told to systemd.
func notifySocket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slq") // short: the path of a socket is at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		for b := make([]byte, 4096); ; {
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	}()
	return path
}

func waitForFile(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s is not there after 20 s", path)
		}
	}
}

// files tells sizes and times of all files under dir.
func files(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil {
			fmt.Fprintf(&b, "%s %d %s\n", strings.TrimPrefix(path, dir), info.Size(), info.ModTime().Format(time.RFC3339Nano))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// read lists the files and folders that were read since a time, as far as their file system keeps that.
func read(dir string, since time.Time) (names []string) {
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var st syscall.Stat_t
		if err == nil && syscall.Stat(path, &st) == nil && time.Unix(st.Atim.Unix()).After(since) {
			names = append(names, strings.TrimPrefix(path, dir))
		}
		return nil
	})
	return names
}

// watch counts wake-ups for so long.
func (b *box) watch(last time.Duration) {
	const every, together = 100 * time.Millisecond, time.Second
	began := time.Now()
	b.began = began
	first, cpu, written := b.slept(), b.used(), b.writtenBytes()
	before, ran, seen := first, -last, written
	tick := time.NewTicker(every)
	defer tick.Stop()
	for time.Since(began) < last {
		<-tick.C
		now := b.slept()
		if at := time.Since(began); now != before {
			if at-ran > together {
				b.wakes++
				b.at = append(b.at, at.Round(every))
			}
			before, ran = now, at
		}
		if w := b.writtenBytes(); w > seen {
			b.wroteAt, seen = append(b.wroteAt, time.Since(began).Round(every)), w
		}
	}
	b.switches, b.cpu, b.written = before-first, b.used()-cpu, b.writtenBytes()-written
}

// slept is how often threads of the process have gone to sleep.
func (b *box) slept() (n int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", b.pid)) // the pattern is a good one
	for _, path := range tasks {
		n += number(path, "voluntary_ctxt_switches:")
	}
	return n
}

func (b *box) writtenBytes() int { return number(fmt.Sprintf("/proc/%d/io", b.pid), "write_bytes:") }

// number is the number after name in a file of /proc; 0 when the thread has ended.
func number(path, name string) (n int) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			fmt.Sscan(value, &n)
		}
	}
	return n
}

// used is the processor time, in steps of the kernel's tick of 10 ms.
func (b *box) used() time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var user, system time.Duration
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return (user + system) * 10 * time.Millisecond
}

// writes are the calls that change a file or have it synced.
const writes = "write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,syncfs,msync,ftruncate,fallocate," +
	"mkdirat,unlinkat,renameat,renameat2,linkat,symlinkat,utimensat,copy_file_range,sendfile"

// trace has strace look at the calls, where there is one that may.
func (b *box) trace(t *testing.T) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Logf("strace is not installed: the calls of %s are not looked at", b.name)
		return
	}
	path := filepath.Join(t.TempDir(), "calls")
	b.tracer = exec.Command(strace, "-f", "-y", "-qq", "-e", "trace="+writes, "-e", "signal=none", "-o", path, "-p", fmt.Sprint(b.pid))
	var said bytes.Buffer
	b.tracer.Stderr = &said
	if err := b.tracer.Start(); err != nil {
		t.Fatal(err)
	}
	tracer := b.tracer
	t.Cleanup(func() { _ = tracer.Process.Kill() })
	for end := time.Now().Add(10 * time.Second); number(fmt.Sprintf("/proc/%d/status", b.pid), "TracerPid:") == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Logf("strace may not look at %s: %s", b.name, said.String())
			return
		}
	}
	b.tracing = path
}

// notFile is a write to something that is no file: sockets, pipes, the eventfd by which Go wakes its own poller.
var notFile = regexp.MustCompile(`write[v0-9a-z]*\(\d+<(socket|pipe|anon_inode|UNIX|TCP|/dev/)`)

// calls ends strace and lists what it saw.
func (b *box) calls(t *testing.T) (calls []string) {
	t.Helper()
	if b.tracer == nil {
		return nil
	}
	_ = b.tracer.Process.Signal(os.Interrupt)
	_ = b.tracer.Wait() // the status is that of the interrupt
	if b.tracing == "" {
		return nil
	}
	text, err := os.ReadFile(b.tracing)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "(") && !notFile.MatchString(line) && !strings.Contains(line, "resumed>") {
			calls = append(calls, strings.TrimSpace(line))
		}
	}
	return calls
}
