package index

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// benchRecords is how many records benchmarks run on: SHIPLOG_BENCH_RECORDS, or 100,000.
func benchRecords(b *testing.B) int {
	s := os.Getenv("SHIPLOG_BENCH_RECORDS")
	if s == "" {
		return 100_000
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// benchLog makes the workload's data directory, once for a process.
func benchLog(b *testing.B) (dir string, n int) {
	b.Helper()
	n = benchRecords(b)
	if dir := os.Getenv("SHIPLOG_BENCH_DATA"); dir != "" { // made before: go run ./scripts/workload -data
		return dir, n
	}
	dir = filepath.Join(b.TempDir(), "data")
	cmd := exec.Command("go", "run", "shiplog/scripts/workload", "-n", strconv.Itoa(n), "-data", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return dir, n
}

// anonKiB is the process's anonymous resident memory.
func anonKiB() int {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, _ := strconv.Atoi(strings.Fields(v)[0])
			return n
		}
	}
	return 0
}

// benchQueries are the queries that the figures of this package are about.
func benchQueries(n int) []struct {
	name string
	q    Query
} {
	day := time.Date(2026, 10, 15, 0, 0, 0, 0, time.UTC)
	return []struct {
		name string
		q    Query
	}{
		{"latest 20", Query{Limit: 20}},
		{"errors of two categories", Query{Levels: []format.Level{"ERROR"}, Categories: []string{"image", "export"}, Limit: 20}},
		{"user and day", Query{User: "user16", From: day, To: day.AddDate(0, 0, 1)}},
		{"deep offset", Query{Offset: n / 2, Limit: 20}},
		{"errors at a deep offset", Query{Levels: []format.Level{"ERROR"}, Offset: n / 50, Limit: 20}},
		{"container by id", Query{ObjID: "1ecdc1ef53c9", Limit: 20}},
		{"text of 12 hex", Query{Text: "68a6eb33c3d5", Limit: 100}},
		{"text of 7 hex inside", Query{Text: "6eb33c3", Limit: 100}},
		{"common text", Query{Text: "start", Limit: 20}},
		{"no hit of letters", Query{Text: "qqzzxxyy", Limit: 20}},
		{"no hit of 12 hex", Query{Text: "0f0e0d0c0b0a", Limit: 20}},
		{"no hit of common grams", Query{Text: "stop container disconnect", Limit: 20}},
		{"no hit with a number", Query{Text: "-4711,", Limit: 20}},
		{"rare phrase of common grams", Query{Text: "kill container (lxc, ", Limit: 20}},
		{"latest 20 by time", Query{ByTime: true, Limit: 20}},
		{"latest 20 of an actor by time", Query{ByTime: true, Limit: 20, Facets: actorOrType("user16")}},
		{"next 20 by time in the middle", Query{ByTime: true, Limit: 20, Past: Place{day.UnixNano(), 1}}},
		{"common text by time", Query{ByTime: true, Text: "start", Limit: 20}},
		{"deep offset by time", Query{ByTime: true, Offset: n / 2, Limit: 200}},
		{"deep offset of an actor by time", Query{ByTime: true, Offset: n / 100, Limit: 200, Facets: actorOrType("user01")}},
		{"latest 20 of an actor", Query{Limit: 20, Facets: actorOrType("user16")}},
		{"latest 20 of an object by function", Query{Limit: 20, Object: func(_, name, _, _ string) bool { return name == "nginx-1" }}},
	}
}

// actorOrType is a condition such as ownership: no column of its own decides it.
func actorOrType(name string) func(*Facets) bool {
	return func(f *Facets) bool { return f.ActorName == name || f.ObjType == "volume" || f.HSS }
}

func BenchmarkQueries(b *testing.B) {
	dir, n := benchLog(b)
	x, err := Open(dir, Options{Dir: filepath.Join(dir, "index")})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	build(b, x, n)
	ctx := context.Background()
	for _, bq := range benchQueries(n) {
		b.Run(bq.name, func(b *testing.B) {
			var took []time.Duration
			hits, cpu := 0, cpuTime()
			for b.Loop() {
				start := time.Now()
				p, err := x.Search(ctx, bq.q)
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
				hits = len(p.Hits)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/1e3, "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100])/1e3, "p99-us")
			b.ReportMetric(float64(hits), "hits")
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(len(took)), "cpu-us")
		})
	}
	b.Run("count of category and user", func(b *testing.B) {
		for b.Loop() {
			if _, err := x.Count(ctx, Query{Categories: []string{"container"}, User: "admin"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("count of container and user by columns", func(b *testing.B) {
		for b.Loop() {
			if _, err := x.Count(ctx, Query{ObjName: "nginx-1", User: "admin"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("count with facets", func(b *testing.B) {
		for b.Loop() {
			if _, err := x.Count(ctx, Query{Facets: actorOrType("user16")}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("group by day and facets", func(b *testing.B) {
		for b.Loop() {
			if _, err := x.GroupBy(ctx, Query{}, func(f *Facets) string { return f.Action }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("group by day and category", func(b *testing.B) {
		for b.Loop() {
			if _, err := x.Group(ctx, Query{}, ByCategory); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("each of all", func(b *testing.B) {
		bytes := 0
		for b.Loop() {
			bytes = 0
			for f, err := range x.Each(ctx, Query{Ascending: true}) {
				if err != nil {
					b.Fatal(err)
				}
				bytes += len(f.Line)
			}
		}
		b.SetBytes(int64(bytes))
	})
	b.Logf("anonymous memory at the end: %d KiB; %+v", anonKiB(), x.Stats())
}

// BenchmarkColumns is what the first look at a segment costs.
func BenchmarkColumns(b *testing.B) {
	dir, n := benchLog(b)
	cpu := cpuTime()
	for b.Loop() {
		x, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := x.Count(context.Background(), Query{Categories: []string{"container"}}); err != nil {
			b.Fatal(err)
		}
		x.Close()
	}
	b.ReportMetric((cpuTime()-cpu).Seconds()*1e6/float64(n)/float64(b.N), "cpu-s/M")
}

// BenchmarkBuild is what all indexes of sealed segments cost: columns, gate and Bleve.
func BenchmarkBuild(b *testing.B) {
	dir, n := benchLog(b)
	for b.Loop() {
		x, err := Open(dir, Options{Dir: filepath.Join(b.TempDir(), "index")})
		if err != nil {
			b.Fatal(err)
		}
		cpu := cpuTime()
		build(b, x, n)
		b.ReportMetric((cpuTime()-cpu).Seconds()*1e6/float64(n), "cpu-s/M")
		x.Close()
	}
}

// build makes all indexes and says what they cost.
func build(b *testing.B, x *Index, n int) {
	b.Helper()
	stop, peak := make(chan struct{}), 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				peak = max(peak, anonKiB())
			}
		}
	}()
	snap, err := x.look()
	if err != nil {
		b.Fatal(err)
	}
	cpu := cpuTime()
	if err := x.catchUp(context.Background(), snap); err != nil {
		b.Fatal(err)
	}
	cpu = cpuTime() - cpu
	close(stop)
	<-done
	sizes := map[string]int64{}
	total := int64(0)
	_ = filepath.WalkDir(x.opts.Dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			fi, _ := e.Info()
			rel, _ := filepath.Rel(x.opts.Dir, p)
			part := strings.Split(rel, "/")[1]
			sizes[part] += fi.Size()
			total += fi.Size()
		}
		return nil
	})
	per := ""
	for _, k := range []string{columnsFile, gateFile, bleveFolder, manifestFile} {
		per += fmt.Sprintf(" %s %.1f", k, float64(sizes[k])/float64(n))
	}
	b.Logf("build: %.1f CPU s per million records, %.1f bytes a record (%s ), anonymous memory up to %d KiB",
		cpu.Seconds()*1e6/float64(n), float64(total)/float64(n), per, peak)
}
