package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"shiplog/format"
)

// A source is one engine's stream of events. Run calls restore, then run and, in another goroutine, the
// methods of the pump; the live methods may be called at any time.
type source interface {
	engine() format.Engine

	// restore rebuilds the state from the log before anything else and returns what a kill left unwritten.
	restore() []Mapped

	// run connects, reads and pushes on the source's queue until ctx ends, reconnecting by itself.
	// It never waits for the pump.
	run(ctx context.Context) error

	// The pump's side, all called by one goroutine.
	event(raw []byte, obs time.Time) []Mapped // one event as received
	rest() func() []Mapped                    // what else it becomes, once that is written; nil: nothing
	tick(now time.Time) []Mapped              // lines held back whose time has come
	deadline() time.Time                      // when tick is due next; zero: nothing is held
	flush() []Mapped                          // all that is held, at the end
	resync()                                  // events were lost: list and compare soon; returns at once

	// Live state. Errors: format.ErrNoContainer, format.ErrAmbiguous, format.ErrEngineDown.
	inspect(ctx context.Context, id string) (format.Container, error)
	list(ctx context.Context) ([]format.Container, error)
}

// refused says what to do about a socket that could not be opened: to a refusal for want of rights it adds the
// group that has them, which is group unless the socket belongs to another.
func refused(path, group string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open %s: %w", path, err)
	}
	var st syscall.Stat_t
	if syscall.Stat(path, &st) == nil && st.Gid != 0 {
		if g, e := user.LookupGroupId(strconv.FormatUint(uint64(st.Gid), 10)); e == nil {
			group = g.Name
		}
	}
	return fmt.Errorf("open %s: %w; add the user to group %s (usermod -aG %s USER) and start shiplog again",
		path, fs.ErrPermission, group, group)
}
