package format_test

import (
	"testing"

	"shiplog/format"
)

// benchLine is as long as the records of a busy box are: about 350 bytes.
const benchLine = `{"v":1,"seq":4711,"eseq":812,"id":"01937f6a-5b1c-7def-8123-0123456789ab","time":"2026-01-02T03:04:05.678901234Z","obs":"2026-01-02T03:04:05.679Z","stream":"log","level":"INFO","category":"container","action":"container.start","msg":"Start container (docker, d59bf8a8b229, dtest-17)","actor":{"name":"admin"},"obj":{"type":"container","id":"d59bf8a8b229d59bf8a8b229d59bf8a8b229","name":"dtest-17","image":"busybox:latest"},"engine":"docker","host":"nas"}`

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
