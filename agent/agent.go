package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"shiplog/format"
)

// Options configure an Agent.
type Options struct {
	Writer Appender // where records go; required

	// Log is what Writer has written: cursors and state are rebuilt from it at start. Nil: begin with nothing.
	Log *format.Log

	// Host is the name Writer puts into records, so that those of other boxes in Log, which an import leaves
	// there, are not taken for what this one has seen. Empty: all are this box's.
	Host string

	// Docker and Incus are the engines' addresses: a socket's path, or a URL. "" probes the usual sockets
	// again and again, "none" turns the source off.
	Docker, Incus string

	// LogExec makes a human line of every command executed in a container, health checks excepted.
	LogExec bool

	// Delay is told of each event that was received how long it took from its time, by the engine's clock, until
	// it was written; nil: nobody is. It must be safe for concurrent use.
	Delay func(time.Duration)

	// Changed is told when the sight of an engine began or ended, or a gap was found: Stats say what is now. It
	// must not block, and must be safe for concurrent use; nil: nobody is told.
	Changed func()

	Logger *slog.Logger     // nil: slog.Default()
	Now    func() time.Time // nil: time.Now
}

// own tells whether a raw record was made by capture on this box: not by a client, nor elsewhere and imported.
func (o *Options) own(f *format.Fields) bool {
	return f.ActorType.Is(format.ActorEngine) && (o.Host == "" || f.Host.Is(o.Host))
}

// keepHost takes the name under which this box wrote before when it has another now and wrote nothing yet
// under that: else what happened while it was away would be neither found out nor said to be missing.
func (o *Options) keepHost() {
	if o.Host == "" || o.Log == nil {
		return
	}
	former, lines := "", 0
	for line, err := range o.Log.Backward(0) {
		if lines++; lines > restoreLines {
			break
		}
		if err != nil || !line.Fields.ActorType.Is(format.ActorEngine) {
			continue
		}
		switch host := line.Fields.Host.String(); {
		case host == o.Host:
			return
		case former == "":
			former = host
		}
	}
	if former != "" {
		o.Host = former
	}
}

// Agent captures the events of the engines on this box and answers for their live state.
type Agent struct {
	opts  Options
	pumps []*pump // constant after New

	began atomic.Pointer[time.Time] // when Run was called; nil: not yet
}

// New makes an agent. It connects to nothing until Run.
func New(o Options) *Agent {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Agent{opts: o}
	if o.Docker != "none" {
		m := &meter{s: SourceStats{Engine: format.EngineDocker}, changed: o.Changed}
		d := newDockerSource(o, m)
		a.add(d, d.q, m)
	}
	if o.Incus != "none" {
		m := &meter{s: SourceStats{Engine: format.EngineIncus}, changed: o.Changed}
		i := newIncusSource(o, m)
		a.add(i, i.q, m)
	}
	return a
}

func (a *Agent) add(s source, q *queue, m *meter) {
	a.pumps = append(a.pumps, &pump{src: s, q: q, out: a.opts.Writer, now: a.opts.Now, log: a.opts.Logger, meter: m, delay: a.opts.Delay})
}

// Run captures until ctx ends; then it writes what is held and queued and returns nil. It lives on without
// any engine and connects to one that appears later. An error means that records can no longer be stored.
func (a *Agent) Run(ctx context.Context) error {
	began := time.Now()
	a.began.Store(&began)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, p := range a.pumps {
		wg.Go(func() {
			if err := p.start(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("capture %s: %w", p.src.engine(), err))
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// start restores the source's state and runs its reader and the pump until both have ended. The pump ends
// last, so that what the reader pushed on its way out is stored.
func (p *pump) start(ctx context.Context) error {
	left := p.src.restore()
	pumpCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	var readErr error
	wg.Go(func() {
		defer stop()
		readErr = p.src.run(ctx)
	})
	err := p.run(pumpCtx, left)
	wg.Wait()
	if ctx.Err() != nil {
		readErr = nil
	}
	if n, _, _ := p.q.depth(); err != nil {
		p.log.Error("records not stored", "engine", p.src.engine(), "queued", n, "err", err)
	}
	return errors.Join(readErr, err)
}

// Inspect returns the live state of one container. typ is docker, or lxc, lxd or incus for the other source;
// id is what that engine takes for a name or id. Errors: format.ErrNoContainer, format.ErrAmbiguous,
// format.ErrEngineDown; format.ErrAgentDown too while an agent that has just started may still be about to connect.
func (a *Agent) Inspect(ctx context.Context, typ, id string) (format.Container, error) {
	want := format.EngineIncus
	if typ == string(format.EngineDocker) {
		want = format.EngineDocker
	}
	for _, p := range a.pumps {
		if p.src.engine() == want {
			c, err := p.src.inspect(ctx, id)
			if errors.Is(err, format.ErrEngineDown) && a.starting(p) {
				err = fmt.Errorf("%w: it has only just started: %w", format.ErrAgentDown, err)
			}
			return c, err
		}
	}
	return format.Container{}, format.ErrEngineDown
}

// startGrace is how long an agent that has started may take to find its engines before it says that there are
// none: who waits for a container while an agent is exchanged must not be told so in between.
const startGrace = 5 * time.Second

// starting tells whether p may be about to connect for the first time.
func (a *Agent) starting(p *pump) bool {
	began := a.began.Load()
	return began != nil && time.Since(*began) < startGrace && !p.meter.everConnected()
}

// List returns the live state of all containers of the engines that can be reached.
func (a *Agent) List(ctx context.Context) ([]format.Container, error) {
	var all []format.Container
	for _, p := range a.pumps {
		cs, err := p.src.list(ctx)
		if err != nil && !errors.Is(err, format.ErrEngineDown) {
			return nil, err
		}
		all = append(all, cs...)
	}
	return all, nil
}

// Engines tells how the sources are.
func (a *Agent) Engines() []EngineStatus {
	var all []EngineStatus
	for _, s := range a.Stats().Sources {
		e := EngineStatus{Engine: s.Engine, Version: s.Version, Connected: s.Connected, Since: s.Since.UTC(), LastEvent: s.LastEvent.UTC(),
			Events: s.Events, Queue: s.Queue, Dropped: s.Dropped}
		for _, n := range s.Gaps {
			e.Gaps += n
		}
		if !s.QueueSince.IsZero() {
			e.Lag = max(0, a.opts.Now().Sub(s.QueueSince).Seconds())
		}
		all = append(all, e)
	}
	return all
}

// Stats returns a snapshot of the counters.
func (a *Agent) Stats() Stats {
	var s Stats
	for _, p := range a.pumps {
		s.Sources = append(s.Sources, p.meter.stats(p.q))
	}
	return s
}
