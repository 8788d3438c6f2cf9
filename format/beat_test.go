package format_test

import (
	"testing"
	"time"

	"shiplog/format"
)

func TestAllWaitForTheSameBeat(t *testing.T) {
	at := func(clock string) time.Time {
		when, err := time.Parse(time.RFC3339Nano, "2026-11-26T"+clock+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, row := range []struct {
		name, now   string
		every, want time.Duration
	}{
		{"on the beat", "10:00:30", 30 * time.Second, 30 * time.Second},
		{"long before it", "10:00:31", 30 * time.Second, 29 * time.Second},
		{"so shortly before it that the next one is meant", "10:00:29.999", 30 * time.Second, 30*time.Second + time.Millisecond},
		{"a quarter before it", "10:00:15", 20 * time.Second, 25 * time.Second},
		{"more than a quarter before it", "10:00:14", 20 * time.Second, 6 * time.Second},
		{"every minute and a half, on a beat of half a minute", "10:00:00", 90 * time.Second, 90 * time.Second},
	} {
		if got := format.UntilBeat(at(row.now), row.every); got != row.want {
			t.Errorf("%s: UntilBeat(%s, %v) = %v, want %v", row.name, row.now, row.every, got, row.want)
		}
	}
	for _, now := range []time.Time{{}, time.Unix(-1e10, 1), time.Unix(1<<40, 0), time.Now()} {
		for _, every := range []time.Duration{time.Nanosecond, 20 * time.Millisecond, 7 * time.Second, time.Hour} {
			if got := format.UntilBeat(now, every); got <= every/4 || got > every+every/4 {
				t.Errorf("UntilBeat(%v, %v) = %v, want more than a quarter and at most five", now, every, got)
			}
		}
	}
}
