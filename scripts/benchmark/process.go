package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// server is a running shiplog.
type server struct {
	cmd    *exec.Cmd
	data   string
	url    string
	client *http.Client
	first  time.Duration // from its start to the first answer of records
	used   time.Duration // CPU until then
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// binary is the program: the one that SHIPLOG_BINARY names, or one that build makes, once for all runs of a series.
func (b *bench) binary() string {
	if name := os.Getenv("SHIPLOG_BINARY"); name != "" {
		return name
	}
	return filepath.Join(cmp.Or(b.bin, b.dir), "shiplog")
}

func (b *bench) data() string { return filepath.Join(b.dir, "data") }

// start runs the program on data, with what else it is given, and waits for its first answer.
func (b *bench) start(data string, more ...string) (*server, error) {
	args := append([]string{"run", "--log-level", "error", "--data", data, "--listen", "127.0.0.1:0", "--incus", "none"}, more...)
	if len(more) == 0 {
		args = append(args, "--docker", "none")
	}
	s := &server{cmd: exec.Command(b.binary(), args...), data: data}
	s.cmd.Env = append(os.Environ(), "SHIPLOG_CONFIG=none")
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	stdout := bufio.NewReader(out)
	line, err := stdout.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		s.stop()
		return nil, fmt.Errorf("first line %q (%v), want listening on URL", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }() // what it says later is nobody's business
	s.url = url
	listening, used := time.Since(began), cpu(s.pid())
	if s.client, err = login(url); err != nil { // a password's hash is slow on purpose, and not counted
		s.stop()
		return nil, err
	}
	before, asked := cpu(s.pid()), time.Now()
	if err := s.answers(); err != nil {
		s.stop()
		return nil, err
	}
	s.first, s.used = listening+time.Since(asked), used+cpu(s.pid())-before
	return s, nil
}

// answers returns when the newest records are answered. With many records and no index yet it may be told more than
// once that this takes too long.
func (s *server) answers() error {
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, _, err := get(s.client, s.url+api+"/log?limit=20")
		if err == nil || !strings.Contains(err.Error(), "503 ") || time.Now().After(end) {
			return err
		}
	}
}

// ready is start on the records, without an engine, and waits until it has nothing more to do.
func (b *bench) ready() (*server, error) {
	s, err := b.start(b.data())
	if err != nil {
		return nil, err
	}
	if _, err := b.calm(s.pid()); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// calm waits until the process has used no CPU for two seconds (less when -patience is less), at most 20 minutes, and
// tells how long it took.
func (b *bench) calm(pid int) (time.Duration, error) {
	began, last, quiet := time.Now(), time.Duration(-time.Second), time.Now()
	for time.Since(quiet) < min(2*time.Second, b.patient/2) {
		if time.Since(began) > 20*time.Minute {
			return 0, fmt.Errorf("process %d is still at work after 20 minutes", pid)
		}
		time.Sleep(100 * time.Millisecond)
		if used := cpu(pid); used > last+20*time.Millisecond {
			last, quiet = used, time.Now()
		}
	}
	return quiet.Sub(began), nil
}

// build makes the program as it is released.
func (b *bench) build() error {
	_, missing := os.Stat(b.binary())
	if os.Getenv("SHIPLOG_BINARY") == "" && (b.bin == "" || missing != nil) {
		say("builds shiplog")
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary(), ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if err := run(cmd); err != nil {
			return err
		}
	}
	info, err := os.Stat(b.binary())
	if err != nil {
		return err
	}
	b.report.set("space", "binary", "MiB", shiplog, &cell{Value: float64(info.Size()) / (1 << 20)}).atMost(30)
	return nil
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
