package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"shiplog/format"
)

const (
	roundsEnv = "SHIPLOG_TEST_DAMAGE" // how often each mutation happens, each time in another place; default 1
	peakEnv   = "SHIPLOG_TEST_PEAK"   // file for the memory that a process of the tests needed, in KiB

	commandPatience = 60 * time.Second // far more than any takes: what waits for a pipe would wait for ever
	maxPeak         = 256 << 10        // KiB; of it 64 MiB are for a password, and some 40 for the tests' own code
)

var peakLine = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that a process had, in KiB; 0 when that cannot be told.
func peak(pid string) int {
	b, _ := os.ReadFile(filepath.Join("/proc", pid, "status"))
	m := peakLine.FindSubmatch(b)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// notePeak writes what this process needed where the test that started it looks.
func notePeak() {
	if file := os.Getenv(peakEnv); file != "" {
		_ = os.WriteFile(file, []byte(strconv.Itoa(peak("self"))), 0o600)
	}
}

// corpus is what all mutations begin with: a log of some segments with their indexes, accounts and keys.
type corpus struct {
	dir      string
	written  map[uint64]string // lines by number
	accounts []byte            // the file
}

func newCorpus(t *testing.T) *corpus {
	t.Helper()
	c := &corpus{dir: t.TempDir(), written: map[uint64]string{}}
	w, err := format.Open(c.dir, format.Options{SegmentBytes: 24 << 10, KeepFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	words := []string{"nextcloud", "Größe \"x\\y\"", "paperless", "\x1b[31mred\u2028", "日本語", "{\"a\":[1,2]}", "tab\tnul\x00"}
	for i := range 500 {
		r := &format.Record{Time: at.Add(time.Duration(i) * time.Second), Stream: format.StreamLog, Level: format.LevelInfo, Category: "container",
			Actor: format.Actor{Name: "admin", Type: "user"}, Msg: fmt.Sprintf("Start container %s%d %s", words[i%len(words)], i, strings.Repeat("z", i%90))}
		if i%3 == 0 {
			r.Stream, r.Eseq, r.Action, r.Msg = format.StreamEvent, format.NextEseq, "container.start", ""
			r.Data = []byte(fmt.Sprintf(`{"name":%q,"n":%d.50}`, words[i%2], i))
		}
		if err := w.Append(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	must(t, "secret\n", "user", "add", "--data", c.dir, "--admin", "admin")
	out := must(t, "", "query", "--data", c.dir, "-o", "jsonl")
	for line := range strings.Lines(out) {
		var r struct{ Seq uint64 }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		c.written[r.Seq] = strings.TrimSuffix(line, "\n")
	}
	server, url := startProcess(t, "run", "--data", c.dir, "--docker", "none", "--incus", "none")
	segments, _ := filepath.Glob(filepath.Join(c.dir, "log", "*.jsonl"))
	for range 3000 {
		shards, _ := filepath.Glob(filepath.Join(c.dir, "index", "0*", "*"))
		if len(shards) >= 3*(len(segments)-1) && len(segments) > 4 {
			if resp, err := http.Get(url + "/readyz"); err == nil {
				resp.Body.Close()
				_ = server.Process.Signal(syscall.SIGTERM)
				_ = server.Wait()
				if c.accounts, err = os.ReadFile(filepath.Join(c.dir, "accounts.json")); err != nil {
					t.Fatal(err)
				}
				return c
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d segments have no index after 30 s", len(segments))
	return nil
}

// TestDamage does to a data directory what happens to files, and asks every command for what is left: each intact
// record and no other, damage named, no panic, no more memory than ever.
func TestDamage(t *testing.T) {
	if racing {
		t.Skip("its processes are too large and slow under the race detector; without it all of them run")
	}
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv(roundsEnv)); err == nil {
		rounds = n
	}
	c := newCorpus(t)
	for _, m := range slices.Concat(blind(), textual(), whole(), spacious()) {
		for round := range rounds {
			t.Run(fmt.Sprintf("%s %d", m.name, round), func(t *testing.T) {
				t.Parallel()
				sum := uint64(round)
				for _, b := range []byte(m.name) {
					sum = sum*31 + uint64(b)
				}
				d := &damaged{t: t, r: rand.New(rand.NewPCG(sum, uint64(round))), dir: t.TempDir()}
				cloneTree(t, c.dir, d.dir)
				m.apply(d)
				c.ask(d)
			})
		}
	}
}

// ask puts the same question to all who can answer it.
func (c *corpus) ask(d *damaged) {
	t := d.t
	want := expect(d, c.written)
	out, said, status := d.run("query", "--data", d.dir, "-o", "jsonl")
	if status != exitOK {
		t.Errorf("query = exit %d %s, want 0", status, said)
	}
	for i, w := range want.check(out, said) {
		if i < 5 {
			t.Errorf("query: %s", w)
		}
	}
	if again, _, status := d.run("export", "--data", d.dir, "-o", "jsonl"); status != exitOK || again != out {
		t.Errorf("export = exit %d and %d bytes, want 0 and the %d of query", status, len(again), len(out))
	}
	c.verify(d)
	d.serve(out, c.accounts)
	c.append(d, out)
}

// run runs one command as a process and bounds its time and its memory.
func (d *damaged) run(args ...string) (stdout, stderr string, status int) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), commandPatience)
	defer cancel()
	file := filepath.Join(d.t.TempDir(), "peak")
	cmd := exec.CommandContext(ctx, "shiplog", args...)
	cmd.Env = append(os.Environ(), peakEnv+"="+file)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited || ctx.Err() != nil {
		d.t.Fatalf("%s: %v, %v", args[0], err, ctx.Err())
	}
	d.calm(args[0], errs.String())
	b, _ := os.ReadFile(file)
	if kib, _ := strconv.Atoi(string(b)); kib > maxPeak {
		d.t.Errorf("%s needed %d KiB, want %d at most", args[0], kib, maxPeak)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// calm looks for a panic in what a process said.
func (d *damaged) calm(who, said string) {
	d.t.Helper()
	for _, word := range []string{"panic", "goroutine ", "fatal error", "SIGSEGV", "SIGBUS"} {
		if strings.Contains(said, word) {
			d.t.Errorf("%s says %q: %.2000s", who, word, said)
		}
	}
}

// append writes a record to what is left: it gets a number of its own, and what could be read still can. Where nothing
// can be written, that has to be said.
func (c *corpus) append(d *damaged, before string) {
	t := d.t
	out, said, status := d.run("record", "--data", d.dir, "--category", "test", "--message", "after all that")
	if status != exitOK {
		if status != exitFailed || said == "" {
			t.Errorf("record = exit %d %q %s, want 0, or 1 and why", status, out, said)
		}
		return
	}
	seq, err := strconv.ParseUint(strings.Trim(out, "{\"seq:}\n"), 10, 64)
	if err != nil {
		t.Fatalf("record printed %q", out)
	}
	after, _, _ := d.run("query", "--data", d.dir, "-o", "jsonl")
	if got := strings.Count(after, fmt.Sprintf(`"seq":%d,`, seq)); got != 1 || strings.Contains(before, fmt.Sprintf(`{"v":1,"seq":%d,`, seq)) {
		t.Errorf("record was acknowledged as %d, which is there %d times now and %t before; want once and false", seq, got, strings.Contains(before, fmt.Sprintf(`{"v":1,"seq":%d,`, seq)))
	}
	for line := range strings.Lines(before) {
		if !strings.Contains(after, line) {
			t.Errorf("after a record was written, %.120q is not served any more", line)
			return
		}
	}
}

var idPattern = regexp.MustCompile(`(?m)^ *"id": (\d+),?$`)

// serve starts a server and holds its answers, with a text and without, to those of query.
func (d *damaged) serve(all string, accounts []byte) {
	t := d.t
	t.Helper()
	var errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), commandPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "shiplog", "serve", "--data", d.dir, "--listen", "127.0.0.1:0")
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 0, 4096)
	for buf := make([]byte, 512); bytes.Count(first, []byte("\n")) < 1; {
		n, err := out.Read(buf)
		if first = append(first, buf[:n]...); err != nil {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	line, _, _ := strings.Cut(string(first), "\n")
	url, ok := strings.CutPrefix(line, "listening on ")
	if ok {
		d.answers(url, all, accounts)
		if kib := peak(strconv.Itoa(cmd.Process.Pid)); kib > maxPeak {
			t.Errorf("serve needed %d KiB, want %d at most", kib, maxPeak)
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	err = cmd.Wait()
	d.calm("serve", errs.String())
	switch {
	case ctx.Err() != nil:
		t.Errorf("serve did not end within %s: %s", commandPatience, errs.String())
	case ok && err != nil:
		t.Errorf("serve ended with %v: %s", err, errs.String())
	case !ok && !strings.Contains(errs.String(), "accounts") && !strings.Contains(errs.String(), "key"):
		t.Errorf("serve does not begin: %v, %s; want that only of accounts or keys", err, errs.String())
	}
}

// answers asks a server for its log and for texts in it.
func (d *damaged) answers(url, all string, accounts []byte) {
	jar, _ := cookiejar.New(nil) // without options it never fails
	client := &http.Client{Jar: jar, Timeout: commandPatience}
	resp, err := client.PostForm(url+v2+"/login", neturl.Values{"username": {"admin"}, "password": {"secret"}})
	if err != nil {
		d.t.Errorf("login: %v", err)
		return
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized && !d.accountsIntact(accounts) {
		return
	}
	for _, text := range []string{"", "paperless", "Start container nextcloud7", "日本語"} {
		var want []string
		for line := range strings.Lines(all) {
			var r struct {
				Seq         uint64
				Stream, Msg string
			}
			if err := json.Unmarshal([]byte(line), &r); err == nil && r.Stream == "log" && strings.Contains(strings.ToLower(r.Msg), strings.ToLower(text)) {
				want = append(want, strconv.FormatUint(r.Seq, 10))
			}
		}
		slices.Reverse(want)
		resp, err := client.Get(url + v2 + "/log?limit=1000&text=" + neturl.QueryEscape(text))
		if err != nil {
			d.t.Errorf("GET log?text=%s: %v", text, err)
			continue
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		var got []string
		for _, m := range idPattern.FindAllSubmatch(b, -1) {
			got = append(got, string(m[1]))
		}
		if err != nil || resp.StatusCode != http.StatusOK || !slices.Equal(got, want) {
			d.t.Errorf("GET log?text=%s = %d, %v, records %.300v\nwant %.300v as query has", text, resp.StatusCode, err, got, want)
		}
	}
}

// accountsIntact tells whether the accounts are as they were.
func (d *damaged) accountsIntact(were []byte) bool {
	b, err := os.ReadFile(filepath.Join(d.dir, "accounts.json"))
	return err == nil && bytes.Equal(b, were)
}
