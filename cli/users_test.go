package cli

import (
	"bufio"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// Users and groups that no system has.
const (
	agentUser, serverUser, strangerUser = 61001, 61002, 61003
	sharedGroup, engineGroup            = 61010, 61011
)

// twoUsers is a box on which agent and server run as users of their own, who share a group.
type twoUsers struct {
	t                *testing.T
	dir, data, state string
	program, engine  string // the binary; the socket of an engine, of which the agent's user alone has the group
	agent, server    *syscall.Credential
	stranger         *syscall.Credential
}

func newTwoUsers(t *testing.T) *twoUsers {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of other users")
	}
	dir, err := os.MkdirTemp("", "shiplog-users-") // t.TempDir is in a folder that root alone may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	u := &twoUsers{t: t, dir: dir, data: filepath.Join(dir, "data"), state: filepath.Join(dir, "state"),
		program: filepath.Join(dir, "shiplog"), engine: filepath.Join(dir, "docker.sock"),
		agent:    &syscall.Credential{Uid: agentUser, Gid: sharedGroup, Groups: []uint32{engineGroup}},
		server:   &syscall.Credential{Uid: serverUser, Gid: serverUser, Groups: []uint32{sharedGroup}},
		stranger: &syscall.Credential{Uid: strangerUser, Gid: strangerUser},
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	u.must(os.WriteFile(u.program, b, 0o755))
	u.must(os.Chmod(dir, 0o711))
	u.own(u.data, agentUser, sharedGroup, 0o750)
	u.own(u.state, serverUser, serverUser, 0o700)
	ln, err := net.Listen("unix", u.engine)
	u.must(err)
	t.Cleanup(func() { ln.Close() })
	go func() { // an engine that says nothing: the test is about who may open its socket
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	u.must(os.Chown(u.engine, 0, engineGroup))
	u.must(os.Chmod(u.engine, 0o660))
	if out, err := u.command(u.stranger, "true").CombinedOutput(); err != nil {
		t.Skipf("this root may not start processes of other users: %v %s", err, out)
	}
	return u
}

func (u *twoUsers) must(err error) {
	u.t.Helper()
	if err != nil {
		u.t.Fatal(err)
	}
}

// own makes a directory of a user.
func (u *twoUsers) own(dir string, uid, gid int, mode fs.FileMode) {
	u.t.Helper()
	u.must(os.Mkdir(dir, mode))
	u.must(os.Chown(dir, uid, gid))
	u.must(os.Chmod(dir, mode))
}

// command is one of the user who; "shiplog" is this program.
func (u *twoUsers) command(who *syscall.Credential, name string, args ...string) *exec.Cmd {
	if name == "shiplog" {
		name = u.program
	}
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin"}
	return cmd
}

// start runs shiplog as who until the test ends and returns its first line.
func (u *twoUsers) start(who *syscall.Credential, args ...string) string {
	u.t.Helper()
	cmd := u.command(who, "shiplog", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	u.must(err)
	u.must(cmd.Start())
	u.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		u.t.Fatalf("shiplog %v: first line %q, %v", args, line, err)
	}
	return strings.TrimSpace(line)
}

// TestTwoUsers runs the two-process set-up as README.md says it: the server's user may read the log and talk to the
// agent, and nothing else.
func TestTwoUsers(t *testing.T) {
	u := newTwoUsers(t)
	socket := filepath.Join(u.data, "agent.sock")
	add := func(who *syscall.Credential, dir string) {
		cmd := u.command(who, "shiplog", "user", "add", "--data", dir, "--admin", "admin")
		cmd.Stdin = strings.NewReader("secret\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("user add --data %s: %v %s", dir, err, out)
		}
	}
	add(u.server, u.state)
	add(u.agent, u.data) // accounts of the agent's own, as after an update from one process
	// The server is first: there is no log yet.
	line := u.start(u.server, "serve", "--data", u.data, "--state", u.state, "--agent", socket, "--listen", "127.0.0.1:0")
	url := strings.TrimPrefix(line, "listening on ")
	u.start(u.agent, "agent", "--data", u.data, "--docker", u.engine, "--incus", "none")
	waitFor(t, socket)
	u.works(url)
	u.refuses(socket)
	u.modes()
}

// works wants all that the server does to work through the agent.
func (u *twoUsers) works(url string) {
	u.t.Helper()
	client := loggedIn(u.t, url)
	ask := func(method, path string, want int, contains string) {
		u.t.Helper()
		req, err := http.NewRequest(method, url+path, nil)
		u.must(err)
		resp, err := client.Do(req)
		u.must(err)
		defer resp.Body.Close()
		var b strings.Builder
		_, _ = bufio.NewReader(resp.Body).WriteTo(&b)
		if resp.StatusCode != want || !strings.Contains(b.String(), contains) {
			u.t.Errorf("%s %s = %d %s, want %d and %q", method, path, resp.StatusCode, b.String(), want, contains)
		}
	}
	ask("GET", "/readyz", 200, "")
	ask("GET", v2+"/log", 200, "")
	ask("GET", v2+"/container", 200, "[]")
	ask("GET", "/metrics", 200, "shiplog_agent_up 1")
	ask("GET", "/metrics", 200, "shiplog_writer_records_total")
	ask("DELETE", v2+"/log", 200, "records")
	u.allowed(u.server, "health", "--url", url)
	u.allowed(u.server, "status", "--data", u.data, "--state", u.state)
	u.allowed(u.server, "record", "--data", u.data, "--category", "test", "--message", "of the group")
	ask("GET", v2+"/log", 200, "of the group")
	token := u.allowed(u.server, "token", "add", "--data", u.state, "--user", "admin", "--scope", "user:admin")
	req, err := http.NewRequest(http.MethodPost, url+"/api/v1/user/exportlogs", strings.NewReader("{}"))
	u.must(err)
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	u.must(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		u.t.Errorf("export = %d, want 201", resp.StatusCode)
	}
}

// allowed runs shiplog as who, which must succeed.
func (u *twoUsers) allowed(who *syscall.Credential, args ...string) string {
	u.t.Helper()
	cmd := u.command(who, "shiplog", args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		u.t.Errorf("user %d: shiplog %v: %v %s %s, want it to succeed", who.Uid, args, err, out, errs.String())
	}
	return string(out)
}

// refuses wants the system to keep users from what is not theirs. Each refusal stands beside what shows that the
// file is there and the command right.
func (u *twoUsers) refuses(socket string) {
	u.t.Helper()
	segment := filepath.Join(u.data, "log", fmt.Sprintf("%020d.jsonl", 1))
	for _, row := range []struct {
		what          string
		who           *syscall.Credential
		command       string
		mayTheOtherDo *syscall.Credential // nil: nobody tries
	}{
		{"the server writes into the log", u.server, "echo >>" + segment, nil},
		{"the server makes a file in the log", u.server, "echo >" + filepath.Join(u.data, "log", "x"), nil},
		{"the server takes a segment away", u.server, "rm -f " + segment, nil},
		{"the server makes a file in DATA", u.server, "echo >" + filepath.Join(u.data, "x"), nil},
		{"the server reads the agent's accounts", u.server, "cat " + filepath.Join(u.data, "accounts.json"), u.agent},
		{"the server closes a segment", u.server, u.program + " seal --data " + u.data, nil},
		{"the server opens the engine's socket", u.server, u.program + " health --live --socket " + u.engine + " 2>&1 | grep -v 'permission denied'", u.agent},
		{"the agent reads the server's accounts", u.agent, "cat " + filepath.Join(u.state, "accounts.json"), u.server},
		{"a stranger reads the log", u.stranger, "cat " + segment, u.server},
		{"a stranger talks to the agent", u.stranger, u.program + " health --socket " + socket, u.server},
	} {
		if out, err := u.command(row.who, "sh", "-c", row.command).CombinedOutput(); err == nil {
			u.t.Errorf("%s: it may, want it refused: %s", row.what, out)
		}
		if row.mayTheOtherDo == nil {
			continue
		}
		if out, err := u.command(row.mayTheOtherDo, "sh", "-c", row.command).CombinedOutput(); err != nil {
			u.t.Errorf("%s: the one who may is refused too: %v %s", row.what, err, out)
		}
	}
}

// modes wants each file to be its owner's, and open to nobody who need not have it.
func (u *twoUsers) modes() {
	u.t.Helper()
	want := []struct {
		path     *regexp.Regexp
		mode     fs.FileMode
		uid, gid uint32
	}{
		{regexp.MustCompile(`^data$|^data/log$`), fs.ModeDir | 0o750, agentUser, sharedGroup},
		{regexp.MustCompile(`^data/agent\.sock$`), fs.ModeSocket | 0o660, agentUser, sharedGroup},
		{regexp.MustCompile(`^data/accounts\.json$`), 0o600, agentUser, sharedGroup},
		{regexp.MustCompile(`^data/(lock|log/\d{20}\.jsonl|log/checkpoint)$`), 0o640, agentUser, sharedGroup},
		{regexp.MustCompile(`^data/keys$`), fs.ModeDir | 0o700, agentUser, sharedGroup},
		{regexp.MustCompile(`^data/keys/seal-000000\.key$`), 0o600, agentUser, sharedGroup},
		{regexp.MustCompile(`^state$|^state/(keys|exports)$`), fs.ModeDir | 0o700, serverUser, serverUser},
		{regexp.MustCompile(`^state/index$`), fs.ModeDir | 0o750, serverUser, serverUser},
		{regexp.MustCompile(`^state/(exports/lock|server\.json)$`), 0o640, serverUser, serverUser},
		{regexp.MustCompile(`^state/(accounts\.json|keys/[^/]+|exports/[^/]+)$`), 0o600, serverUser, serverUser},
	}
	seen := make([]int, len(want))
	for _, root := range []string{u.data, u.state} {
		u.must(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			fi, err := d.Info()
			if err != nil {
				return nil // an export that is being written
			}
			rel, _ := filepath.Rel(u.dir, path)
			st := fi.Sys().(*syscall.Stat_t)
			for i, w := range want {
				if w.path.MatchString(rel) {
					if seen[i]++; fi.Mode() != w.mode || st.Uid != w.uid || st.Gid != w.gid {
						u.t.Errorf("%s is %v of %d:%d, want %v of %d:%d", rel, fi.Mode(), st.Uid, st.Gid, w.mode, w.uid, w.gid)
					}
					return nil
				}
			}
			u.t.Errorf("%s (%v) is a file that nobody expects", rel, fi.Mode())
			return nil
		}))
	}
	for i, n := range seen {
		if n == 0 {
			u.t.Errorf("there is no file %v", want[i].path)
		}
	}
}
