// Command benchmark is scripts/bench: it measures the built program from outside, as an owner would see it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	password = "bench-password"
	token    = "bench-token" // of a reader in all dialects that take one
)

// bench is one run.
type bench struct {
	n      int    // records
	runs   int    // requests for each figure
	dir    string // everything is made in here
	binary string
	data   string
}

func main() {
	var b bench
	flag.IntVar(&b.n, "n", 1_000_000, "how many records")
	flag.IntVar(&b.runs, "runs", 200, "how many requests for each figure")
	flag.StringVar(&b.dir, "dir", "", "work in this directory and keep it (default: a temporary one)")
	flag.Parse()
	if err := b.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run() error {
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "shiplog-bench.")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		b.dir = dir
	}
	b.binary, b.data = filepath.Join(b.dir, "shiplog"), filepath.Join(b.dir, "data")
	records := filepath.Join(b.dir, "records.jsonl")
	for _, step := range []func() error{
		b.build,
		func() error { return b.make(records) },
		func() error { return b.load(records) },
		b.serve,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// build makes the program as it is released.
func (b *bench) build() error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := run(cmd); err != nil {
		return err
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	row("binary", "%.1f MB (limit 30)", mb(info.Size()))
	return nil
}

func (b *bench) make(records string) error {
	if _, err := os.Stat(records); err == nil {
		return nil
	}
	return run(exec.Command("go", "run", "./scripts/workload", "-n", fmt.Sprint(b.n), "-o", records))
}

// load imports the records into a new data directory.
func (b *bench) load(records string) error {
	if err := os.RemoveAll(b.data); err != nil {
		return err
	}
	accounts := filepath.Join(b.dir, "accounts.json")
	text := fmt.Sprintf(`{"qnap_users": [{"name": "admin", "password": %q, "admin": true}], "tokens": [
		{"token": %q, "user": "admin", "project": "default", "roles": ["reader"], "scopes": ["super:user"]}]}`, password, token)
	if err := os.WriteFile(accounts, []byte(text), 0o600); err != nil {
		return err
	}
	if err := run(exec.Command(b.binary, "account", "apply", "--data", b.data, accounts)); err != nil {
		return err
	}
	cmd := exec.Command(b.binary, "import", "--data", b.data, "--format", "native", records)
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	peak := watch(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	took := time.Since(began)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	row("import", "%.1f s, %.0f records/s, %.1f CPU s per million, peak anonymous %.0f MB",
		took.Seconds(), float64(b.n)/took.Seconds(), cpu.Seconds()*1e6/float64(b.n), mb(peak()))
	return nil
}

// treeSize adds up the files below dir.
func treeSize(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return size, err
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

func mb(n int64) float64 { return float64(n) / 1e6 }

func row(name, format string, args ...any) {
	fmt.Printf("%-28s %s\n", name, fmt.Sprintf(format, args...))
}
