package torturetest

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var (
	rounds = flag.Int("rounds", 100, "how often kill -9")
	cuts   = flag.Int("cuts", 8, "how often the power is cut, on each file system")
)

// How many records are acknowledged at least before a round ends. A segment holds about 60.
const (
	perKill = 80
	perCut  = 300
)

// keep holds the log so small that segments of 64 KiB are sealed, indexed, compressed and removed all the time.
var keep = []string{"--keep-bytes", "1MiB", "--compress-after", "1h"}

// asked skips what takes long unless scripts/torture or scripts/test asks for it.
func asked(t *testing.T) {
	t.Helper()
	if os.Getenv("SHIPLOG_TORTURE") == "" {
		t.Skip("run by scripts/torture")
	}
}

// shortDir is a directory whose sockets have short enough paths.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestKill ends shiplog by kill -9 at moments of chance. After every other round the newest segment gets half a
// line, as a kill in the middle of a write leaves one.
func TestKill(t *testing.T) {
	asked(t)
	b := newBox(t, filepath.Join(shortDir(t), "d"), keep...)
	l := &ledger{}
	began := time.Now()
	for round := range *rounds {
		b.start(t)
		b.check(t, l, round)
		b.underLoad(t, l, perKill, func() {
			time.Sleep(rand.N(40 * time.Millisecond))
			b.kill(t)
		})
		b.verify(t)
		if round%2 == 1 {
			halfLine(t, b.dir)
		}
	}
	b.finish(t, l)
	t.Logf("%d rounds of kill -9 in %.0f s: %d texts sent, the newest record is %d", *rounds, time.Since(began).Seconds(), l.made, l.last)
}

// underLoad lets clients write until so many records were acknowledged, and then cut while they go on.
func (b *box) underLoad(t *testing.T, l *ledger, records int, cut func()) {
	t.Helper()
	l.begin()
	_, before := l.count()
	c := startClients(b, l)
	b.await(t, "the clients are not answered", func() bool {
		fresh, clears := l.count()
		return fresh >= records && clears > before
	})
	cut()
	l.end()
	if odd := c.end(); odd != "" {
		t.Fatalf("a client was answered %s", odd)
	}
}

// check holds the files against the ledger and, now and then because it takes longer, against the index.
func (b *box) check(t *testing.T, l *ledger, round int) {
	t.Helper()
	if round == 0 {
		return
	}
	l.check(t, b.records(t))
	if round%5 == 0 {
		b.counts(t)
	}
}

// finish starts it a last time and checks everything.
func (b *box) finish(t *testing.T, l *ledger) {
	t.Helper()
	b.start(t)
	all := b.records(t)
	l.check(t, all)
	b.counts(t)
	b.settles(t)
	b.verify(t)
	b.kill(t)
	l.check(t, b.records(t))
	if l.last > 6000 && all[0].Seq == 1 {
		t.Error("nothing was removed by rule: the test tests less than it says")
	}
	if l.made == 0 {
		t.Error("nothing was sent: the test tested nothing")
	}
}

// halfLine appends a part of the last line to the newest segment.
func halfLine(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "log", "[0-9]*.jsonl"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	name := slices.Max(names)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	half := `{"v":1,"seq":1,"id":"01a21692-5269-741e-80e6-c105127fefbc","time":"2026-11-`
	if _, err := f.WriteString(half[:1+rand.IntN(len(half))]); err != nil {
		t.Fatal(err)
	}
}
