package prune

import (
	"fmt"
	"slices"
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
	lived, next := time.Duration(0), span{} // next: the one after, of those with records
	last, end := make([]time.Time, len(files)), now
	for i, s := range slices.Backward(spans) {
		switch {
		case s.last.IsZero(): // as old as the one after it
		case next.last.IsZero():
			lived, next = c.silence(s.last, now, up), s
		default:
			lived, next = lived+step(s.last, next.first)+next.lived, s
		}
		if !s.last.IsZero() && !s.last.After(now) { // else it is at least as old as the one after it
			end = s.last
		}
		files[i].lived, last[i] = lived, end
	}
	for i := range files { // a file is not older than the one before it
		if i > 0 && last[i].Before(last[i-1]) {
			last[i] = last[i-1]
		}
		files[i].clock = now.Sub(last[i])
	}
}
