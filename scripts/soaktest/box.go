package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	api      = "/container-station/api/v1"
	accounts = `{"qnap_users":[{"name":"admin","password":"soak-password","admin":true}],
"tokens":[{"token":"soak-token","user":"admin","project":"default","roles":["admin"],"scopes":["super:user"]}]}`
)

// box is the program under test as a process, and a client that is logged in.
type box struct {
	cmd    *exec.Cmd
	data   string
	url    string
	client *http.Client
	group  string // directory of its control group; "": none
	limit  int    // MiB
	peak   int    // KiB of resident memory, as watch saw it
}

// startBox starts the program in its bounds.
func (s *soak) startBox() (*box, error) {
	b := &box{data: filepath.Join(s.dir, "data"), limit: s.memory}
	file := filepath.Join(s.dir, "accounts.json")
	if err := os.WriteFile(file, []byte(accounts), 0o600); err != nil {
		return nil, err
	}
	if out, err := exec.Command(s.binary, "account", "apply", "--data", b.data, file).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("account apply: %w: %s", err, out)
	}
	args := []string{s.binary, "run", "--data", b.data, "--listen", "127.0.0.1:0", "--incus", "none", "--docker", "unix://" + filepath.Join(s.dir, "docker.sock")}
	if err := b.makeGroup(); err != nil {
		row("memory", "no control group (%v): GOMEMLIMIT and the resident memory are what holds", err)
		b.cmd = exec.Command(args[0], args[1:]...)
		b.cmd.Env = append(os.Environ(), fmt.Sprintf("GOMEMLIMIT=%dMiB", s.memory*9/10))
	} else { // the shell joins the group and becomes the program
		b.cmd = exec.Command("sh", append([]string{"-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, b.group}, args...)...)
	}
	b.cmd.Stderr = os.Stderr
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		b.kill()
		return nil, fmt.Errorf("first line %q (%v), want listening on URL", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	jar, _ := cookiejar.New(nil) // without options it never fails
	b.url, b.client = url, &http.Client{Jar: jar, Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	resp, err := b.client.Post(url+api+"/login", "application/json", strings.NewReader(`{"username":"admin","password":"soak-password"}`))
	if err != nil {
		b.kill()
		return nil, err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.kill()
		return nil, fmt.Errorf("login = %d", resp.StatusCode)
	}
	return b, nil
}

// makeGroup makes a control group with the limit, of version 1 or 2.
func (b *box) makeGroup() error {
	name := fmt.Sprintf("shiplog-soak.%d", os.Getpid())
	for _, v := range []struct{ dir, file string }{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		if _, err := os.Stat(filepath.Join(v.dir, "cgroup.procs")); err != nil {
			continue
		}
		dir := filepath.Join(v.dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, v.file), []byte(strconv.Itoa(b.limit<<20)), 0o644); err != nil {
			return fmt.Errorf("%w%v", err, os.Remove(dir))
		}
		b.group = dir
		return nil
	}
	return fmt.Errorf("there is none for memory")
}

// watch notes the most resident memory until ctx ends.
func (b *box) watch(ctx context.Context) {
	for ctx.Err() == nil {
		b.peak = max(b.peak, b.status("VmRSS:"))
		time.Sleep(200 * time.Millisecond)
	}
}

// status is a figure of the process, in KiB; 0: it cannot be had.
func (b *box) status(name string) (kib int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			_, _ = fmt.Sscan(rest, &kib)
		}
	}
	return kib
}

// report prints what the process used.
func (b *box) report() {
	row("resident memory", "at most %d MiB, now %d MiB, limit %d MiB", max(b.peak, b.status("VmHWM:"))>>10, b.status("VmRSS:")>>10, b.limit)
	for _, file := range []string{"memory.failcnt", "memory.oom_control", "memory.events"} {
		if text, err := os.ReadFile(filepath.Join(b.group, file)); err == nil && b.group != "" {
			row(file, "%s", strings.Join(strings.Fields(string(text)), " "))
		}
	}
}

// settle waits until the log has at least as many records as there were events, and grows no more.
func (b *box) settle(events int) error {
	last, since := 0, time.Now()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		n, err := b.lastSeq()
		if err != nil {
			return fmt.Errorf("the server is gone: %w", err)
		}
		if n != last {
			last, since = n, time.Now()
		}
		if last >= events && time.Since(since) > 3*time.Second {
			return nil
		}
	}
	return fmt.Errorf("the log has %d records a minute after the last of %d events was reported", last, events)
}

func (b *box) lastSeq() (int, error) {
	resp, err := b.client.Get(b.url + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "shiplog_last_seq "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return int(n), err
		}
	}
	return 0, err
}

// stop ends the process as a service manager does.
func (b *box) stop() error {
	defer b.removeGroup()
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	if err := b.cmd.Wait(); err != nil {
		return fmt.Errorf("the process ended with %w", err)
	}
	return nil
}

func (b *box) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
	b.removeGroup()
}

func (b *box) removeGroup() {
	if b.group == "" {
		return
	}
	for range 50 { // until the kernel has let go of the process
		if err := os.Remove(b.group); err == nil || os.IsNotExist(err) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.group = ""
}
