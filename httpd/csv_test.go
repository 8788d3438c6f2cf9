package httpd

import (
	"bytes"
	"encoding/csv"
	"math"
	"math/rand"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// The export writes times by its own hand: here it is held to what the standard library writes.
func TestCSVTimesAreWrittenAsTheStandardLibraryWritesThem(t *testing.T) {
	var c csvWriter
	rng := rand.New(rand.NewSource(1))
	at := int64(-90e9)
	times := []int64{0, -1, 1, 999, 1000, 59999999999, 60000000000, math.MaxInt64, math.MinInt64}
	for range 20000 { // times that rise and pass minutes, and some from anywhere
		at += rng.Int63n(5e9)
		if times = append(times, at); rng.Intn(10) == 0 {
			times = append(times, int64(rng.Uint64()))
		}
	}
	for _, at := range times {
		want := time.Unix(0, at).UTC().Format("2006-01-02 15:04:05.000000")
		if got := string(c.time(nil, at)); got != want {
			t.Fatalf("time(%d) = %s, want %s", at, got, want)
		}
	}
}

func TestCSVFieldsAreQuotedWhereverTheReasonStands(t *testing.T) {
	for n := range 40 {
		for i := range n {
			for c := range 256 {
				b := bytes.Repeat([]byte{'+' + byte(n&1)*0x80}, n) // '+' and 0xab: neighbours of what is looked for
				b[i] = byte(c)
				if got, want := quoted(b), strings.IndexByte(",\"\r\n", byte(c)) >= 0; got != want {
					t.Fatalf("quoted(%q) = %v, want %v", b, got, want)
				}
			}
		}
	}
}

// BenchmarkCSV writes one line of an export, by our own writer and, to compare, by encoding/csv; both begin with the
// scanned line.
func BenchmarkCSV(b *testing.B) {
	line := []byte(`{"v":1,"seq":4711,"id":"01937f6a-5b1c-7def-8123-0123456789ab","time":"2026-01-02T03:04:05.678901234Z","obs":"2026-01-02T03:04:05.679Z","stream":"log","level":"INFO","category":"container","action":"container.start","msg":"Start container (docker, d59bf8a8b229, dtest-17)","actor":{"name":"admin"},"obj":{"type":"container","id":"d59bf8a8b229","name":"dtest-17","image":"busybox:latest"},"engine":"docker","host":"nas"}`)
	var f format.Fields
	if err := format.ScanLine(line, &f); err != nil {
		b.Fatal(err)
	}
	size := int64(len(new(csvWriter).append(nil, &f)))
	b.Run("writer=ours", func(b *testing.B) {
		var c csvWriter
		var dst []byte
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			f.Time += 3e9
			dst = c.append(dst[:0], &f)
		}
	})
	b.Run("writer=encoding", func(b *testing.B) {
		var dst bytes.Buffer
		w := csv.NewWriter(&dst)
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			f.Time += 3e9
			row := []string{time.Unix(0, f.Time).UTC().Format("2006-01-02 15:04:05.000000"), shownLevel(f.Level), f.Category.String(), f.User().String(), f.Msg.String()}
			if err := w.Write(row); err != nil {
				b.Fatal(err)
			}
			w.Flush()
			dst.Reset()
		}
	})
}
