package main

import "fmt"

// target gives the row a target: text says it, met whether it was met, and whether that can be told at all.
func (f *figure) target(text string, met func(*figure) (met, known bool)) {
	f.Target, f.met = text, met
}

// timesFloor: at most k times an empty handler, asked in turn with it.
func (f *figure) timesFloor(k float64) {
	f.target(fmt.Sprintf("<= %g x floor", k), func(f *figure) (bool, bool) {
		c := f.Cells[shiplog]
		return c != nil && c.Value <= k*c.Floor, c != nil && c.Floor > 0
	})
}

// overFloor: at most that many milliseconds more than an empty handler.
func (f *figure) overFloor(ms float64) {
	f.target(fmt.Sprintf("<= %g ms + floor", ms), func(f *figure) (bool, bool) {
		c := f.Cells[shiplog]
		return c != nil && c.Value <= ms+c.Floor, c != nil && c.Floor > 0
	})
}

// atMost and atLeast: a value in the unit of the row.
func (f *figure) atMost(v float64) {
	f.target(fmt.Sprintf("<= %g %s", v, f.Unit), func(f *figure) (bool, bool) {
		c := f.Cells[shiplog]
		return c != nil && c.Value <= v, c != nil
	})
}

func (f *figure) atLeast(v float64) {
	f.target(fmt.Sprintf(">= %g %s", v, f.Unit), func(f *figure) (bool, bool) {
		c := f.Cells[shiplog]
		return c != nil && c.Value >= v, c != nil
	})
}

// atMostOf: at most that part of what a peer takes.
func (f *figure) atMostOf(peer string, part float64) {
	f.target(fmt.Sprintf("<= %g x %s", part, peer), func(f *figure) (bool, bool) {
		c, p := f.Cells[shiplog], f.Cells[peer]
		if c == nil || p == nil {
			return false, false
		}
		return c.Value <= part*p.Value, true
	})
}
