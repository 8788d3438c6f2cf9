package compress

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format"
)

// store is a data directory with sealed segments of n records each and an active one, and what was sealed.
type store struct {
	dir   string
	names []string
	plain map[string]string
}

func newStore(t *testing.T, segments, n int) *store {
	t.Helper()
	s := &store{dir: t.TempDir(), plain: map[string]string{}}
	if err := os.Mkdir(filepath.Join(s.dir, "log"), 0o750); err != nil {
		t.Fatal(err)
	}
	for i := range segments + 1 {
		var b strings.Builder
		for seq := i*n + 1; seq <= (i+1)*n; seq++ {
			b.Write(format.AppendLine(nil, &format.Record{Seq: uint64(seq), Stream: format.StreamLog, Msg: fmt.Sprintf("record %d of %d", seq, seq*seq)}))
		}
		name := fmt.Sprintf("%020d.jsonl", i*n+1)
		if i < segments {
			s.names = append(s.names, name)
			s.plain[name] = b.String()
		}
		if err := os.WriteFile(s.path(name), []byte(b.String()), 0o640); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-48 * time.Hour).Truncate(time.Microsecond)
		if err := os.Chtimes(s.path(name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *store) path(name string) string { return filepath.Join(s.dir, "log", name) }

// sealed is what a seal.Keeper would say.
func (s *store) sealed(name string) (string, int64, bool, error) {
	plain, ok := s.plain[name]
	sum := sha256.Sum256([]byte(plain))
	return hex.EncodeToString(sum[:]), int64(len(plain)), ok, nil
}

func (s *store) open(t *testing.T, o Options) *Compressor {
	t.Helper()
	if o.After == 0 {
		o.After = time.Hour
	}
	if o.Sealed == nil {
		o.Sealed = s.sealed
	}
	c, err := Open(s.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// whole tells that each record is there once, whatever files it is in.
func (s *store) whole(t *testing.T, records int) {
	t.Helper()
	log, err := format.OpenLog(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for ln, err := range log.Forward(0) {
		if n++; err != nil || ln.Seq != n {
			t.Fatalf("Forward() gives record %d, %v, want %d", ln.Seq, err, n)
		}
	}
	if n != uint64(records) {
		t.Errorf("%d records are left, want %d", n, records)
	}
}

// files names the segments' files.
func (s *store) files(t *testing.T) (names []string) {
	t.Helper()
	ents, err := os.ReadDir(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ents {
		names = append(names, e.Name())
	}
	return names
}

// later is a clock that can be moved.
type later struct{ by time.Duration }

func (l *later) now() time.Time { return time.Now().Add(l.by) }

func TestPassesCompressAllButTheActiveSegment(t *testing.T) {
	s, clock := newStore(t, 3, 3000), new(later)
	c := s.open(t, Options{Now: clock.now})
	if err := c.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(s.files(t)); got != 7 {
		t.Errorf("after one pass there are %v, want both files of each sealed segment", s.files(t))
	}
	s.whole(t, 12000)
	before, err := os.Stat(s.path(s.names[0]))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.pass(t.Context()); err != nil || len(s.files(t)) != 7 {
		t.Errorf("a pass at once: %v, %v, want both files still", s.files(t), err)
	}
	clock.by = time.Minute
	if err := c.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{s.names[0] + ".zst", s.names[1] + ".zst", s.names[2] + ".zst", fmt.Sprintf("%020d.jsonl", 9001)}
	if got := s.files(t); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("files = %v, want %v", got, want)
	}
	s.whole(t, 12000)
	after, err := os.Stat(s.path(s.names[0] + ".zst"))
	if err != nil || !after.ModTime().Equal(before.ModTime()) || after.Mode() != before.Mode() {
		t.Errorf("the compressed file has the time %v and mode %v, %v, want %v and %v", after.ModTime(), after.Mode(), err, before.ModTime(), before.Mode())
	}
	if st := c.Stats(); st.Segments != 3 || st.Plain == 0 || st.Stored == 0 || st.Stored > st.Plain/3 || st.Failures != 0 {
		t.Errorf("Stats() = %+v, want 3 segments at a third of their size or less", st)
	}
}

func TestWhatIsNotCompressed(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    func(s *store) Options
		do   func(t *testing.T, s *store)
	}{
		{"younger than wanted", func(*store) Options { return Options{After: 72 * time.Hour} }, nil},
		{"not sealed", func(*store) Options {
			return Options{Sealed: func(string) (string, int64, bool, error) { return "", 0, false, nil }}
		}, nil},
		{"changed since it was sealed", nil, func(t *testing.T, s *store) {
			for _, name := range s.names {
				old, err := os.Stat(s.path(name))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(s.path(name), []byte(strings.Replace(s.plain[name], "record 1", "record 2", 1)), 0o640); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(s.path(name), old.ModTime(), old.ModTime()); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, 2, 500)
			var o Options
			if tt.o != nil {
				o = tt.o(s)
			}
			if tt.do != nil {
				tt.do(t, s)
			}
			before := strings.Join(s.files(t), " ")
			c := s.open(t, o)
			for range 2 {
				if err := c.pass(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := strings.Join(s.files(t), " "); got != before {
				t.Errorf("files = %v, want %v", got, before)
			}
		})
	}
}

// A kill before any step leaves a log that reads as before, and the next process brings the work to its end.
func TestEachStepMayBeTheLast(t *testing.T) {
	errKill := errors.New("killed")
	for n := 1; ; n++ {
		s, clock := newStore(t, 2, 2500), new(later)
		left := n
		step := func(string) error {
			if left--; left == 0 {
				return errKill
			}
			return nil
		}
		killed := false
		for range 3 {
			c := s.open(t, Options{Now: clock.now, step: step})
			for range 2 { // a process that goes on after an error, and one that is killed by it
				if err := c.pass(t.Context()); errors.Is(err, errKill) {
					killed = true
				} else if err != nil {
					t.Fatal(err)
				}
				s.whole(t, 7500)
				clock.by += time.Minute
			}
		}
		for range 2 {
			c := s.open(t, Options{Now: clock.now})
			if err := c.clean(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := c.pass(t.Context()); err != nil {
					t.Fatal(err)
				}
				clock.by += time.Minute
			}
		}
		s.whole(t, 7500)
		want := []string{s.names[0] + ".zst", s.names[1] + ".zst", fmt.Sprintf("%020d.jsonl", 5001)}
		if got := s.files(t); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("a kill before step %d: files = %v, want %v", n, got, want)
		}
		if !killed {
			if n < 8 {
				t.Errorf("only %d steps were seen", n)
			}
			return
		}
	}
}

// A compressed file that does not hold what was sealed never takes the place of the plain one.
func TestWrongCompressedFileIsMadeAnew(t *testing.T) {
	for _, tt := range []struct{ name, data string }{
		{"empty", ""},
		{"no Zstandard", "hello"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, clock := newStore(t, 1, 1000), new(later)
			if err := os.WriteFile(s.path(s.names[0]+".zst"), []byte(tt.data), 0o640); err != nil {
				t.Fatal(err)
			}
			c := s.open(t, Options{Now: clock.now})
			for range 4 {
				_ = c.pass(t.Context()) // says what it found
				s.whole(t, 2000)
				clock.by += time.Minute
			}
			if got := s.files(t); len(got) != 2 || got[0] != s.names[0]+".zst" {
				t.Errorf("files = %v, want a compressed one made anew", got)
			}
			s.whole(t, 2000)
		})
	}
}

// A segment that is removed by rule while it is compressed does not come back.
func TestRemovedSegmentStaysRemoved(t *testing.T) {
	s := newStore(t, 1, 1000)
	c := s.open(t, Options{step: func(step string) error {
		if step == "sync" {
			return os.Remove(s.path(s.names[0]))
		}
		return nil
	}})
	if err := c.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.files(t); len(got) != 1 {
		t.Errorf("files = %v, want the active segment alone", got)
	}
}

// Run looks once a minute, not at all when nothing is to be compressed, and at once when that changes.
func TestRun(t *testing.T) {
	s := newStore(t, 1, 1000)
	synctest.Test(t, func(t *testing.T) {
		looked := 0
		c, err := Open(s.dir, Options{Sealed: func(string) (string, int64, bool, error) { looked++; return "", 0, false, nil },
			Now: func() time.Time { return time.Now().AddDate(40, 0, 0) }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if looked != 0 {
			t.Errorf("without an age it looked %d times, want 0", looked)
		}
		c.SetAfter(time.Hour)
		time.Sleep(time.Hour)
		synctest.Wait()
		if looked < 55 || looked > 65 {
			t.Errorf("in an hour it looked %d times, want about 60", looked)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
}
