package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// copiers make a copy of a directory that does not exist yet. The status says that files came and went meanwhile,
// as those of an index under way do; the copy is as good.
var copiers = []struct {
	name   string
	line   string // $1 is copied to $2
	status int
}{
	{"cp", `cp -a "$1" "$2"`, 1},
	{"tar", `mkdir "$2" && { tar -C "$1" -cf - . ; echo $? >"$2.status"; } | tar -C "$2" -xf - && exit "$(cat "$2.status")"`, 1},
	{"rsync", `rsync -a "$1"/ "$2"`, 24},
}

// copyTree makes a copy; false: the program is not installed.
func copyTree(t *testing.T, copier int, from, to string) bool {
	t.Helper()
	c := copiers[copier]
	if _, err := exec.LookPath(c.name); err != nil {
		return false
	}
	out, err := exec.Command("sh", "-c", c.line, "sh", from, to).CombinedOutput()
	if exit, failed := err.(*exec.ExitError); failed && exit.ExitCode() == c.status {
		t.Logf("%s: exit status %d, as when files change meanwhile: %s", c.name, c.status, out)
	} else if err != nil {
		t.Fatalf("%s: %v\n%s", c.name, err, out)
	}
	return true
}

// snapshot is what was acknowledged up to now.
func (l *ledger) snapshot() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.records)
}

// backup is one copy and what had been acknowledged before it began.
type backup struct {
	name, dir    string
	acknowledged map[string]uint64
}

// TestBackupWhileClientsWrite copies a directory again and again while clients write and clear.
func TestBackupWhileClientsWrite(t *testing.T) {
	dir := t.TempDir()
	must(t, "secret\n", "user", "add", "--data", dir, "--admin", "admin")
	for i := range 40 { // several sealed segments, so that the index is under way too
		must(t, "", "record", "--data", dir, "--category", "test", "--message", fmt.Sprintf("old record %d", i))
		if i%10 == 9 {
			must(t, "", "seal", "--data", dir)
		}
	}
	cmd, _ := startProcess(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
	waitFor(t, filepath.Join(dir, "agent.sock"))
	l := &ledger{records: map[string]uint64{}}
	var clients sync.WaitGroup
	ended := make(chan struct{})
	for w := range 3 {
		clients.Go(func() { l.record(t, dir, fmt.Sprintf("writer %d", w), ended) })
	}
	var all []backup
	parent := t.TempDir()
	for round := range 3 {
		l.wait(20*(round+1), 0)
		for i, c := range copiers {
			b := backup{c.name, filepath.Join(parent, fmt.Sprintf("%s-%d", c.name, round)), l.snapshot()}
			if copyTree(t, i, dir, b.dir) {
				all = append(all, b)
			} else if round == 0 {
				t.Logf("%s is not installed: no copies of it are tried", c.name)
			}
		}
	}
	close(ended)
	clients.Wait()
	endProcess(t, cmd)
	original := linesOf(must(t, "", "export", "--data", dir, "-o", "jsonl"))
	for _, b := range all {
		t.Run(filepath.Base(b.dir), func(t *testing.T) { b.check(t, original) })
	}
}

// endProcess ends a server as a service manager does.
func endProcess(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v ended with %v, want exit status 0", cmd.Args, err)
	}
}

// linesOf counts each line.
func linesOf(text string) map[string]int {
	lines := map[string]int{}
	for line := range strings.Lines(text) {
		lines[line]++
	}
	return lines
}

// check reads a copy, serves it, and goes on with it.
func (b backup) check(t *testing.T, original map[string]int) {
	before := b.holds(t, original)
	out := must(t, "", "query", "--data", b.dir, "-n", "10000", "-o", "jsonl")
	if n := strings.Count(out, "\n"); n != before {
		t.Errorf("query of the copy = %d lines, export %d", n, before)
	}
	cmd, url := startProcess(t, "serve", "--data", b.dir)
	if n := served(t, url); n == 0 {
		t.Error("serve of the copy answers no line, want those of the copy")
	}
	endProcess(t, cmd)

	cmd, url = startProcess(t, "run", "--data", b.dir, "--docker", "none", "--incus", "none")
	waitForAgent(t, b.dir)
	last := lastSeq(t, b.dir)
	if seq := recorded(t, b.dir, "goes on"); seq <= last {
		t.Errorf("a record of the copy that goes on = %d, want more than %d", seq, last)
	}
	if n := served(t, url); n == 0 {
		t.Error("run on the copy answers no line, want those of the copy")
	}
	endProcess(t, cmd)
	b.holds(t, nil)
}

// holds wants every acknowledged record in the copy, none twice, and, of original, no line that it has not. It
// returns how many records the copy holds.
func (b backup) holds(t *testing.T, original map[string]int) int {
	t.Helper()
	lines := linesOf(must(t, "", "export", "--data", b.dir, "-o", "jsonl"))
	seqs := map[uint64]int{}
	found := map[string]uint64{}
	for line, times := range lines {
		var r struct {
			Seq uint64
			Msg string
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("the copy holds %q: %v", line, err)
		}
		if seqs[r.Seq] += times; seqs[r.Seq] > 1 {
			t.Errorf("the copy holds record %d %d times, want once", r.Seq, seqs[r.Seq])
		}
		if original != nil && original[line] != 1 {
			t.Errorf("the copy holds %swhich is %d times in the original, want once", line, original[line])
		}
		found[r.Msg] = r.Seq
	}
	for msg, seq := range b.acknowledged {
		if found[msg] != seq {
			t.Errorf("%q, acknowledged as %d before the copy began, is record %d of the copy", msg, seq, found[msg])
		}
	}
	return len(lines)
}

// waitForAgent waits until the agent of a copy answers: a copied socket is there from the start.
func waitForAgent(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("unix", filepath.Join(dir, "agent.sock"))
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the agent of %s: %v after 20 s", dir, err)
		}
	}
}

// served logs in and returns how many lines the API shows.
func served(t *testing.T, url string) int {
	t.Helper()
	return len(apiMessages(t, url))
}

// apiMessages logs in with the account of the copied directory and lists the log, newest first.
func apiMessages(t *testing.T, url string) (messages []string) {
	t.Helper()
	resp, err := loggedIn(t, url).Get(url + v2 + "/log?limit=1000")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	var lines []struct{ Message string }
	if err == nil {
		err = json.Unmarshal(body, &lines)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET /log of the copy = %s %s, %v; want the log", resp.Status, body, err)
	}
	for _, l := range lines {
		messages = append(messages, l.Message)
	}
	return messages
}

var seqOf = regexp.MustCompile(`"seq":(\d+)`)

func lastSeq(t *testing.T, dir string) (last uint64) {
	t.Helper()
	for _, m := range seqOf.FindAllStringSubmatch(must(t, "", "export", "--data", dir, "-o", "jsonl"), -1) {
		var n uint64
		fmt.Sscan(m[1], &n)
		last = max(last, n)
	}
	return last
}

// recorded writes one record and returns its number.
func recorded(t *testing.T, dir, message string) (seq uint64) {
	t.Helper()
	out := must(t, "", "record", "--data", dir, "--category", "test", "--message", message)
	fmt.Sscan(strings.Trim(out, "{\"seq:}\n"), &seq)
	return seq
}

// indexed waits until a running shiplog has written an index of each sealed segment.
func indexed(t *testing.T, url string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		scan, pending := bufio.NewScanner(resp.Body), ""
		for scan.Scan() {
			if value, ok := strings.CutPrefix(scan.Text(), "shiplog_index_segments_pending "); ok {
				pending = value
			}
		}
		resp.Body.Close()
		if pending == "0" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after 30 s %s segments have no index", pending)
		}
	}
}

// grow adds n records to dir, seals them and lets the index be written.
func grow(t *testing.T, dir, name string, n int) {
	t.Helper()
	for i := range n {
		must(t, "", "record", "--data", dir, "--category", "test", "--message", fmt.Sprintf("%s %d", name, i))
	}
	must(t, "", "seal", "--data", dir)
	cmd, url := startProcess(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
	waitFor(t, filepath.Join(dir, "agent.sock"))
	indexed(t, url)
	endProcess(t, cmd)
	if files, err := os.ReadDir(filepath.Join(dir, "index")); err != nil || len(files) == 0 {
		t.Fatalf("the index of %s has no files (%v); the test tests nothing", dir, err)
	}
}

// restore puts a log and its accounts into a new place, with the index of another directory; "": none.
func restore(t *testing.T, log, index string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	copyTree(t, 0, log, dir)
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	if index != "" {
		copyTree(t, 0, filepath.Join(index, "index"), filepath.Join(dir, "index"))
	}
	return dir
}

// TestRestoreWithAnyIndex puts a copy back whose index is not that of the log.
func TestRestoreWithAnyIndex(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	must(t, "secret\n", "user", "add", "--data", dir, "--admin", "admin")
	grow(t, dir, "first", 12)
	older := filepath.Join(t.TempDir(), "older")
	copyTree(t, 0, dir, older)
	grow(t, dir, "second", 12)
	grow(t, other, "stranger", 12)
	grow(t, other, "stranger again", 12)
	for _, test := range []struct{ name, log, index string }{
		{"the index is missing", dir, ""},
		{"the index is that of the log", dir, dir},
		{"the index is older than the log", dir, older},
		{"the index is newer than the log", older, dir},
		{"the index is that of another log", dir, other},
	} {
		t.Run(test.name, func(t *testing.T) {
			restored := restore(t, test.log, test.index)
			want := must(t, "", "export", "--data", test.log, "--stream", "log", "--category", "test", "-o", "jsonl")
			cmd, url := startProcess(t, "run", "--data", restored, "--docker", "none", "--incus", "none")
			waitForAgent(t, restored)
			messages := apiMessages(t, url) // as a user of the restored accounts
			for _, m := range regexp.MustCompile(`"msg":"([^"]*)"`).FindAllStringSubmatch(want, -1) {
				if n := count(messages, m[1]); n != 1 {
					t.Errorf("GET /log has %q %d times, want once", m[1], n)
				}
			}
			if strings.Contains(fmt.Sprint(messages), "stranger") {
				t.Errorf("GET /log = %q, with records that are not in the log", messages)
			}
			last := lastSeq(t, restored)
			if seq := recorded(t, restored, "goes on"); seq <= last || last < 12 {
				t.Errorf("the next record = %d after %d, want a greater number", seq, last)
			}
			endProcess(t, cmd)
		})
	}
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// TestHardLinkCopyIsNoBackup shows why README warns of cp -al: the newest segment goes on growing in both.
func TestHardLinkCopyIsNoBackup(t *testing.T) {
	dir, linked := t.TempDir(), filepath.Join(t.TempDir(), "linked")
	recorded(t, dir, "before")
	if out, err := exec.Command("cp", "-al", dir, linked).CombinedOutput(); err != nil {
		t.Skipf("cp -al: %v: %s", err, out)
	}
	recorded(t, dir, "after")
	if out := must(t, "", "query", "--data", linked); !strings.Contains(out, "after") {
		t.Errorf("query of a hard-link copy = %s, want also what was written after it; README warns of that", out)
	}
	// Writing to both would mix two logs in one file.
	cmd, _ := startProcess(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
	waitFor(t, filepath.Join(dir, "agent.sock"))
	out, errs, status := shiplog(t, "", "seal", "--data", linked)
	t.Logf("seal of the hard-link copy beside a running original: exit %d %s%s", status, out, errs)
	if status == exitOK {
		t.Error("a hard-link copy could be written while the original runs, want the lock to keep it out")
	}
	endProcess(t, cmd)
}
