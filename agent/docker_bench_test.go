package agent

import (
	"bytes"
	"os"
	"testing"
)

// BenchmarkDockerEvent is decoding, redaction and mapping of the recorded streams.
func BenchmarkDockerEvent(b *testing.B) {
	raw, err := os.ReadFile("testdata/docker/08-compose-labels.jsonl")
	if err != nil {
		b.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	b.ReportAllocs()
	for b.Loop() {
		m := NewDockerMapper(MapperOptions{})
		for _, l := range lines {
			if _, err := m.Event(l); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(lines)), "ns/event")
}
