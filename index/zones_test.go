package index

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What is known of a block decides as a look at its times does, in whatever order they stand.
func TestTimeZonesAgreeWithTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(91, 92))
	c := &columns{zones: new(timeZones)}
	for i := range 3*blockRecords + 100 { // the last block is not whole: it may still grow
		c.times = append(c.times, int64(i+r.IntN(50)))
	}
	c.rows = len(c.times)
	for range 2000 / fewer {
		base := blockRecords * r.IntN(4)
		n := min(blockRecords, c.rows-base)
		lo, hi := int64(r.IntN(c.rows)-50), int64(r.IntN(c.rows+100))
		switch r.IntN(4) {
		case 0:
			lo = math.MinInt64
		case 1:
			hi = math.MaxInt64
		}
		if lo > hi {
			continue
		}
		var got, want selection
		from := r.IntN(n)
		got.setRange(from, n)
		want = got
		c.keepTimes(base, n, lo, hi, &got)
		want.keepTimes(c.times[base:base+n], lo, hi)
		if got != want {
			t.Fatalf("keepTimes(%d rows from %d, %d to %d) keeps %d, want %d", n, base, lo, hi, got.count(), want.count())
		}
	}
	if c.zones.get(3).known {
		t.Error("the zone of a block that is not whole is remembered: its other rows may lie outside of it")
	}
}
