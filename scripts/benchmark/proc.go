package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// field reads one number of a file under /proc, in the file's own unit; 0 when it is not there (any more).
func field(pid int, file, name string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

// anon is the resident anonymous memory in bytes: what the kernel cannot drop. Mapped files are not in it.
func anon(pid int) int64 { return field(pid, "status", "RssAnon") << 10 }

// resident is all resident memory in bytes, mapped files too.
func resident(pid int) int64 { return field(pid, "status", "VmRSS") << 10 }

// cpu is the time the process has used, in clock ticks of 10 ms.
func cpu(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// watch samples the anonymous memory every 5 ms; the function it gives ends that and tells the peak.
func watch(pid int) func() int64 {
	var peak atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			peak.Store(max(peak.Load(), anon(pid)))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-done
		return peak.Load()
	}
}

// usage is what a command needed.
type usage struct {
	wall, cpu time.Duration
	peak      int64 // anonymous memory, bytes
}

// timed runs cmd and measures it.
func timed(cmd *exec.Cmd) (usage, error) {
	var said strings.Builder
	if cmd.Stderr == nil {
		cmd.Stderr = &said
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	peak := watch(cmd.Process.Pid)
	err := cmd.Wait()
	u := usage{wall: time.Since(began), peak: peak()}
	if err != nil {
		return u, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, said.String())
	}
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return u, nil
}

// perMillion is the CPU time in seconds that a million records would take.
func (b *bench) perMillion(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(b.n) }

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

func mb(n int64) float64 { return float64(n) / 1e6 }
