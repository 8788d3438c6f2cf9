package format_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shiplog/format"
)

// benchSegment is a few frames of records that differ as those of a box do: another number, id and container in each.
func benchSegment(lines int) string {
	var b strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for i := range lines {
		id := fmt.Sprintf("%012x", r.Uint64()>>16)
		b.WriteString(strings.NewReplacer(`"seq":4711`, fmt.Sprintf(`"seq":%d`, i+1), "0123456789ab", id, "dtest-17", fmt.Sprintf("dtest-%d", i%700)).Replace(benchLine))
		b.WriteByte('\n')
	}
	return b.String()
}

// BenchmarkCompress is what it costs to compress a segment.
func BenchmarkCompress(b *testing.B) {
	plain := benchSegment(8 * format.FrameLines)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	stored := 0
	for b.Loop() {
		var n counter
		w, err := format.NewFrameWriter(&n)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(w, plain); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		stored = int(n)
	}
	b.ReportMetric(float64(stored)/float64(8*format.FrameLines), "stored-B/record")
}

// counter counts what is written to it.
type counter int

func (n *counter) Write(p []byte) (int, error) {
	*n += counter(len(p))
	return len(p), nil
}

// BenchmarkReadCompressed reads one line of a compressed segment that was not open before: one frame is decompressed.
func BenchmarkReadCompressed(b *testing.B) {
	dir := b.TempDir()
	plain := benchSegment(8 * format.FrameLines)
	if err := os.WriteFile(filepath.Join(dir, name1+format.CompressedSuffix), compressed(b, plain), 0o640); err != nil {
		b.Fatal(err)
	}
	log, err := format.OpenLog(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	line := make([]byte, 400)
	for i := 0; b.Loop(); i++ {
		f, err := log.OpenSegment(name1)
		if err == nil {
			_, err = f.ReadAt(line, int64(i*7919%8*(len(plain)/8)))
		}
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
