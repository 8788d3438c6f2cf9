package index

import (
	"fmt"
	"testing"

	"shiplog/format"
)

// TestOffsetsInBothForms writes and reads columns whose lines lie near each other, and far.
func TestOffsetsInBothForms(t *testing.T) {
	for _, row := range []struct {
		name     string
		offset   func(i int) int64
		shuffled bool
		near     bool
	}{
		{"lines of half a KiB", func(i int) int64 { return int64(i) * 515 }, false, true},
		{"lines that just fit", func(i int) int64 { return int64(i) * 65535 / 31 }, false, true},
		{"one long line at the end of a group", func(i int) int64 { return int64(i)*100 + int64((i+1)/offGroup)<<20 }, false, false},
		{"long lines between groups", func(i int) int64 { return int64(i)*100 + int64(i/offGroup)<<20 }, false, true},
		{"lines beyond 4 GiB", func(i int) int64 { return int64(i)*100 + 1<<33 }, false, false},
		{"lines beside 4 GiB", func(i int) int64 { return int64(i)*100 + 1<<32 - 500 }, false, false},
		{"lines before the first of their group", func(i int) int64 { return int64(i^1) * 100 }, true, false},
	} {
		for _, rows := range []int{1, offGroup, 1000} {
			b := newBuilder(false)
			for i := range rows {
				var f format.Fields
				if err := format.ScanLine(fmt.Appendf(nil, `{"seq":%d}`, i+1), &f); err != nil {
					t.Fatal(err)
				}
				b.add(&f, row.offset(i), row.offset(max(rows, 1001)))
			}
			c := b.view()
			c.shuffled = row.shuffled
			got, err := decodeColumns(aligned(c.encode()))
			if err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			if near := got.offNear != nil; rows == 1000 && near != row.near {
				t.Errorf("%s: near = %t, want %t", row.name, near, row.near)
			}
			for i := range rows {
				if got.offset(i) != row.offset(i) {
					t.Fatalf("%s: offset(%d) = %d, want %d", row.name, i, got.offset(i), row.offset(i))
				}
			}
		}
	}
}
