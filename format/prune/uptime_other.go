//go:build !linux

package prune

import "time"

// uptime returns a clock of the time since this call, which nobody can set.
func uptime() func() time.Duration {
	begun := time.Now()
	return func() time.Duration { return time.Since(begun) }
}
