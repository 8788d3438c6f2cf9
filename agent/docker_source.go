package agent

import (
	"context"
	"time"

	"shiplog/format"
)

// dockerSource is the stream of an Docker daemon.
type dockerSource struct{ q *queue }

func newDockerSource(o Options, m *meter) *dockerSource {
	return &dockerSource{q: newQueue(func([]byte) string { return "" }, func(overflow) []Mapped { return nil })}
}

func (s *dockerSource) engine() format.Engine            { return format.EngineDocker }
func (s *dockerSource) restore() []Mapped                { return nil }
func (s *dockerSource) run(ctx context.Context) error    { <-ctx.Done(); return nil }
func (s *dockerSource) event([]byte, time.Time) []Mapped { return nil }
func (s *dockerSource) tick(time.Time) []Mapped          { return nil }
func (s *dockerSource) deadline() time.Time              { return time.Time{} }
func (s *dockerSource) flush() []Mapped                  { return nil }
func (s *dockerSource) resync()                          {}
func (s *dockerSource) list(context.Context) ([]format.Container, error) {
	return nil, format.ErrEngineDown
}

func (s *dockerSource) inspect(context.Context, string) (format.Container, error) {
	return format.Container{}, format.ErrEngineDown
}
