package torturetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	token    = "torture-token"
	password = "torture-password"
	v2       = "/container-station/api/v1"
)

// startWithin bounds how long a start may take, on a machine with other things to do.
const startWithin = 30 * time.Second

// box is a data directory and the shiplog that runs on it.
type box struct {
	binary string
	dir    string // of the data
	etc    string // what is not on the disk that is tortured
	args   []string
	packed int // compressed segments read so far

	cmd  *exec.Cmd
	url  string
	said bytes.Buffer
}

// program is the binary under test: one in a hurry, unless another one is asked for.
func program(t *testing.T) string {
	t.Helper()
	if binary := os.Getenv("SHIPLOG_BINARY"); binary != "" {
		return binary
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s := &soil{root: root, dir: t.TempDir()}
	s.overlay(t, hurry)
	binary := filepath.Join(s.dir, "shiplog")
	if out, err := exec.Command("go", "build", "-overlay", s.file, "-o", binary, "../..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// newBox makes the accounts of the clients in a data directory that is empty.
func newBox(t *testing.T, dir string, args ...string) *box {
	t.Helper()
	b := &box{binary: program(t), dir: dir, etc: t.TempDir(), args: args}
	accounts := filepath.Join(b.etc, "accounts.json")
	text := `{"tokens": [{"token": "` + token + `", "user": "torture", "project": "p", "roles": ["admin"], "scopes": []}]}`
	for name, text := range map[string]string{accounts: text, filepath.Join(b.etc, "password"): password + "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := b.command("account", "apply", "--data", dir, accounts).CombinedOutput(); err != nil {
		t.Fatalf("shiplog account apply: %v\n%s", err, out)
	}
	return b
}

func (b *box) command(args ...string) *exec.Cmd {
	cmd := exec.Command(b.binary, args...)
	cmd.Env = append(os.Environ(), "SHIPLOG_CONFIG=none")
	return cmd
}

// start starts shiplog and returns when it is ready; the test ends it if nothing else did.
func (b *box) start(t *testing.T) {
	t.Helper()
	b.launch(t)
	b.ready(t)
}

// ready waits until it says that it can write.
func (b *box) ready(t *testing.T) {
	t.Helper()
	b.await(t, "/readyz is not 200", func() bool {
		status, _ := b.get("/readyz")
		return status == http.StatusOK
	})
}

// launch starts shiplog and returns when it listens.
func (b *box) launch(t *testing.T) {
	t.Helper()
	args := append([]string{"run", "--data", b.dir, "--docker", "none", "--incus", "none", "--listen", "127.0.0.1:0",
		"--log-level", "warn", "--admin-password-file", filepath.Join(b.etc, "password")}, b.args...)
	cmd := b.command(args...)
	b.said.Reset()
	cmd.Stderr = &b.said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	b.cmd = cmd
	t.Cleanup(func() { // before a disk that it holds is unmounted
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	found := false
	if lines.Scan() {
		b.url, found = strings.CutPrefix(lines.Text(), "listening on ")
	}
	if !found {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("shiplog run does not start: %q\n%s", lines.Text(), &b.said)
	}
	go func() {
		for lines.Scan() { // so that it never waits for its reader
		}
	}()
}

// kill ends the process by SIGKILL, and returns when it is gone.
func (b *box) kill(t *testing.T) {
	t.Helper()
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatalf("shiplog had ended before it was killed: %v\n%s", err, &b.said)
	}
	_ = b.cmd.Wait() // it was killed
}

// await waits for something that must come.
func (b *box) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(startWithin); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			_ = b.cmd.Process.Kill()
			_ = b.cmd.Wait()
			t.Fatalf("%s after %v\n%s", what, startWithin, &b.said)
		}
	}
}

// get asks as the journal's client.
func (b *box) get(path string) (int, []byte) {
	req, err := http.NewRequest(http.MethodGet, b.url+path, nil)
	if err != nil {
		return 0, nil
	}
	req.Header.Set("X-Auth-Token", token)
	client := &http.Client{Timeout: answerWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	status, body, err := do(client, req)
	if err != nil {
		return 0, nil
	}
	return status, body
}

// record is one line of the files.
type record struct {
	Seq         uint64
	Action, Msg string
	Obj         struct{ Type string }
}

// text is the part of a message that the ledger made up; empty in records of shiplog's own.
func (r record) text() string {
	text, _, ok := strings.Cut(r.Msg, "x")
	if !ok || !strings.HasPrefix(text, "torture ") {
		return ""
	}
	return text
}

// records reads the segments as cat and jq would, without any of shiplog's code. Each line has to be whole.
func (b *box) records(t *testing.T) []record {
	t.Helper()
	return b.recordsOf(t, false)
}

// recordsOf does so, and with growing leaves out a last line of the log that is not whole yet.
func (b *box) recordsOf(t *testing.T, growing bool) (all []record) {
	t.Helper()
	names := b.segments(t)
	for i, name := range names {
		text := b.plain(t, name) // nothing when it was removed by rule just now
		n := 0
		for line := range bytes.Lines(text) {
			n++
			if growing && i == len(names)-1 && line[len(line)-1] != '\n' {
				break
			}
			var r record
			if err := json.Unmarshal(line, &r); err != nil || line[len(line)-1] != '\n' {
				t.Fatalf("%s line %d is no record: %v\n%.300q", filepath.Base(name), n, err, line)
			}
			all = append(all, r)
		}
	}
	return all
}

// verify holds that no damage is found. While it runs, and after a kill, not everything can be judged: that is true.
func (b *box) verify(t *testing.T) {
	t.Helper()
	out, err := b.command("verify", "--data", b.dir, "-o", "json").Output()
	var report struct {
		Result   string
		Segments int
		Findings []struct{ Word, Severity, Text string }
	}
	if jerr := json.Unmarshal(out, &report); jerr != nil {
		t.Fatalf("shiplog verify: %v, %v\n%s", err, jerr, out)
	}
	if report.Result != "ok" && report.Result != "unknown" {
		t.Fatalf("shiplog verify finds damage: %s", out)
	}
}

// counts holds that the index and the files agree on how many records the journal has.
func (b *box) counts(t *testing.T) {
	t.Helper()
	var says string
	b.await(t, "the journal's count is not that of the files", func() bool {
		n := 0
		for _, r := range b.records(t) {
			if r.Obj.Type == "torture" {
				n++
			}
		}
		_, body := b.get("/v1/journal/count?object_type=torture")
		says = string(body)
		return says == fmt.Sprintf("{\"count\":%d}\n", n)
	})
}
