package index

import (
	"testing"
	"time"

	"shiplog/format"
)

// BenchmarkMatch is what the one judge takes for a line that nothing else could decide.
func BenchmarkMatch(b *testing.B) {
	line := []byte(`{"v":1,"seq":4711,"id":"01937f6a-5b1c-7def-8123-0123456789ab","time":"2026-01-02T03:04:05.678901234Z",` +
		`"obs":"2026-01-02T03:04:05.679Z","stream":"log","level":"ERROR","category":"container","action":"container.start",` +
		`"msg":"Start container (docker, d59bf8a8b229, dtest-17): Missing source path \"/share/test/redis:7.2\"","actor":{"name":"admin"},` +
		`"obj":{"type":"container","id":"d59bf8a8b229d59bf8a8b229d59bf8a8b229","name":"dtest-17","image":"busybox:latest"},"engine":"docker","host":"nas"}`)
	var f format.Fields
	if err := format.ScanLine(line, &f); err != nil {
		b.Fatal(err)
	}
	for _, bm := range []struct {
		name string
		q    Query
		want bool
	}{
		{"everything", Query{}, true},
		{"level, category and user", Query{Levels: []format.Level{"ERROR"}, Categories: []string{"image", "container"}, User: "admin"}, true},
		{"a day", Query{From: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)}, true},
		{"text at the end", Query{Text: "redis:7.2"}, true},
		{"text that is not there", Query{Text: "d59bf8a8b228"}, false},
	} {
		b.Run(bm.name, func(b *testing.B) {
			m := newMatcher(&bm.q)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if m.match(&f) != bm.want {
					b.Fatalf("match(%v) = %t, want %t", bm.q, !bm.want, bm.want)
				}
			}
		})
	}
}
