package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	os.Setenv("SHIPLOG_CONFIG", noConfig) // the processes of tests: the machine may have one
	testscript.Main(m, map[string]func(){"shiplog": func() {
		status := Main()
		notePeak()
		os.Exit(status)
	}})
}

func TestScripts(t *testing.T) {
	seeds, err := filepath.Abs(filepath.Join("..", "agent", "testdata", "qnap"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"status": status},
		Setup: func(env *testscript.Env) error {
			env.Setenv("SEEDS", seeds)
			env.Setenv("SHIPLOG_DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("SHIPLOG_CONFIG", noConfig)
			env.Setenv("TZ", "UTC")
			return nil
		},
	})
}

// status is the script command "status N PROGRAM ARGS...": it wants that exit status.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program [args...]")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = strconv.Itoa(exit.ExitCode())
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// shiplog runs one command in this process and returns what it printed.
func shiplog(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &Program{Args: args, Env: func(string) string { return "" }, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs}
	status = p.Run(context.Background())
	return out.String(), errs.String(), status
}

// must runs one command that has to succeed and returns its standard output.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, errs, status := shiplog(t, stdin, args...)
	if status != exitOK {
		t.Fatalf("shiplog %s = exit %d, want 0\n%s", strings.Join(args, " "), status, errs)
	}
	return out
}
