package agent

import (
	"bytes"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shiplog/format"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew; look at every changed line")

// tape takes records as a writer would and keeps their lines without what differs from run to run.
type tape struct {
	seq, eseq uint64
	lines     bytes.Buffer
	recs      []*format.Record
}

func (tp *tape) write(recs ...*format.Record) error {
	for _, r := range recs {
		tp.seq++
		r.Seq = tp.seq
		if r.Eseq == format.NextEseq {
			tp.eseq++
			r.Eseq = tp.eseq
		}
		if err := r.Validate(); err != nil {
			return err
		}
		tp.lines.Write(format.AppendLine(nil, r))
		tp.recs = append(tp.recs, r)
	}
	return nil
}

// checkGolden compares got with testdata/golden/name.
func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(want, got) { // the diff takes seconds under the race detector
		return
	}
	if diff := cmp.Diff(bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n"))); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// waitFor waits until ok is true, and fails the test when that takes too long.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10s for %s", what)
		}
	}
}

// quiet is a logger for tests that provoke warnings.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
