package cli

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/mod/sumdb/note"

	"shiplog/format"
	"shiplog/format/seal"
)

// TestRunSealsAndTells follows a real process from its first start: it tells the key, serves the checkpoint, signs
// what was written last when it is stopped, and verify agrees.
func TestRunSealsAndTells(t *testing.T) {
	for _, command := range []string{"run", "agent"} {
		t.Run(command, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{command, "--data", dir, "--docker", "none", "--incus", "none"}
			if command == "run" {
				args = append(args, "--listen", "127.0.0.1:0")
			}
			cmd, lines := startLines(t, args...)
			key := ""
			for key == "" && lines.Scan() {
				key, _, _ = strings.Cut(strings.TrimPrefix(lines.Text(), "key of this log: "), " ")
				if !strings.HasPrefix(lines.Text(), "key of this log: shiplog/") {
					key = ""
				}
			}
			waitFor(t, filepath.Join(dir, "agent.sock"))
			must(t, "", "record", "--data", dir, "--category", "system", "--message", "written")
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			out := must(t, "", "verify", "--data", dir, "--key", key)
			r, err := seal.Verify(t.Context(), dir, seal.VerifyOptions{Key: key})
			if err != nil || r.ActiveSigned == 0 || r.ActiveSigned != r.ActiveBytes {
				t.Errorf("Verify = %+v, %v, want all of the active segment signed at the stop\n%s", r, err, out)
			}
		})
	}
}

// startLines starts a real process and returns what it prints.
func startLines(t *testing.T, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command("shiplog", args...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, bufio.NewScanner(out)
}

func TestCheckpointIsServed(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
	body := s.want(t, "GET", "/checkpoint", "", 200)
	c, err := seal.ParseCheckpoint([]byte(body))
	if err != nil || c.Size != 0 || !strings.HasPrefix(c.Origin, "shiplog/") {
		t.Errorf("GET /checkpoint = %q, %v", body, err)
	}
	if file, err := os.ReadFile(filepath.Join(dir, "log", seal.CheckpointName)); err != nil || string(file) != body {
		t.Errorf("GET /checkpoint = %q, the file is %q, %v", body, file, err)
	}
	if s.stop() != exitOK {
		t.Errorf("run ended with an error: %s", s.stderr)
	}
	copied := startServer(t, "serve", "--data", dir, "--agent", "none")
	copied.want(t, "GET", "/checkpoint", "", 200)
}

func TestCheckpointMetrics(t *testing.T) {
	dir := t.TempDir()
	m := newCheckpointMetrics(dir)
	if n := testutil.CollectAndCount(m); n != 0 {
		t.Errorf("%d metrics of a log that is not sealed, want none", n)
	}
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Append(t.Context(), &format.Record{Stream: format.StreamLog, Category: "system", Msg: "hello"}); err != nil {
		t.Fatal(err)
	}
	k, err := seal.Open(dir, w, seal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := k.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.CollectAndLint(m)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	c, err := seal.ReadCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("# HELP shiplog_checkpoint_root_prefix First 48 bits of the root in the checkpoint, as a number.\n"+
		"# TYPE shiplog_checkpoint_root_prefix gauge\nshiplog_checkpoint_root_prefix %g\n"+
		"# HELP shiplog_checkpoint_size Lines of SEALS.jsonl that the checkpoint is signed over. It never falls, unless the log was cut.\n"+
		"# TYPE shiplog_checkpoint_size gauge\nshiplog_checkpoint_size 1\n", float64(c.RootPrefix()))
	if err := testutil.CollectAndCompare(m, strings.NewReader(want), "shiplog_checkpoint_size", "shiplog_checkpoint_root_prefix"); err != nil {
		t.Error(err)
	}
	if c.Root.String() == "" || c.RootPrefix() == 0 {
		t.Errorf("root = %s, prefix %d", c.Root, c.RootPrefix())
	}
}

// TestVerifyShowsWhatAHostileCopyIsCalled gives a copy a key whose name a terminal would act on.
func TestVerifyShowsWhatAHostileCopyIsCalled(t *testing.T) {
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(t.Context(), &format.Record{Stream: format.StreamLog, Category: "system", Msg: "hello"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	secret, public, err := note.GenerateKey(nil, "shiplog/\x1b[2J\u202e\u009b1m")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	text := fmt.Sprintf("%s\n0\n%s\nkey %s\n", signer.Name(), root, public)
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "log", seal.CheckpointName), signed, 0o640); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify"}, {"verify", "-o", "json"}, {"status"}, {"status", "-o", "json"}} {
		out, errs, _ := shiplog(t, "", append(args, "--data", dir)...)
		if strings.ContainsAny(out+errs, "\x1b\u202e\u009b") {
			t.Errorf("%q prints %q %q, want nothing that a terminal acts on", args, out, errs)
		}
		if !strings.Contains(out, "[2J") {
			t.Errorf("%q prints %q %q, want the name of the key", args, out, errs)
		}
	}
}

// TestSha256sumAfterRetention runs the line of the README that needs no shiplog on a log of which segments were removed.
func TestSha256sumAfterRetention(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(readme), "$ (cd old/log && ")
	line, _, _ = strings.Cut(line, ")\n")
	if !ok || !strings.HasSuffix(line, "| sha256sum -c") {
		t.Fatalf("the README has no line with sha256sum but %q", line)
	}
	dir := t.TempDir()
	for i := range 4 {
		must(t, "", "record", "--data", dir, "--category", "test", "--message", strings.Repeat(fmt.Sprint(i), 60<<10))
		must(t, "", "seal", "--data", dir)
	}
	check := func() (string, error) {
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = filepath.Join(dir, "log")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must(t, "", "prune", "--data", dir, "--keep-bytes", "1MiB") // too little to remove anything
	if out, err := check(); err != nil || strings.Count(out, ": OK\n") != 4 {
		t.Errorf("before the removal: %s%v, want 4 segments OK", out, err)
	}
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := seal.Open(dir, w, seal.Options{})
	if err == nil {
		err = k.Retire(t.Context(), "above 1 MiB", "00000000000000000001.jsonl")
	}
	if err := errors.Join(err, os.Remove(filepath.Join(dir, "log", "00000000000000000001.jsonl")), w.Close()); err != nil {
		t.Fatal(err)
	}
	if out, err := check(); err != nil || strings.Count(out, ": OK\n") != 3 {
		t.Errorf("after the removal: %s%v, want 3 segments OK and nothing missed", out, err)
	}
	if err := os.Remove(filepath.Join(dir, "log", "00000000000000000002.jsonl")); err != nil {
		t.Fatal(err)
	}
	if out, err := check(); err == nil {
		t.Errorf("with a segment removed by hand: %s, want a failure", out)
	}
}
