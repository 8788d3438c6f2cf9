package agent

import (
	"context"
	"time"

	"shiplog/format"
)

// incusSource is the stream of an Incus or LXD daemon.
type incusSource struct{ q *queue }

func newIncusSource(o Options, m *meter) *incusSource {
	return &incusSource{q: newQueue(func([]byte) string { return "" }, func(overflow) []Mapped { return nil })}
}

func (s *incusSource) engine() format.Engine            { return format.EngineIncus }
func (s *incusSource) restore() []Mapped                { return nil }
func (s *incusSource) run(ctx context.Context) error    { <-ctx.Done(); return nil }
func (s *incusSource) event([]byte, time.Time) []Mapped { return nil }
func (s *incusSource) tick(time.Time) []Mapped          { return nil }
func (s *incusSource) deadline() time.Time              { return time.Time{} }
func (s *incusSource) flush() []Mapped                  { return nil }
func (s *incusSource) resync()                          {}
func (s *incusSource) list(context.Context) ([]format.Container, error) {
	return nil, format.ErrEngineDown
}

func (s *incusSource) inspect(context.Context, string) (format.Container, error) {
	return format.Container{}, format.ErrEngineDown
}
