package agent

import (
	"math"
	"testing"
	"time"
)

func TestShareOfOneProcessor(t *testing.T) {
	var c cpuShares
	start := time.Unix(1e9, 0)
	for _, step := range []struct {
		name    string
		usage   time.Duration
		at      time.Duration // after start
		started time.Duration
		want    float64
	}{
		{"the first reading counts since the start", time.Second, 10 * time.Second, 0, 0.1},
		{"the next since the one before", 2 * time.Second, 12 * time.Second, 0, 0.5},
		{"a millisecond later the one before stands", 9 * time.Second, 12*time.Second + time.Millisecond, 0, 0.5},
		{"two processors were busy", 6 * time.Second, 14 * time.Second, 0, 2},
		{"a container started again counts anew", 7 * time.Second, 24 * time.Second, 17 * time.Second, 1},
		{"so does one whose counter went back", time.Second, 27 * time.Second, 17 * time.Second, 0.1},
		{"a clock that went back gives no nonsense", 2 * time.Second, 20 * time.Second, 17 * time.Second, 0.1},
	} {
		got := c.share("x", uint64(step.usage), start.Add(step.started), start.Add(step.at))
		if math.Abs(got-step.want) > 1e-9 {
			t.Errorf("%s: share = %v, want %v", step.name, got, step.want)
		}
	}
}
