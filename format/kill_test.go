package format_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"shiplog/format"
)

const killDir = "SHIPLOG_TEST_KILL_DIR" // set in the child only

// TestKillLosesNothing kills a process that appends, again and again, at moments of chance. Whatever it said was
// written is in the log once, and the log goes on. Every other time the kill is made worse by half a line.
func TestKillLosesNothing(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		appendUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	said := map[string]string{} // message by seq
	begun, rounds, torn := time.Now(), 0, 0
	for ; rounds < 20 && time.Since(begun) < 8*time.Second; rounds++ {
		for _, line := range runAndKill(t, dir) {
			seq, msg, _ := strings.Cut(line, " ")
			if was, ok := said[seq]; ok {
				t.Fatalf("round %d: seq %s is %q and was %q", rounds, seq, msg, was)
			}
			said[seq] = msg
		}
		checkSaid(t, dir, said, fmt.Sprintf("round %d", rounds))
		if names := segmentFiles(t, dir); rounds%2 == 1 && len(names) > 0 {
			appendFile(t, names[len(names)-1], line(1)[:rand.IntN(len(line(1)))+1]+strings.Repeat("\x00", rand.IntN(2)*9))
			torn++
		}
	}
	w := open(t, dir, format.Options{})
	mustAppend(t, w, "the end")
	closed(t, w)
	if n := checkSaid(t, dir, said, "the end"); n < torn {
		t.Errorf("%d records of a torn tail, want %d", n, torn)
	}
	if len(said) == 0 {
		t.Error("no process said anything before it was killed")
	}
	t.Logf("%d kills, %d records acknowledged, %d segments", rounds, len(said), len(segmentFiles(t, dir)))
}

// checkSaid holds that the log has each message once under its number, and no damage. It returns how often a torn
// tail was recovered.
func checkSaid(t *testing.T, dir string, said map[string]string, when string) (recovered int) {
	t.Helper()
	found := map[string]bool{}
	for ln, err := range openLog(t, dir).Forward(0) {
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if ln.Fields.Action.Is("log.recovered") {
			recovered++
		}
		seq := fmt.Sprint(ln.Seq)
		if msg, ok := said[seq]; ok && !ln.Fields.Msg.Is(msg) {
			t.Fatalf("%s: record %s is %q, acknowledged was %q", when, seq, ln.Fields.Msg, msg)
		}
		if msg := ln.Fields.Msg.String(); strings.HasPrefix(msg, "by ") {
			if found[msg] {
				t.Fatalf("%s: %q is there twice", when, msg)
			}
			found[msg] = true
		}
	}
	for seq, msg := range said {
		if !found[msg] {
			t.Fatalf("%s: record %s %q was acknowledged and is not there", when, seq, msg)
		}
	}
	return recovered
}

// runAndKill returns the lines a child said before it was killed.
func runAndKill(t *testing.T, dir string) (lines []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillLosesNothing$")
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err != nil { // the last line may be half said
			break
		}
		if !strings.Contains(line, " by ") {
			_ = cmd.Process.Kill()
			t.Fatalf("the child said %q", line)
		}
		if len(lines) == 0 {
			time.AfterFunc(time.Duration(rand.IntN(120))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	_ = cmd.Wait() // it was killed
	return lines
}

// appendUntilKilled appends and writes from several goroutines and says what was acknowledged.
func appendUntilKilled(t *testing.T, dir string) {
	w := open(t, dir, format.Options{SegmentBytes: 16 << 10, KeepFree: -1})
	go w.Run(t.Context())
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100_000 { // so that a child nobody kills ends too
				r := record(fmt.Sprintf("by %d.%d %d", os.Getpid(), g, i))
				var err error
				if g == 0 {
					time.Sleep(time.Millisecond)
					err = w.Write(r)
				} else {
					err = w.Append(t.Context(), r)
				}
				mu.Lock()
				if err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				fmt.Println(r.Seq, r.Msg)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
