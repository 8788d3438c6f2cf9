// Command soaktest is scripts/soak: it lets the built program take more than a box gives it, in little memory,
// and looks whether anything was lost or answered wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// soak is one run.
type soak struct {
	length    time.Duration
	rate      int // events a second
	waiters   int
	searchers int
	memory    int // MiB
	binary    string
	dir       string // everything is made in here

	engine *engine
	box    *box
	faults faults

	mu     sync.Mutex
	ranOut []ranOut // guarded by mu
}

func main() {
	var s soak
	flag.DurationVar(&s.length, "for", 2*time.Minute, "how long")
	flag.IntVar(&s.rate, "rate", 1000, "events a second")
	flag.IntVar(&s.waiters, "waiters", 256, "clients that wait for containers")
	flag.IntVar(&s.searchers, "searchers", 50, "clients that search")
	flag.IntVar(&s.memory, "memory", 256, "MiB that the process may have")
	flag.StringVar(&s.binary, "binary", "", "the program (default: it is built)")
	flag.StringVar(&s.dir, "dir", "", "work in this directory and keep it (default: a temporary one)")
	flag.Parse()
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func (s *soak) run() (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "shiplog-soak."); err != nil {
			return err
		}
		defer os.RemoveAll(s.dir)
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if s.binary == "" {
		s.binary = filepath.Join(s.dir, "shiplog")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", s.binary, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w: %s", err, out)
		}
	}
	if s.engine, err = startEngine(filepath.Join(s.dir, "docker.sock")); err != nil {
		return err
	}
	if s.box, err = s.startBox(); err != nil {
		return err
	}
	defer s.box.kill()
	if err := s.engine.awaited(30 * time.Second); err != nil {
		return err
	}
	s.load()
	if err := s.box.settle(s.engine.sent()); err != nil {
		s.faults.add("%v", err)
	}
	s.box.report()
	if err := s.box.stop(); err != nil {
		s.faults.add("%v", err)
	}
	s.count()
	return s.faults.verdict()
}

// load runs engine and clients for the length of the soak, and prints what they saw.
func (s *soak) load() {
	ctx, cancel := context.WithTimeout(context.Background(), s.length)
	defer cancel()
	var clients sync.WaitGroup
	waits, searches := newLatencies(), newLatencies()
	for i := range s.waiters {
		clients.Go(func() { s.wait(ctx, i, waits) })
	}
	for i := range s.searchers {
		clients.Go(func() { s.search(ctx, i, searches) })
	}
	clients.Go(func() { s.box.watch(ctx) })
	s.engine.report(ctx, s.rate)
	clients.Wait()
	row("events", "%d reported in %v", s.engine.sent(), s.length)
	waits.print()
	searches.print()
	s.judgeRanOut(waits.most("wait: after the change", "wait: already so"))
}

func row(name, format string, args ...any) {
	fmt.Printf("%-28s %s\n", name, fmt.Sprintf(format, args...))
}

// faults are what was wrong. The first few are told.
type faults struct {
	mu    sync.Mutex
	n     int      // guarded by mu
	first []string // guarded by mu
}

const faultsTold = 20

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; len(f.first) < faultsTold {
		f.first = append(f.first, fmt.Sprintf(format, args...))
	}
}

func (f *faults) verdict() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == 0 {
		row("verdict", "nothing lost, nothing answered wrongly")
		return nil
	}
	for _, one := range f.first {
		fmt.Fprintln(os.Stderr, "fault:", one)
	}
	return errors.New(fmt.Sprint(f.n, " faults"))
}
