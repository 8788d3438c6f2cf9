package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func readLines(t *testing.T, path string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}

// TestDockerGolden runs every recorded stream through the mapper. The golden files were read line by line
// against the commands that caused the events; see the .commands files beside the streams.
func TestDockerGolden(t *testing.T) {
	streams, _ := filepath.Glob("testdata/docker/*.jsonl")
	if len(streams) < 9 {
		t.Fatalf("%d recorded streams, want 9", len(streams))
	}
	for _, path := range streams {
		name := filepath.Base(path)
		t.Run(strings.TrimSuffix(name, ".jsonl"), func(t *testing.T) {
			m := NewDockerMapper(MapperOptions{})
			var out tape
			for i, raw := range readLines(t, path) {
				ms, err := m.Event(raw)
				if err != nil {
					t.Fatalf("%s line %d: %v", name, i+1, err)
				}
				if err := Store(ms, out.write); err != nil {
					t.Fatal(err)
				}
			}
			if err := Store(m.Flush(), out.write); err != nil {
				t.Fatal(err)
			}
			checkGolden(t, "docker/"+name, out.lines.Bytes())
		})
	}
}
