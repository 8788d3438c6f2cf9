package prune

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime returns a clock of the time since the machine started, also while it slept. Nobody can set it.
func uptime() func() time.Duration {
	return func() time.Duration {
		var t unix.Timespec
		if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
			return 0
		}
		return time.Duration(t.Nano())
	}
}
