package cli

import (
	"bytes"
	"context"
	"io"
	"time"

	"shiplog/agent"
	"shiplog/format"
)

// mapper is what turns an engine's events into records: the very mappers of the live sources.
type mapper interface {
	Event(raw []byte) ([]agent.Mapped, error)
	Tick(now time.Time) []agent.Mapped
	Flush() []agent.Mapped
}

// newMapper returns the mapper of docker, incus or lxd events.
func newMapper(engine format.Engine) mapper {
	if engine == format.EngineDocker {
		return agent.NewDockerMapper(agent.MapperOptions{})
	}
	return agent.NewIncusMapper(agent.IncusOptions{Engine: engine})
}

// engine takes raw events, one a line, through the mapper of their engine.
func (t *intake) engine(ctx context.Context, from string, in io.Reader) error {
	m := newMapper(format.Engine(from))
	err := t.eachLine(ctx, in, func(line []byte) error {
		got, err := m.Event(bytes.Clone(line))
		if stored := t.storeMapped(got); stored != nil {
			return stored
		}
		return reject(err)
	})
	if err != nil {
		return err
	}
	return t.storeMapped(m.Flush())
}

// storeMapped writes what a mapper made and counts it.
func (t *intake) storeMapped(got []agent.Mapped) error {
	return agent.Store(got, func(recs ...*format.Record) error {
		if err := t.w.Write(recs...); err != nil {
			return err
		}
		t.stored += uint64(len(recs))
		return nil
	})
}
