package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shiplog/format"
)

// mapIncus runs a recorded stream through a mapper.
func mapIncus(t *testing.T, path string, o IncusOptions) *tape {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := NewIncusMapper(o)
	tp := &tape{}
	for i, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		ms, err := m.Event(line)
		if err != nil {
			t.Fatalf("%s line %d: %v", path, i+1, err)
		}
		if err := Store(ms, tp.write); err != nil {
			t.Fatal(err)
		}
	}
	if err := Store(m.Flush(), tp.write); err != nil {
		t.Fatal(err)
	}
	return tp
}

func TestIncusStreamsMapToGoldenFiles(t *testing.T) {
	for _, dir := range []string{"incus", "lxd"} {
		paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.jsonl"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no recorded streams of %s: %v", dir, err)
		}
		for _, path := range paths {
			t.Run(strings.TrimSuffix(path, ".jsonl"), func(t *testing.T) {
				tp := mapIncus(t, path, IncusOptions{Engine: format.Engine(dir)})
				checkGolden(t, filepath.Join(dir, filepath.Base(path)), tp.lines.Bytes())
			})
		}
	}
}
