package format_test

import (
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"

	"shiplog/format"
)

// benchLine is as long as the records of a busy box are: about 350 bytes.
const benchLine = `{"v":1,"seq":4711,"eseq":812,"id":"01937f6a-5b1c-7def-8123-0123456789ab","time":"2026-01-02T03:04:05.678901234Z","obs":"2026-01-02T03:04:05.679Z","stream":"event","level":"INFO","category":"container","action":"container.start","msg":"Start container (docker, d59bf8a8b229, dtest-17)","actor":{"name":"admin"},"obj":{"type":"container","id":"d59bf8a8b229d59bf8a8b229d59bf8a8b229","name":"dtest-17","image":"busybox:latest"},"engine":"docker","host":"nas"}`

func BenchmarkScanLine(b *testing.B) {
	line := []byte(benchLine)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var f format.Fields
	for b.Loop() {
		if err := format.ScanLine(line, &f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseLine(b *testing.B) {
	line := []byte(benchLine)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var r format.Record
	for b.Loop() {
		if err := format.ParseLine(line, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanCanonical(b *testing.B) {
	line := []byte(benchLine)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var c format.Canonical
	for b.Loop() {
		if !format.ScanCanonical(line, &c) {
			b.Fatal("ScanCanonical(benchLine) = false, want true")
		}
	}
}

func BenchmarkAppendLine(b *testing.B) {
	var r format.Record
	if err := format.ParseLine([]byte(benchLine), &r); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(benchLine)))
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = format.AppendLine(buf[:0], &r)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			w := open(b, b.TempDir(), format.Options{})
			var r format.Record
			if err := format.ParseLine([]byte(benchLine), &r); err != nil {
				b.Fatal(err)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						mine := r
						mine.Eseq = 0
						if err := w.Append(b.Context(), &mine); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			s := w.Stats()
			b.ReportMetric(float64(s.Records)/float64(s.Syncs), "records/sync")
			closed(b, w)
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			w := open(b, b.TempDir(), format.Options{})
			recs := make([]*format.Record, batch)
			for i := range recs {
				recs[i] = new(format.Record)
				if err := format.ParseLine([]byte(benchLine), recs[i]); err != nil {
					b.Fatal(err)
				}
				recs[i].Eseq = 0
			}
			b.SetBytes(int64(batch * len(benchLine)))
			for b.Loop() {
				if err := w.Write(recs...); err != nil {
					b.Fatal(err)
				}
			}
			closed(b, w)
		})
	}
}

// BenchmarkForward reads 100,000 records; one operation is one record.
func BenchmarkForward(b *testing.B) {
	dir := b.TempDir()
	w := open(b, dir, format.Options{})
	var r format.Record
	if err := format.ParseLine([]byte(benchLine), &r); err != nil {
		b.Fatal(err)
	}
	const records = 100_000
	for seq := uint64(1); seq <= records; seq++ {
		r.Seq, r.Eseq = seq, 0
		if err := w.Restore(&r); err != nil {
			b.Fatal(err)
		}
	}
	closed(b, w)
	l := openLog(b, dir)
	read := func(b *testing.B, lines iter.Seq2[format.Line, error], limit int) {
		n := 0
		for _, err := range lines {
			if err != nil {
				b.Fatal(err)
			}
			if n++; n == limit {
				return
			}
		}
		if n == 0 {
			b.Fatal("no records")
		}
	}
	for name, lines := range map[string]iter.Seq2[format.Line, error]{"forward": l.Forward(0), "backward": l.Backward(0)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(benchLine)))
			for done := 0; done < b.N; done += records {
				read(b, lines, min(records, b.N-done))
			}
		})
	}
	b.Run("newest 20 of a log opened anew", func(b *testing.B) {
		for b.Loop() {
			read(b, openLog(b, dir).Backward(0), 20)
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Get(54321); err != nil {
				b.Fatal(err)
			}
		}
	})
}
