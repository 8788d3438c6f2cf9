package agent

import (
	"context"
	"log/slog"
	"time"

	"shiplog/format"
)

const (
	batchItems = 256                    // events mapped before they are written
	retryFirst = 100 * time.Millisecond // after a failed write
	retryLast  = 5 * time.Second
	maxTold    = 24 * time.Hour // an event older than that when it is written is imported or replayed, not late
)

// pump moves one source's events from its queue to the writer.
type pump struct {
	src   source
	q     *queue
	out   Appender
	now   func() time.Time
	log   *slog.Logger
	meter *meter
	delay func(time.Duration) // nil: nobody wants to know
	rest  func() []Mapped     // of the newest event, which is written; nil: nothing
}

// run stores first and then what comes. It ends when ctx does and the queue is empty, or when ctx has ended
// and records cannot be stored.
func (p *pump) run(ctx context.Context, first []Mapped) error {
	if err := p.write(ctx, first); err != nil {
		return err
	}
	for {
		select {
		case <-p.q.asked: // a storm leaves no time to wait
		default:
		}
		ms, more := p.collect()
		if err := p.write(ctx, ms); err != nil {
			return err
		}
		if more || len(ms) > 0 {
			continue
		}
		if ctx.Err() != nil {
			return p.write(ctx, p.src.flush())
		}
		p.q.wait(ctx, p.now(), p.src.deadline())
	}
}

// collect maps what is queued, a batch at most, and what is due. more tells that there may be more at once.
func (p *pump) collect() (ms []Mapped, more bool) {
	if p.rest != nil {
		ms = p.rest()
		p.rest = nil
	}
	for range batchItems {
		it, ok := p.q.take()
		if !ok { // only now: what is queued may be what a held line waits for
			if d := p.src.deadline(); !d.IsZero() && !p.now().Before(d) {
				ms = append(ms, p.src.tick(p.now())...)
			}
			return ms, false
		}
		if it.do != nil {
			ms = append(ms, it.do()...)
			continue
		}
		ms = append(ms, p.src.event(it.raw, it.obs)...)
		if p.rest = p.src.rest(); p.rest != nil {
			return ms, true // and is written before anybody is asked
		}
	}
	return ms, true
}

// write stores ms. While the disk is full or read-only it tries again and the queue holds what arrives;
// once ctx has ended it tries once.
func (p *pump) write(ctx context.Context, ms []Mapped) error {
	if len(ms) == 0 {
		return nil
	}
	times := p.received(ms) // before the writer gives every record its Obs
	var failed bool
	for retry := retryFirst; ; retry = min(2*retry, retryLast) {
		err := Store(ms, p.out.Write)
		switch {
		case err == nil:
			if failed {
				p.log.Info("records are stored again", "engine", p.src.engine())
			}
			p.tellDelay(times)
			return nil
		case !failed:
			failed = true
			p.log.Warn("records cannot be stored", "engine", p.src.engine(), "err", err)
		}
		p.meter.writeError()
		if !p.pause(ctx, retry) {
			return err
		}
	}
}

// pause waits for d; false when ctx ends before. A pump that cannot write is at work all the same.
func (p *pump) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-p.q.asked:
		case <-t.C:
			return true
		}
	}
}

// received lists the times of the events among ms. What was found out by comparing was never received.
func (p *pump) received(ms []Mapped) (times []time.Time) {
	if p.delay == nil {
		return nil
	}
	for _, m := range ms {
		r := m.Record
		if r.Stream == format.StreamEvent && r.Actor.Type == format.ActorEngine && m.Ref == nil && !r.Obs.IsZero() {
			times = append(times, r.Time)
		}
	}
	return times
}

// tellDelay tells how old the events of these times are now that they are written.
func (p *pump) tellDelay(times []time.Time) {
	for _, at := range times {
		if d := p.now().Sub(at); d < maxTold {
			p.delay(max(0, d))
		}
	}
}

// Appender is what the agent needs of a *format.Writer.
type Appender interface {
	Write(recs ...*format.Record) error
	Append(ctx context.Context, recs ...*format.Record) error
}
