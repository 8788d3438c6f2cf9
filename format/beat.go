package format

import "time"

// UntilBeat tells for how long to wait for what is to be done every so often: until the wall clock is at a whole
// multiple of every. So all that looks now and then, in this process and in others of the box, does so at the same
// moment, and the processor sleeps in between. It returns more than a quarter of every and at most five quarters,
// whatever the clock does; every must be positive.
func UntilBeat(now time.Time, every time.Duration) time.Duration {
	left := every - now.Sub(now.Truncate(every)) // Truncate leaves the monotonic clock out, and so does Sub
	if left <= every/4 {
		left += every // it has only just been done, or is being done
	}
	return left
}
