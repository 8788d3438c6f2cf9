package prune

import (
	"fmt"
	"time"
)

const (
	maxStep  = 30 * 24 * time.Hour // longer steps from record to record are silence or a clock that was set: nobody knows
	maxDrift = time.Hour           // that the clock may move against the uptime
	distrust = 24 * time.Hour      // so long after it moved more
)

// clock watches the wall clock by the uptime of the machine, which nobody sets.
type clock struct {
	now    func() time.Time
	uptime func() time.Duration

	offset  time.Time // what the wall clock said at uptime 0
	since   time.Time // the wall clock at the start of the process
	started time.Duration
	moved   time.Duration // uptime at which it was seen that the clock had moved; 0: it did not
	by      time.Duration // how far
}

func newClock(now func() time.Time, uptime func() time.Duration) *clock {
	c := &clock{now: now, uptime: uptime}
	c.since, c.started = now().Round(0), uptime()
	c.offset = c.since.Add(-c.started)
	return c
}

// read returns the time, the uptime, and why the time is not to be believed, given the newest record's.
func (c *clock) read(newest time.Time) (now time.Time, up time.Duration, doubt string) {
	now, up = c.now().Round(0), c.uptime()
	if by := now.Sub(c.offset.Add(up)); by.Abs() > maxDrift {
		c.offset, c.moved, c.by = now.Add(-up), max(up, 1), by
	}
	switch {
	case newest.Sub(now) > maxDrift:
		doubt = fmt.Sprintf("the clock says %s, and the newest record is from %s", stamp(now), stamp(newest))
	case c.moved > 0 && up-c.moved < distrust:
		doubt = fmt.Sprintf("the clock was set by %s; it is believed after a day", c.by.Round(time.Second))
	}
	return now, up, doubt
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// step is what counts of the time between two records.
func step(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	if d := to.Sub(from); d > 0 && d <= maxStep {
		return d
	}
	return 0
}

// silence is what counts of the time since the newest record.
func (c *clock) silence(newest, now time.Time, up time.Duration) time.Duration {
	if d := step(newest, now); d > 0 || !now.After(newest) {
		return d
	}
	return step(newest, c.since) + up - c.started
}

// ages gives each file its two ages. spans are those of the files, in the same order.
func (c *clock) ages(files []file, spans []span, now time.Time, up time.Duration) {
	n := len(files)
	if n == 0 {
		return
	}
	lived, end := c.silence(spans[n-1].last, now, up), now
	last := make([]time.Time, n) // of a file, by what later ones say when its own is in the future or missing
	for i := n - 1; i >= 0; i-- {
		s := spans[i]
		if i < n-1 {
			lived += step(s.last, spans[i+1].first) + spans[i+1].lived
		}
		files[i].lived = lived
		if !s.last.IsZero() && !s.last.After(now) {
			end = s.last
		}
		last[i] = end
	}
	for i := range files { // a file is not older than the one before it
		if i > 0 && last[i].Before(last[i-1]) {
			last[i] = last[i-1]
		}
		files[i].clock = now.Sub(last[i])
	}
}
