package agent

import (
	"context"
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
	tick(now time.Time) []Mapped              // lines held back whose time has come
	deadline() time.Time                      // when tick is due next; zero: nothing is held
	flush() []Mapped                          // all that is held, at the end
	resync()                                  // events were lost: list and compare soon; returns at once

	// Live state. Errors: format.ErrNoContainer, format.ErrAmbiguous, format.ErrEngineDown.
	inspect(ctx context.Context, id string) (format.Container, error)
	list(ctx context.Context) ([]format.Container, error)
}
