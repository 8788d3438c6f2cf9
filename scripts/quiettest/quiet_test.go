package quiettest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	settles  = 35 * time.Second // from the start to the first counted second: engines are listed, watchers and deadlines of 30 s end
	oneEvery = 5 * time.Second  // between two wake-ups at least
	maxCPU   = 500 * time.Millisecond
	// page is allowed once: the first read of a folder or file after its change moves its access time, which the
	// kernel counts as a page written, and keeps until something else is.
	page = 4096
)

// setting is a duration from the environment.
func setting(t *testing.T, name string, fallback time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, text, err)
	}
	return d
}

func TestNothingHappens(t *testing.T) {
	if os.Getenv("SHIPLOG_QUIET") == "" {
		t.Skip("SHIPLOG_QUIET is not set: it takes more than a minute; scripts/test quiet sets it")
	}
	last := setting(t, "SHIPLOG_QUIET_FOR", time.Minute)
	boxes := start(t)
	time.Sleep(settles)
	var watched sync.WaitGroup
	for _, b := range boxes {
		b.trace(t)
		b.files = files(t, b.dir)
	}
	time.Sleep(time.Second) // strace stops each thread once
	for _, b := range boxes {
		watched.Go(func() { b.watch(last) })
	}
	watched.Wait()
	for _, b := range boxes {
		b.check(t, last)
	}
}

// start starts shiplog in every set-up.
func start(t *testing.T) []*box {
	binary := program(t)
	absent := filepath.Join(t.TempDir(), "absent")
	docker, incus := silentDocker(t), silentIncus(t)
	none := []string{"--docker", "none", "--incus", "none"}
	missing := []string{"--docker", "unix://" + absent + "/docker.sock", "--incus", absent + "/unix.socket"}
	silent := []string{"--docker", "unix://" + docker.path, "--incus", incus.path}
	var all []*box
	for _, engines := range []struct {
		name string
		args []string
	}{{"no engines", none}, {"engines whose sockets do not exist", missing}, {"connected engines that say nothing", silent}} {
		run := t.TempDir()
		all = append(all, launch(t, binary, "run, "+engines.name, run, append([]string{"run", "--data", run, "--listen", "127.0.0.1:0", "--container-metrics", "5"}, engines.args...)...))
		two, index := t.TempDir(), t.TempDir()
		agent := launch(t, binary, "agent, "+engines.name, two, append([]string{"agent", "--data", two}, engines.args...)...)
		waitForFile(t, filepath.Join(two, "agent.sock"))
		serve := launch(t, binary, "serve beside that agent", two, "serve", "--data", two, "--index", index, "--agent", filepath.Join(two, "agent.sock"), "--listen", "127.0.0.1:0")
		all = append(all, agent, serve)
	}
	docker.wait(t, 2)
	incus.wait(t, 2)
	return all
}

// check tells what was not quiet.
func (b *box) check(t *testing.T, last time.Duration) {
	t.Logf("%-52s %2d wake-ups, %v of processor time, %d switches; at %v", b.name+":", b.wakes, b.cpu, b.switches, b.at)
	var close []string
	for i, at := range b.at[min(1, len(b.at)):] {
		if at-b.at[i] < oneEvery {
			close = append(close, fmt.Sprintf("%v and %v", b.at[i], at))
		}
	}
	if collections := 1 + int(last/(2*time.Minute)); len(close) > collections {
		t.Errorf("%s: it woke at %s, want %v at least between two wake-ups, but for %d of the runtime's", b.name, strings.Join(close, ", at "), oneEvery, collections)
	}
	if b.cpu > maxCPU {
		t.Errorf("%s: %v of processor time in %v, want %v at most", b.name, b.cpu, last, maxCPU)
	}
	if b.written > page {
		t.Errorf("%s: %d bytes were written to disk at %v, want none; read were %q", b.name, b.written, b.wroteAt, read(b.dir, b.began))
	}
	if now := files(t, b.dir); now != b.files {
		t.Errorf("%s: the data directory was\n%sand is\n%s", b.name, b.files, now)
	}
	for _, call := range b.calls(t) {
		t.Errorf("%s: it called %s", b.name, call)
	}
}
