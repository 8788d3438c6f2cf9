package format

import (
	"log/slog"
	"time"
)

// Retry is the patience of work that is done every so often: after a failure it is tried again, later each time. What is
// said of it is said once, for the disk may be the one that the messages go to. It has one user.
type Retry struct {
	Every, Most  time.Duration // from one attempt to the next; the most that becomes of it
	Fails, Works string        // what is logged when it begins to fail, and when that ends
	Logger       *slog.Logger

	failed int // attempts in a row
}

// Next returns how long to wait after an attempt that ended with err: Every after one that went well, twice as long
// after each in a row that did not, up to Most.
func (r *Retry) Next(err error) time.Duration {
	switch {
	case err != nil:
		if r.failed++; r.failed == 1 {
			r.Logger.Warn(r.Fails, "err", err)
		}
		return min(r.Every<<min(r.failed, 10), r.Most)
	case r.failed > 0:
		r.Logger.Info(r.Works)
		r.failed = 0
	}
	return r.Every
}
