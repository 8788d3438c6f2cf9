package index

import (
	"context"
	"testing"

	"shiplog/format"
)

// BenchmarkTerms is what it costs to collect the terms of a segment, without reading its lines and without Bleve.
func BenchmarkTerms(b *testing.B) {
	dir, _ := benchLog(b)
	x, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	snap, err := x.look()
	if err != nil {
		b.Fatal(err)
	}
	type row struct {
		text           []byte
		category, user uint32
	}
	var rows []row
	bytes, made := 0, newBuilder(false)
	_, err = snap.views[0].seg.lines(context.Background(), x.log, made, 0, func(*format.Fields) {
		rows = append(rows, row{append([]byte(nil), made.text...), made.cat.last, made.user.last})
		bytes += len(made.text)
	})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(bytes))
	cpu := cpuTime()
	for b.Loop() {
		t := newTerms(normalLimits)
		for _, r := range rows {
			t.add(r.text, r.category, r.user)
		}
		t.endBlock()
		t.gate(t.stopGrams())
	}
	b.ReportMetric((cpuTime()-cpu).Seconds()*1e6/float64(len(rows))/float64(b.N), "cpu-s/M")
}
