package prune

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var y2026 = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// fakeClock is a wall clock that can be set, beside an uptime that cannot.
type fakeClock struct {
	wall time.Time
	up   time.Duration
}

func (c *fakeClock) now() time.Time        { return c.wall }
func (c *fakeClock) uptime() time.Duration { return c.up }

func (c *fakeClock) pass(d time.Duration) { c.wall, c.up = c.wall.Add(d), c.up+d }

func TestAClockThatWasSetIsDoubtedForADay(t *testing.T) {
	for _, jump := range []time.Duration{50 * 365 * day, -50 * 365 * day, 2 * time.Hour, -2 * time.Hour} {
		f := &fakeClock{wall: y2026, up: time.Minute}
		c := newClock(f.now, f.uptime)
		f.pass(100 * day)
		if _, _, doubt := c.read(y2026); doubt != "" {
			t.Errorf("after 100 quiet days read() doubts: %s", doubt)
		}
		f.wall = f.wall.Add(jump)
		f.pass(time.Minute)
		newest := y2026
		if jump < 0 {
			newest = f.wall // else it is behind the newest record for 50 years
		}
		for passed := time.Minute; passed < day; passed += time.Hour {
			if _, _, doubt := c.read(newest); !strings.Contains(doubt, "was set by") {
				t.Fatalf("%v after a jump of %v read() doubts %q, want that it was set", passed, jump, doubt)
			}
			f.pass(time.Hour)
		}
		f.pass(time.Hour)
		if _, _, doubt := c.read(newest); doubt != "" {
			t.Errorf("a day after a jump of %v read() doubts: %s", jump, doubt)
		}
	}
}

func TestAClockBehindTheNewestRecordIsDoubted(t *testing.T) {
	f := &fakeClock{wall: time.Unix(0, 0)} // a box without a battery
	c := newClock(f.now, f.uptime)
	f.pass(400 * day)
	if _, _, doubt := c.read(y2026); !strings.Contains(doubt, "the newest record is from 2026-11-26") {
		t.Errorf("read() in 1971 doubts %q, want that there is a record of 2026", doubt)
	}
}

// spansOf makes spans of the days, counted from y2026, on which segments begin and end.
func spansOf(ends ...int) []span {
	var all []span
	for i := 0; i < len(ends); i += 2 {
		var s span
		s.add(y2026.Add(time.Duration(ends[i]) * day))
		s.add(y2026.Add(time.Duration(ends[i+1]) * day))
		all = append(all, s)
	}
	return all
}

func TestAges(t *testing.T) {
	const years50 = 50 * 365
	for _, c := range []struct {
		name        string
		spans       []span
		now         int           // day, from y2026
		up          time.Duration // of the process, all of it
		clock, live []int         // days
	}{
		{"a log without a gap", spansOf(0, 10, 10, 20, 20, 25), 30, 0, []int{20, 10, 5}, []int{20, 10, 5}},
		{"50 years ahead from one segment to the next", spansOf(0, 10, years50, years50, years50, years50+1), years50 + 2, 0,
			[]int{years50 - 8, 2, 1}, []int{2, 2, 1}},
		{"50 years ahead inside of a segment", []span{spansOf(0, 10)[0], {first: y2026.Add(10 * day), last: y2026.Add(years50 * day), lived: 5 * day}}, years50 + 1, 0,
			[]int{years50 - 9, 1}, []int{6, 1}},
		{"50 years ahead since the newest record", spansOf(0, 10, 10, 20), years50, 0, []int{years50 - 10, years50 - 20}, []int{10, 0}},
		{"the newest segments are empty", append(spansOf(0, 10, 10, 20), span{}, span{}), 25, 5 * day, []int{15, 5, 0, 0}, []int{15, 5, 0, 0}},
		{"50 years back", spansOf(0, 10, 10, 20), -years50, 0, []int{0, 0}, []int{10, 0}},
		{"in 1970 at each start, until the time is known", spansOf(0, 10, -20000, 20, -20000, 30), 31, 0, []int{21, 11, 1}, []int{1, 1, 1}},
		{"a segment from the future between others", spansOf(0, 10, 10, years50, 11, 20), 30, 0, []int{20, 10, 10}, []int{19, 19, 10}},
		{"a process that was quiet for 100 days", spansOf(0, 10, 10, 20), 125, 100 * day, []int{115, 105}, []int{115, 105}},
		{"a box that was off for 100 days, and a minute of work", spansOf(0, 10, 10, 20), 120, 0, []int{110, 100}, []int{10, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := y2026.Add(time.Duration(c.now) * day)
			f := &fakeClock{wall: now.Add(-c.up)}
			k := newClock(f.now, f.uptime)
			f.pass(c.up)
			files := make([]file, len(c.spans))
			k.ages(files, c.spans, f.wall, f.up)
			var clock, live []int
			for _, f := range files {
				clock, live = append(clock, int(f.clock/day)), append(live, int(f.lived/day))
			}
			if !slices.Equal(clock, c.clock) || !slices.Equal(live, c.live) {
				t.Errorf("ages() = %d by the clock and %d lived, want %d and %d", clock, live, c.clock, c.live)
			}
		})
	}
}

func TestTheDayOfDoubtIsByTheUptime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, set := time.Now(), time.Duration(0)
		c := newClock(func() time.Time { return time.Now().Add(set) }, func() time.Duration { return time.Since(begun) })
		newest := time.Now()
		set = 50 * 365 * day
		if _, _, doubt := c.read(newest); doubt == "" {
			t.Error("read() after a jump of 50 years doubts nothing")
		}
		time.Sleep(day - time.Minute)
		if _, _, doubt := c.read(newest); doubt == "" {
			t.Error("read() a day but a minute later doubts nothing")
		}
		time.Sleep(2 * time.Minute)
		if _, _, doubt := c.read(newest); doubt != "" {
			t.Errorf("read() after a day doubts: %s", doubt)
		}
	})
}
