package cli

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// logged returns what a logger writes to a file, which is the journal's stream when stream gives its number.
func logged(t *testing.T, l *logFlags, stream func(st *syscall.Stat_t) string, tell func(*slog.Logger)) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	p := &Program{Stderr: f, Env: func(name string) string {
		if name == "JOURNAL_STREAM" {
			return stream(&st)
		}
		return ""
	}}
	tell(l.logger(p))
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func own(st *syscall.Stat_t) string { return fmt.Sprintf("%d:%d", st.Dev, st.Ino) }

func tellAll(log *slog.Logger) {
	log.Debug("d")
	log.With("a", 1).Info("i\n<0>x")
	log.WithGroup("g").Warn("w", "time", "noon")
	log.Error("e")
}

func TestLogLines(t *testing.T) {
	other := func(st *syscall.Stat_t) string { return fmt.Sprintf("%d:%d", st.Dev, st.Ino+1) }
	none := func(*syscall.Stat_t) string { return "" }
	tests := []struct {
		name   string
		flags  *logFlags
		stream func(*syscall.Stat_t) string
		want   []string // what the lines begin with
	}{
		{"to the journal", &logFlags{level: "debug"}, own,
			[]string{"<7>level=DEBUG msg=d\n", `<6>level=INFO msg="i\n<0>x" a=1` + "\n", "<4>level=WARN msg=w g.time=noon\n", "<3>level=ERROR msg=e\n"}},
		{"to the journal as JSON", &logFlags{format: "json"}, own,
			[]string{`<6>{"level":"INFO","msg":"i\n<0>x","a":1}`, `<4>{"level":"WARN","msg":"w","g":{"time":"noon"}}`, `<3>{"level":"ERROR"`}},
		{"elsewhere than to the inherited journal", &logFlags{level: "warn"}, other, []string{"time=", "time="}},
		{"without a journal", &logFlags{level: "error"}, none, []string{"time="}},
		{"as JSON", &logFlags{level: "error", format: "json"}, none, []string{`{"time":"`}},
		{"by default", &logFlags{}, none, []string{"time=", "time=", "time="}},
	}
	for _, tt := range tests {
		got := logged(t, tt.flags, tt.stream, tellAll)
		lines := strings.SplitAfter(got, "\n")
		if len(lines) != len(tt.want)+1 {
			t.Errorf("%s: logged %q, want %d lines", tt.name, got, len(tt.want))
			continue
		}
		for i, want := range tt.want {
			if !strings.HasPrefix(lines[i], want) {
				t.Errorf("%s: line %d = %q, want %q", tt.name, i+1, lines[i], want)
			}
		}
	}
}

func TestJournalLinesDoNotMix(t *testing.T) {
	got := logged(t, &logFlags{format: "json"}, own, func(log *slog.Logger) {
		var writers sync.WaitGroup
		for w := range 8 {
			one := log.With("writer", w)
			writers.Go(func() {
				for i := range 50 {
					one.Info("line", "i", i)
				}
			})
		}
		writers.Wait()
	})
	n := 0
	for line := range strings.Lines(got) {
		text, ok := strings.CutPrefix(line, "<6>")
		if n++; !ok || !json.Valid([]byte(text)) {
			t.Fatalf("line %d = %q, want <6> and JSON", n, line)
		}
	}
	if n != 400 {
		t.Errorf("there are %d lines, want 400", n)
	}
}
