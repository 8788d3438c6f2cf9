package seal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"shiplog/format"
)

// benchRecord is as long as the records of a busy box are: about 350 bytes.
func benchRecord() *format.Record {
	return &format.Record{Stream: format.StreamLog, Level: format.LevelInfo, Category: "container", Action: "container.start",
		Msg: "Start container (docker, d59bf8a8b229, dtest-17)", Actor: format.Actor{Name: "admin"},
		Obj:    format.Object{Type: "container", ID: "d59bf8a8b229d59bf8a8b229d59bf8a8b229", Name: "dtest-17", Image: "busybox:latest"},
		Engine: format.EngineDocker, Host: "nas"}
}

// BenchmarkAppend appends with and without a keeper beside; cpu-us/record is of the whole process, the kernel's part
// included.
func BenchmarkAppend(b *testing.B) {
	for _, sealed := range []bool{false, true} {
		for _, batch := range []int{1, 100} {
			b.Run(fmt.Sprintf("sealed=%v/batch=%d", sealed, batch), func(b *testing.B) {
				dir := b.TempDir()
				w, err := format.Open(dir, format.Options{KeepFree: -1})
				must(b, err)
				ctx, cancel := context.WithCancel(b.Context())
				done := make(chan error, 1)
				if sealed {
					k, err := Open(dir, w, Options{Host: "nas"})
					must(b, err)
					go func() { done <- k.Run(ctx) }()
					defer func() { must(b, k.Close()) }()
				} else {
					done <- nil
				}
				recs := make([]*format.Record, batch)
				for i := range recs {
					recs[i] = benchRecord()
				}
				before := cpu(b)
				for b.Loop() {
					if err := w.Write(recs...); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric((cpu(b)-before)*1e6/float64(b.N*batch), "cpu-us/record")
				cancel()
				must(b, <-done)
			})
		}
	}
}

// cpu is the time that this process has used, in seconds.
func cpu(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkVerify verifies the log in SHIPLOG_BENCH_DIR, or one of 64 MiB.
func BenchmarkVerify(b *testing.B) {
	dir := os.Getenv("SHIPLOG_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
		w, err := format.Open(dir, format.Options{KeepFree: -1})
		must(b, err)
		k, err := Open(dir, w, Options{Host: "nas"})
		must(b, err)
		for w.Stats().Bytes < 64<<20 {
			must(b, w.Write(benchRecord()))
		}
		must(b, w.Sync())
		must(b, k.Close())
		must(b, w.Close())
	}
	bytes := int64(0)
	files, err := filepath.Glob(filepath.Join(dir, "log", "0*.jsonl"))
	must(b, err)
	for _, f := range files {
		fi, err := os.Stat(f)
		must(b, err)
		bytes += fi.Size()
	}
	b.SetBytes(bytes)
	for b.Loop() {
		if r, err := Verify(b.Context(), dir, VerifyOptions{}); err != nil || r.Result != ResultOK {
			b.Fatal(r, err)
		}
	}
}
