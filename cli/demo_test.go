package cli

import (
	"bytes"
	"testing"
	"time"
)

// at is a time for record i of a test.
func at(i int) time.Time {
	return time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second)
}

func TestDemoIsAlwaysTheSame(t *testing.T) {
	one, two := newDemo(at(0)).done(at(0)), newDemo(at(0)).done(at(0))
	if len(one) < 2000 || len(one) != len(two) {
		t.Fatalf("newDemo = %d and %d steps, want the same and at least 2000", len(one), len(two))
	}
	for i := range one {
		if !one[i].at.Equal(two[i].at) || !bytes.Equal(one[i].raw, two[i].raw) {
			t.Fatalf("step %d = %s %s, then %s %s", i, one[i].at, one[i].raw, two[i].at, two[i].raw)
		}
	}
}

func TestDemoEndsWithItsContainers(t *testing.T) {
	// Whatever the day of the week, the riddle's containers are gone and the others are there.
	for day := range 7 {
		end := at(0).AddDate(0, 0, day)
		d := newDemo(end)
		steps := d.done(end)
		if first := steps[0].at; end.Sub(first) < (demoDays-1)*24*time.Hour || !steps[len(steps)-1].at.Before(end) {
			t.Errorf("the story goes from %s to %s", first, steps[len(steps)-1].at)
		}
		all, err := d.list(t.Context())
		if err != nil || len(all) != 23 {
			t.Errorf("%d containers, %v; want 23", len(all), err)
		}
		for _, c := range all {
			if c.Name == "paperless" {
				t.Error("paperless is there; it was deleted")
			}
		}
	}
}
