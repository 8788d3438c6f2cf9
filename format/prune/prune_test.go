package prune_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format"
	"shiplog/format/prune"
	"shiplog/format/seal"
)

const day = 24 * time.Hour

// box is a log with what writes, seals and prunes it.
type box struct {
	t   testing.TB
	dir string
	now func() time.Time
	w   *format.Writer
	k   *seal.Keeper
	p   *prune.Pruner
}

func openBox(t testing.TB, dir string, o prune.Options) *box {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &box{t: t, dir: dir, now: o.Now}
	var err error
	if b.w, err = format.Open(dir, format.Options{KeepFree: -1, Host: "box", Now: o.Now}); err != nil {
		t.Fatal(err)
	}
	if b.k, err = seal.Open(dir, b.w, seal.Options{Host: "box", Now: o.Now}); err != nil {
		t.Fatal(err)
	}
	o.Retire, o.Retired, o.Since = b.k.Retire, b.k.Retired, b.k.RetiredSince
	if b.p, err = prune.Open(dir, b.w, o); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *box) close() {
	b.t.Helper()
	if err := errors.Join(b.k.Close(), b.w.Close()); err != nil {
		b.t.Fatal(err)
	}
}

// fill writes segments of two records each; every record has an eseq when events says so.
func (b *box) fill(segments int, events bool) {
	b.t.Helper()
	for range segments {
		for range 2 {
			r := &format.Record{Stream: format.StreamLog, Category: "container", Msg: "a record " + strings.Repeat("x", 200)}
			if events {
				r.Stream, r.Eseq = format.StreamEvent, format.NextEseq
			}
			if err := b.w.Append(b.t.Context(), r); err != nil {
				b.t.Fatal(err)
			}
		}
		if _, err := b.w.Seal(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// segments are the numbers that the segments begin with.
func (b *box) segments() []uint64 {
	b.t.Helper()
	l, err := format.OpenLog(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	segs, err := l.Segments()
	if err != nil {
		b.t.Fatal(err)
	}
	var first []uint64
	for _, s := range segs {
		first = append(first, s.First)
	}
	return first
}

// check holds that the log is whole from its first record on: no damage, no number missing, the seals fit. It returns
// the first and the last number, and the records about removals.
func (b *box) check(when string) (first, last uint64, removals []string) {
	b.t.Helper()
	l, err := format.OpenLog(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	for ln, err := range l.Forward(0) {
		if err != nil {
			b.t.Fatalf("%s: %v", when, err)
		}
		if last > 0 && ln.Seq != last+1 {
			b.t.Fatalf("%s: record %d comes after %d", when, ln.Seq, last)
		}
		if first == 0 {
			first = ln.Seq
		}
		last = ln.Seq
		if a := ln.Fields.Action.String(); strings.HasPrefix(a, "retention.") {
			removals = append(removals, a)
		}
	}
	r, err := seal.Verify(b.t.Context(), b.dir, seal.VerifyOptions{})
	if err != nil {
		b.t.Fatalf("%s: Verify: %v", when, err)
	}
	if r.Result != seal.ResultOK || len(r.Findings) > 0 {
		b.t.Fatalf("%s: Verify = %s %+v, want ok", when, r.Result, r.Findings)
	}
	return first, last, removals
}

func TestPruneByBytes(t *testing.T) {
	b := openBox(t, t.TempDir(), prune.Options{})
	b.fill(10, false)
	if err := b.k.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := b.p.Plan(prune.Policy{Bytes: 4000}); err != nil || len(r.Segments) == 0 || len(b.segments()) != 11 {
		t.Fatalf("Plan() = %+v, %v with %d segments left, want some segments and nothing removed", r, err, len(b.segments()))
	}
	r, err := b.p.Prune(t.Context(), prune.Policy{Bytes: 4000}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	left := b.segments()
	if n := len(r.Segments); n == 0 || left[0] != r.Last+1 || left[0] != uint64(2*n)+1 || r.First != 1 || r.Kept != len(left) {
		t.Errorf("Prune() = %+v, and the log begins with %v", r, left)
	}
	b.close()
	first, _, removals := b.check("after it was pruned")
	if first != r.Last+1 || !slices.Equal(removals, []string{format.ActionRetentionStart, format.ActionRetentionDone}) {
		t.Errorf("the log begins with %d and tells %v, want %d, a start and an end", first, removals, r.Last+1)
	}
	if side, _ := filepath.Glob(filepath.Join(b.dir, "log", "*.blk")); len(side) != len(left)-1 {
		t.Errorf("%d .blk files are left for %d sealed segments", len(side), len(left)-1)
	}
}

// TestNumbersAreNeverGivenAgain removes all that can be, twice, the second time all events with it.
func TestNumbersAreNeverGivenAgain(t *testing.T) {
	dir := t.TempDir()
	b := openBox(t, dir, prune.Options{})
	b.fill(3, true)
	seq, eseq := b.w.Last()
	b.fill(2, false)
	for range 3 {
		if _, err := b.p.Prune(t.Context(), prune.Policy{Bytes: 1}, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := b.w.Seal(); err != nil {
			t.Fatal(err)
		}
		b.close()
		b = openBox(t, dir, prune.Options{})
	}
	first, _, _ := b.check("after all was pruned")
	if first <= seq {
		t.Fatalf("the log begins with %d, want the events up to %d removed", first, seq)
	}
	if s, e := b.w.Last(); s <= seq || e != eseq {
		t.Errorf("Last() = %d, %d, want more than %d, and %d", s, e, seq, eseq)
	}
	b.fill(1, true)
	if _, e := b.w.Last(); e != eseq+2 {
		t.Errorf("eseq after two more events = %d, want %d", e, eseq+2)
	}
	b.close()
}

// TestNumbersAreNeverGivenAgainAfterAResumption has the next process remove all events, which it has not looked at.
func TestNumbersAreNeverGivenAgainAfterAResumption(t *testing.T) {
	dir := t.TempDir()
	o := prune.Options{}.Steps(func(step string) error {
		if step == "unlink" || step == "done" {
			return errors.New("broken")
		}
		return nil
	})
	b := openBox(t, dir, o)
	b.fill(3, true)
	_, eseq := b.w.Last()
	b.fill(2, false)
	if _, err := b.p.Prune(t.Context(), prune.Policy{Bytes: 1}, ""); err == nil {
		t.Fatal("Prune() did not fail")
	}
	b.close()
	b = openBox(t, dir, prune.Options{})
	if err := b.p.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if first := b.segments()[0]; first <= eseq {
		t.Fatalf("the log begins with %d, want the events up to %d removed", first, eseq)
	}
	b.fill(1, true)
	if _, e := b.w.Last(); e != eseq+2 {
		t.Errorf("eseq after two more events = %d, want %d", e, eseq+2)
	}
	b.close()
	b.check("after the next process removed all events")
}

// finish is the next process: it ends what the one before left, and the log is as if nothing had happened.
func finish(t *testing.T, dir, when string) {
	t.Helper()
	full := new(atomic.Uint64) // no room for a reserve, which takes its time to make
	b := openBox(t, dir, prune.Options{Policy: prune.Policy{Bytes: 4000}}.Disk(full, 1<<30))
	if err := b.p.Resume(t.Context()); err != nil {
		t.Fatalf("%s: Resume: %v", when, err)
	}
	if _, err := b.p.Once(t); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	b.fill(1, false)
	b.close()
	_, _, removals := b.check(when)
	starts, ends := 0, 0
	for _, a := range removals {
		if a == format.ActionRetentionStart {
			starts++
		} else {
			ends++
		}
	}
	if starts == 0 || starts != ends {
		t.Fatalf("%s: the log tells of %d removals that began and %d that ended: %v", when, starts, ends, removals)
	}
	if n := len(b.segments()); n > 6 {
		t.Fatalf("%s: %d segments are left, want the work done", when, n)
	}
}

func TestFailTheNthStep(t *testing.T) {
	for _, fault := range []struct {
		name string
		err  error
		ever bool
	}{
		{"an I/O error, once", syscall.EIO, false},
		{"an I/O error from then on", syscall.EIO, true},
		{"no space, once", syscall.ENOSPC, false},
		{"no space from then on", syscall.ENOSPC, true},
		{"a read-only disk, once", syscall.EROFS, false},
		{"a read-only disk from then on", syscall.EROFS, true},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for n := 1; failTheNthStep(t, n, fault.err, fault.ever); n++ {
				if n > 500 {
					t.Fatal("the runs do not end")
				}
			}
		})
	}
}

// failTheNthStep fails step n of a run, and with ever all that come after; false when the run has no such step.
func failTheNthStep(t *testing.T, n int, fault error, ever bool) bool {
	t.Helper()
	dir, steps, at := t.TempDir(), 0, ""
	o := prune.Options{}.Steps(func(step string) error {
		if steps++; steps == n || ever && steps > n {
			if at == "" {
				at = step
			}
			return fault
		}
		return nil
	})
	b := openBox(t, dir, o)
	b.fill(10, n%2 == 0)
	r, err := b.p.Prune(t.Context(), prune.Policy{Bytes: 4000}, "")
	if at == "" {
		if err != nil {
			t.Fatal(err)
		}
		if n < 15 {
			t.Fatalf("a run had %d steps, want more", n-1)
		}
		b.close()
		return false
	}
	if !errors.Is(err, fault) {
		t.Fatalf("step %d %s failed: Prune() = %+v, %v, want %v", n, at, r, err, fault)
	}
	if left := b.segments(); len(left) != 11-len(r.Segments) || left[0] != uint64(2*len(r.Segments))+1 {
		t.Fatalf("step %d %s failed: Prune() tells of %d segments, and there are %v", n, at, len(r.Segments), left)
	}
	b.close()
	finish(t, dir, fmt.Sprintf("step %d %s failed", n, at))
	return true
}

const killEnv = "SHIPLOG_TEST_PRUNE_KILL" // in a child only: DIR and the number of the step

func TestKillBeforeTheNthStep(t *testing.T) {
	if arg := os.Getenv(killEnv); arg != "" {
		pruneUntilKilled(t, arg)
		return
	}
	kills := 0
	for n := 1; ; n++ {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestKillBeforeTheNthStep$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", killEnv, n, dir))
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != -1 {
			t.Fatalf("the child ended with %v: %s", err, out)
		}
		kills++
		finish(t, dir, fmt.Sprintf("killed before step %d", n))
	}
	if kills < 15 {
		t.Errorf("%d kills, want one before each step", kills)
	}
}

func pruneUntilKilled(t *testing.T, arg string) {
	var n int
	var dir string
	if _, err := fmt.Sscan(arg, &n, &dir); err != nil {
		t.Fatal(err)
	}
	o := prune.Options{}.Steps(func(string) error {
		if n--; n == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	})
	b := openBox(t, dir, o)
	b.fill(10, true)
	if _, err := b.p.Prune(t.Context(), prune.Policy{Bytes: 4000}, ""); err != nil {
		t.Fatal(err)
	}
	b.close()
}

// TestWhatARecordSaysIsNotBelieved writes the record of a removal as any program can, of segments that were never retired.
func TestWhatARecordSaysIsNotBelieved(t *testing.T) {
	dir := t.TempDir()
	b := openBox(t, dir, prune.Options{})
	b.fill(5, false)
	lie := &format.Record{Stream: format.StreamLog, Category: "system", Action: format.ActionRetentionStart, Msg: "Removing 2 segments.",
		Data: []byte(`{"rules":["age"],"segments":["00000000000000000001.jsonl","../../etc/passwd","00000000000000000003.jsonl"]}`)}
	if err := b.w.Append(t.Context(), lie); err != nil {
		t.Fatal(err)
	}
	b.close()
	b = openBox(t, dir, prune.Options{})
	if err := b.p.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.segments()); n != 6 {
		t.Errorf("%d segments are left, want all 6", n)
	}
	b.close()
}

// TestAClockThatJumps lets a log grow for 30 days, sets the clock by 50 years, and goes on.
func TestAClockThatJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": 50 * 365 * day, "backward": -20 * 365 * day} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				begun, set := time.Now(), 40*365*day
				o := prune.Options{Policy: prune.Policy{Age: 60 * day, AtLeast: prune.Least{Segments: 1}},
					Now: func() time.Time { return time.Now().Add(set) }, Uptime: func() time.Duration { return time.Since(begun) }}
				b := openBox(t, dir, o)
				grow := func(days int, when string, want uint64) {
					t.Helper()
					for range days {
						b.fill(1, false)
						time.Sleep(day)
						if _, err := b.p.Once(t); err != nil {
							t.Fatal(err)
						}
					}
					if first := b.segments()[0]; first != want {
						t.Fatalf("%s: the log begins with record %d, want %d", when, first, want)
					}
				}
				grow(30, "in 30 days", 1)
				set += jump
				time.Sleep(time.Minute)
				if r, err := b.p.Once(t); err != nil || len(r.Segments) > 0 {
					t.Fatalf("after the jump Once() = %+v, %v, want nothing removed", r, err)
				}
				if b.p.Stats().Doubt == "" {
					t.Error("Stats() after the jump doubts nothing")
				}
				grow(20, "in 20 days with that clock", 1)
				// Another process, which has not seen the jump.
				b.close()
				b = openBox(t, dir, o)
				grow(3, "in 3 days after a start", 1)
				if name == "backward" {
					set -= jump // and it is put right
					grow(3, "in 3 days after it was put right", 1)
				}
				b.close()
			})
		})
	}
}

func TestOldRecordsGoByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		o := prune.Options{Policy: prune.Policy{Age: 15 * day}, Uptime: func() time.Duration { return time.Since(begun) }}
		b := openBox(t, t.TempDir(), o)
		most := 0
		for range 60 {
			b.fill(1, false)
			time.Sleep(day)
			if _, err := b.p.Once(t); err != nil {
				t.Fatal(err)
			}
			most = max(most, len(b.segments()))
		}
		if most > 18 || len(b.segments()) < 15 {
			t.Errorf("a log of 15 days had up to %d segments of a day and has %d", most, len(b.segments()))
		}
		b.close()
		b.check("after 60 days")
	})
}
