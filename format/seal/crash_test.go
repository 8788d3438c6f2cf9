package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shiplog/format"
)

var errKilled = errors.New("killed here")

// life is what a crash is tried in: seals, two ends of an epoch, signatures of the active segment, and retention.
func life(b *box) error {
	for i := range 4 {
		b.write(3)
		if _, err := b.k.catchUp(b.t.Context()); err != nil {
			return err
		}
		b.write(2)
		if _, err := b.w.Seal(); err != nil {
			return err
		}
		if _, err := b.k.catchUp(b.t.Context()); err != nil {
			return err
		}
		if i == 2 {
			if err := b.k.Retire(b.t.Context(), "age", "00000000000000000001.jsonl"); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestKillBetweenAnyTwoSteps ends a keeper before its first step, before its second ..., until a run has none left,
// and opens the directory again: the chain goes on under the same key, and all of the log is sealed.
func TestKillBetweenAnyTwoSteps(t *testing.T) {
	seen := map[string]bool{}
	for n := 1; ; n++ {
		dir, steps, at := t.TempDir(), 0, ""
		o := Options{EpochSeals: 2}
		o.step = func(step string) error {
			if steps++; steps >= n {
				if at == "" {
					at = step
					seen[step] = true
				}
				return errKilled
			}
			return nil
		}
		b := openBox(t, dir, o)
		err := life(b)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatalf("step %d %s: %v", n, at, err)
		}
		b.kill()
		key := ""
		if cp, err := ReadCheckpoint(dir); err == nil {
			key = cp.Key
		}
		b = openBox(t, dir, Options{EpochSeals: 2})
		b.write(1)
		b.close()
		r := b.verify(VerifyOptions{Key: key})
		if r.Result != ResultOK || r.ActiveSigned != r.ActiveBytes {
			t.Fatalf("killed at step %d, %s: Verify = %s %+v with %d of %d bytes signed, want ok", n, at, r.Result, r.Findings, r.ActiveSigned, r.ActiveBytes)
		}
		if r := b.verify(VerifyOptions{}); r.Result != ResultOK {
			t.Fatalf("killed at step %d, %s: Verify without a key = %s %+v, want ok", n, at, r.Result, r.Findings)
		}
		if have := keyFiles(t, dir); len(have) != 1 {
			t.Fatalf("killed at step %d, %s: keys %q are left, want one", n, at, have)
		}
		if err == nil && at == "" {
			break
		}
		if n > 300 {
			t.Fatal("the runs do not end")
		}
	}
	for _, step := range []string{"create key", "write key", "open seals", "write seals", "sync seals", "write .blk", "rename .blk", "write checkpoint", "rename checkpoint", "erase key"} {
		if !seen[step] {
			t.Errorf("no run was killed at %q", step)
		}
	}
}

// TestFailedSyncOfTheChain lets the sync of a line fail: the file is written anew before the chain goes on.
func TestFailedSyncOfTheChain(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{})
	key := b.k.NewKey()
	b.write(3)
	b.seal()
	before, err := os.Stat(b.path(SealsName))
	must(t, err)
	broken := true
	b.k.o.step = func(step string) error {
		if broken && step == "sync seals" {
			return errKilled
		}
		return nil
	}
	b.write(3)
	if _, err := b.w.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := b.k.CatchUp(t.Context()); !errors.Is(err, errKilled) {
		t.Fatalf("CatchUp = %v, want the error of the sync", err)
	}
	broken = false
	b.close()
	after, err := os.Stat(b.path(SealsName))
	must(t, err)
	if os.SameFile(before, after) {
		t.Error("SEALS.jsonl is the same file after a failed sync, want a new one")
	}
	r := b.verify(VerifyOptions{Key: key})
	wantOK(t, "after a failed sync", r)
	if r.Size != 2 {
		t.Errorf("Size = %d, want 2", r.Size)
	}
}

// TestSealsCutAtEveryByte leaves each length of a last line that a crash can leave: it was written, its checkpoint
// not yet.
func TestSealsCutAtEveryByte(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{})
	key := b.k.NewKey()
	b.write(3)
	b.seal()
	one, cp := len(b.read(SealsName)), b.read(CheckpointName)
	b.write(3)
	b.seal()
	b.close()
	whole := b.read(SealsName)
	for cut := one; cut <= len(whole); cut += max(1, min(7, len(whole)-cut)) {
		c := b.copy(t)
		c.put(SealsName, whole[:cut])
		c.put(CheckpointName, cp)
		if r := c.verify(VerifyOptions{Key: key, Fast: true}); r.Result == ResultDamaged {
			t.Fatalf("cut at byte %d: Verify = %+v, want no damage", cut, r.Findings)
		}
		c = openBox(t, c.dir, Options{})
		c.close()
		wantOK(t, fmt.Sprintf("cut at byte %d", cut), c.verify(VerifyOptions{Key: key}))
		torn, _ := os.ReadFile(c.path(SealsName + ".torn"))
		if cut > one && cut < len(whole) && !bytes.Equal(torn, append(bytes.Clone(whole[one:cut]), '\n')) {
			t.Fatalf("cut at byte %d: .torn = %q", cut, torn)
		}
	}
}

const killDir = "SHIPLOG_TEST_SEAL_KILL_DIR" // set in the child only

// TestRealKill kills a process that writes, seals and signs without pause, at moments of chance.
func TestRealKill(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		sealUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	key := ""
	for round := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRealKill$")
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		cmd.Stderr = os.Stderr
		must(t, cmd.Start())
		for range 1000 { // until there is something to kill
			if _, err := os.Stat(filepath.Join(dir, "log", SealsName)); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Duration(20+round*17) * time.Millisecond)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
		if key == "" {
			var err error
			key, err = Key(dir)
			must(t, err)
		}
		if r := verifyDir(t, dir, key); r.Result == ResultDamaged {
			t.Fatalf("round %d: Verify = %+v", round, r.Findings)
		}
	}
	b := openBox(t, dir, Options{})
	b.close()
	r := verifyDir(t, dir, key)
	wantOK(t, "the end", r)
	t.Logf("%d segments, %d lines, %d late", r.Segments, r.Size, r.Late)
}

func verifyDir(t *testing.T, dir, key string) *Report {
	t.Helper()
	r, err := Verify(t.Context(), dir, VerifyOptions{Key: key, now: true})
	must(t, err)
	return r
}

func sealUntilKilled(t *testing.T, dir string) {
	b := openBox(t, dir, Options{EpochSeals: 3, TailEvery: time.Millisecond, Settle: time.Millisecond, Startup: time.Millisecond})
	go b.k.Run(t.Context())
	for range 20_000 { // so that a child nobody kills ends too
		b.write(2)
		if _, err := b.w.Seal(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVerifyWhileWritten verifies again and again while several write, segments are sealed and some retired: none of
// it may look like damage.
func TestVerifyWhileWritten(t *testing.T) {
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{KeepFree: -1, SegmentBytes: 20_000})
	must(t, err)
	k, err := Open(dir, w, Options{Host: "nas", TailEvery: 5 * time.Millisecond, Settle: time.Millisecond, Startup: time.Millisecond, EpochSeals: 5})
	must(t, err)
	key := k.NewKey()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _ = k.Run(ctx) })
	all.Go(func() { _ = w.Run(ctx) })
	var written atomic.Int64
	for g := range 3 {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				r := &format.Record{Stream: format.StreamLog, Category: "system", Msg: fmt.Sprintf("by %d %d", g, i)}
				var err error
				if g == 0 {
					err = w.Write(r)
					time.Sleep(time.Millisecond)
				} else {
					err = w.Append(ctx, r)
				}
				if err == nil {
					written.Add(1)
				} else if ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	deadline, rounds, retired := time.Now().Add(20*time.Second), 0, 0
	for ; rounds < 40 && time.Now().Before(deadline); rounds++ {
		time.Sleep(50 * time.Millisecond)
		r, err := Verify(ctx, dir, VerifyOptions{Key: key})
		must(t, err)
		for _, f := range r.Findings {
			if f.Severity == Damage {
				t.Errorf("round %d: %+v", rounds, f)
			}
		}
		if segs, err := k.log.Segments(); rounds%5 == 4 && err == nil && len(segs) > 4 {
			must(t, k.Retire(ctx, "bytes", segs[0].Name))
			must(t, os.Remove(filepath.Join(dir, "log", segs[0].Name)))
			retired++
		}
	}
	cancel()
	all.Wait()
	must(t, k.Close())
	must(t, w.Close())
	r := verifyDir(t, dir, key)
	wantOK(t, "the end", r)
	if r.Segments == 0 || r.Retired != retired || written.Load() == 0 {
		t.Errorf("Verify = %d segments and %d retired of %d; the test tested nothing", r.Segments, r.Retired, retired)
	}
	t.Logf("%d records, %d segments, %d retired, %d rounds", written.Load(), r.Segments, r.Retired, rounds)
}

// TestSleepsWhileNothingHappens holds that an idle keeper writes nothing, and how often it signs while records come.
func TestSleepsWhileNothingHappens(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{TailEvery: time.Hour, Settle: 30 * time.Millisecond, Startup: 10 * time.Millisecond})
	var steps atomic.Int64
	b.k.o.step = func(step string) error {
		if strings.HasPrefix(step, "write") {
			steps.Add(1)
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.k.Run(ctx) }()
	time.Sleep(200 * time.Millisecond)
	if n := steps.Load(); n != 0 {
		t.Errorf("an idle keeper wrote %d files, want none", n)
	}
	b.write(1)
	for range 500 {
		if steps.Load() > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for range 20 {
		b.write(1)
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	if n := steps.Load(); n != 1 {
		t.Errorf("%d signatures within the hour, want 1", n)
	}
	cancel()
	must(t, <-done)
	b.close()
	wantOK(t, "the end", b.verify(VerifyOptions{}))
	r := b.verify(VerifyOptions{})
	if r.ActiveSigned != r.ActiveBytes {
		t.Errorf("%d of %d bytes are signed after the stop, want all", r.ActiveSigned, r.ActiveBytes)
	}
}

// TestSignsWhileRecordsNeverStop writes without a pause that is long enough to settle: it must be signed all the same.
func TestSignsWhileRecordsNeverStop(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{TailEvery: 300 * time.Millisecond, Settle: 300 * time.Millisecond, Startup: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.k.Run(ctx) }()
	signed := int64(0)
	for begun := time.Now(); signed == 0 && time.Since(begun) < 20*time.Second; {
		b.write(1)
		time.Sleep(20 * time.Millisecond)
		if cp, err := ReadCheckpoint(b.dir); err == nil && cp.Tail != nil {
			signed = cp.Tail.Bytes
		}
	}
	if signed == 0 {
		t.Error("nothing was signed in 20 s while records came")
	}
	cancel()
	must(t, <-done)
	b.close()
}

// TestVerifyWaitsForASealThatIsBeingMade verifies between the moment in which a segment is full and its seal.
func TestVerifyWaitsForASealThatIsBeingMade(t *testing.T) {
	b := openBox(t, t.TempDir(), Options{})
	b.write(3)
	if _, err := b.w.Seal(); err != nil {
		t.Fatal(err)
	}
	if r := b.verify(VerifyOptions{}); words(r) != "unsealed" {
		t.Errorf("Verify that does not wait = %q, want unsealed", words(r))
	}
	sealed := make(chan error, 1)
	time.AfterFunc(300*time.Millisecond, func() { sealed <- b.k.CatchUp(t.Context()) })
	r, err := Verify(t.Context(), b.dir, VerifyOptions{})
	must(t, err)
	must(t, <-sealed)
	wantOK(t, "while the seal is made", r)
	b.close()
}
