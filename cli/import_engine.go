package cli

import (
	"bytes"
	"context"
	"errors"
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
	n := uint64(0)
	for line, err := range lines(in) {
		if n++; n%intakeBatch == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return err
		}
		if err == nil && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		t.read++
		var got []agent.Mapped
		if err == nil {
			got, err = m.Event(bytes.Clone(line))
		}
		if err != nil {
			t.reject(n, err)
		}
		if err := t.storeMapped(got); err != nil {
			return err
		}
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
