package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"shiplog/format"
)

// How long the Incus source waits. They are members of the source so that tests need not wait as long.
type incusTimes struct {
	probe     time.Duration // between two looks for a socket, unless one comes
	backoff   time.Duration // after a lost connection, doubled up to backMax
	backMax   time.Duration
	steady    time.Duration // a connection that lived so long resets the backoff
	reconcile time.Duration // between two comparisons while connected
	confirm   time.Duration // a difference must still be there after so long
	ping      time.Duration // between two questions for a sign of life
	silence   time.Duration // without one: the daemon hangs
}

var incusDefaults = incusTimes{
	probe: 30 * time.Second, backoff: 100 * time.Millisecond, backMax: 10 * time.Second, steady: 10 * time.Second,
	reconcile: 5 * time.Minute, confirm: 2 * time.Second, ping: 15 * time.Second, silence: 30 * time.Second,
}

// incusSource is the stream of an Incus or LXD daemon. Neither replays anything: what happens while the
// stream is away is told by comparing what was known with what is there afterwards.
type incusSource struct {
	o     Options
	times incusTimes
	q     *queue
	meter *meter
	log   *slog.Logger
	now   func() time.Time

	again chan struct{} // size 1: one request for a comparison is enough
	ports chan portCheck

	mu       sync.Mutex
	server   *incusServer // guarded by mu; nil: not connected
	lastSeen time.Time    // guarded by mu: newest sign of life
	cpu      cpuShares    // guarded by itself

	// Owned by the pump.
	m         *IncusMapper
	known     *incusState // nil: nothing to compare with
	pid       int         // of the daemon connected last
	connects  int
	history   time.Time      // time of the newest record of this engine in the log at start; zero: none
	noted     string         // what the newest snapshot records hold, as text
	notedAs   *format.Record // the newest of them; nil: none
	newestRaw *format.Record // newest raw record of this run

	suspect     []change  // differences seen once
	lastCompare time.Time // since when the state is known to be right
}

func newIncusSource(o Options, m *meter) *incusSource {
	s := &incusSource{o: o, times: incusDefaults, meter: m, log: o.Logger, now: o.Now,
		again: make(chan struct{}, 1),
		ports: make(chan portCheck, 64), // a burst of starts; what does not fit is found by the next comparison
	}
	s.q = newQueue(incusObject, s.overflow)
	s.m = NewIncusMapper(IncusOptions{LogExec: o.LogExec})
	s.m.observe = s.observe
	return s
}

// incusObject names the instance of a frame, to count what did not fit into the queue.
func incusObject(raw []byte) string {
	e, err := decodeIncus(raw)
	switch {
	case err != nil:
	case e.life != nil:
		p := parseIncusPath(e.life.Source)
		return instanceKey{orDefault(e.life.Project, p.project, e.project), p.name}.String()
	case e.op != nil:
		if keys := e.op.instances(e.project); len(keys) > 0 {
			return keys[0].String()
		}
	}
	return ""
}

// overflow tells of events that did not fit into the queue, and has what they said found out.
func (s *incusSource) overflow(o overflow) []Mapped {
	s.meter.gap(gapQueue)
	s.resync()
	return []Mapped{gap{Engine: s.m.engine, From: o.From, To: o.To, Reason: gapQueue, AtLeast: o.Lost, MayHave: true, By: o.By}.record()}
}

// engine is the family; records say whether it was Incus or LXD.
func (s *incusSource) engine() format.Engine { return format.EngineIncus }

func (s *incusSource) resync() {
	select {
	case s.again <- struct{}{}:
	default:
	}
}

// run looks for a daemon, follows it, and looks again.
func (s *incusSource) run(ctx context.Context) error {
	var said string
	wait := s.times.backoff
	for ctx.Err() == nil {
		server, err := dialIncus(ctx, s.o.Incus)
		if err != nil {
			said = s.complain(said, err)
			wait = s.awaitIncus(ctx, err, wait)
			continue
		}
		said = ""
		began := s.now()
		err = s.follow(ctx, server)
		if ctx.Err() != nil {
			break
		}
		s.log.Warn("source lost", "engine", server.engine, "err", err)
		if s.now().Sub(began) > s.times.steady {
			wait = s.times.backoff
		}
		sleep(ctx, jitter(wait))
		wait = min(2*wait, s.times.backMax)
	}
	return nil
}

// awaitIncus waits after err, until a socket may have come or changed at most, and returns how long to wait after the
// next failure.
func (s *incusSource) awaitIncus(ctx context.Context, err error, wait time.Duration) time.Duration {
	absent := errors.Is(err, errNoSocket)
	switch {
	case absent || errors.Is(err, fs.ErrPermission):
		if awaitSocket(ctx, incusSockets(s.o.Incus), absent, jitter(s.times.probe)) {
			return s.times.backoff
		}
		return wait
	case s.sightedBefore():
		// A daemon that was here is being restarted: be there soon after it is.
		sleep(ctx, jitter(wait))
		return min(2*wait, s.times.backMax)
	}
	sleep(ctx, jitter(wait))
	return min(2*wait, s.times.probe)
}

// complain logs why there is no connection, once for each reason.
func (s *incusSource) complain(said string, err error) string {
	text := err.Error()
	if text == said {
		return said
	}
	if errors.Is(err, errNoSocket) {
		s.log.Info("no incus or lxd to watch; looking again", "why", text)
	} else {
		s.log.Warn("source not reachable; trying again", "engine", format.EngineIncus, "err", text)
	}
	return text
}

func (s *incusSource) sightedBefore() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.lastSeen.IsZero()
}

// follow reads one connection until it ends: the stream first, then the listing that tells what happened
// before it.
func (s *incusSource) follow(ctx context.Context, server *incusServer) error {
	conn, err := server.RawWebsocket(eventsPath)
	if err != nil {
		return err
	}
	defer conn.Close()
	s.mu.Lock()
	from := s.lastSeen
	s.server, s.lastSeen = server, s.now()
	s.mu.Unlock()
	st := &incusStream{conn: conn, q: s.q, now: s.now, seen: s.seen, silence: s.times.silence}
	ended := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { ended <- st.read() })
	s.meter.update(func(m *SourceStats) {
		m.Version = server.number
		if m.Connected = true; !from.IsZero() {
			m.Reconnects++
		}
	})
	err = s.session(ctx, server, st, from, ended)
	conn.Close()
	wg.Wait()
	s.mu.Lock()
	s.server = nil
	s.mu.Unlock()
	s.meter.update(func(m *SourceStats) { m.Connected = false })
	st.release(func([][]byte) func() []Mapped { return func() []Mapped { return nil } })
	at := s.now()
	s.q.pushWork(func() []Mapped {
		out := s.m.mapAll(s.m.w.all()) // what was received belongs before its end
		if ctx.Err() != nil {
			return out
		}
		return append(out, disconnected(server.engine, at, err))
	})
	return err
}

// session lists, compares, and waits for the end of the stream.
func (s *incusSource) session(ctx context.Context, server *incusServer, st *incusStream, from time.Time, ended chan error) error {
	l, err := server.list(s.now)
	if err != nil {
		s.log.Warn("listing failed; trying again", "engine", server.engine, "err", err)
		s.resync()
	}
	st.release(func(frames [][]byte) func() []Mapped {
		return func() []Mapped { return s.connected(server, l, frames, from) }
	})
	s.log.Info("source connected", "engine", server.engine, "socket", server.path)
	var wg sync.WaitGroup
	defer wg.Wait()
	done, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { s.compare(done, server) })
	wg.Go(func() { s.checkPorts(done, server) })
	ping := time.NewTimer(format.UntilBeat(s.now(), s.times.ping))
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return err
		case <-ping.C:
			ping.Reset(format.UntilBeat(s.now(), s.times.ping))
			if err := st.ping(); err != nil {
				s.log.Debug("ping failed", "engine", server.engine, "err", err) // reading tells the rest
			}
		}
	}
}

// compare lists again and again and has the differences found.
func (s *incusSource) compare(ctx context.Context, server *incusServer) {
	regular := func() time.Duration { return format.UntilBeat(s.now(), s.times.reconcile) }
	wait := regular()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		case <-s.again:
			// Let what is under way arrive, so that only what was lost makes a difference.
			sleep(ctx, s.times.confirm)
		}
		wait = regular()
		l, err := server.list(s.now)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("listing failed", "engine", server.engine, "err", err)
			}
			continue
		}
		sure := make(chan bool, 1)
		s.q.pushWork(func() []Mapped { return s.reconciled(l, sure) })
		select {
		case <-ctx.Done():
			return
		case again := <-sure:
			if again {
				wait = s.times.confirm
			}
		}
	}
}

func (s *incusSource) seen(at time.Time) {
	s.mu.Lock()
	s.lastSeen = at
	s.mu.Unlock()
}

// sleep waits for d, or less when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// jitter spreads waits, so that two programs do not knock at the same time for ever.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/4+1))
}
