package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"shiplog/format"

	"github.com/docker/docker/client"
)

// ringSize is how many past events dockerd keeps, of all types together (daemon/events, 20.10 to 28).
const ringSize = 256

// dockerTimes is how long the source waits; tests wait less.
type dockerTimes struct {
	first, soon, last time.Duration // between attempts to connect: first, while it was seen lately, else; a new socket ends them
	lately            time.Duration
	compare           time.Duration // between two comparisons while connected
	confirm           time.Duration // a difference must still be there after so long
}

var dockerDefaults = dockerTimes{
	first: 100 * time.Millisecond, soon: 5 * time.Second, last: 30 * time.Second, lately: 2 * time.Minute,
	compare: 5 * time.Minute, confirm: time.Second,
}

// dockerSource is the stream of a Docker daemon.
type dockerSource struct {
	opts  Options
	times dockerTimes
	log   *slog.Logger
	now   func() time.Time
	meter *meter
	q     *queue
	again chan struct{} // size 1: one request for a comparison is enough

	cli       atomic.Pointer[client.Client] // nil: not connected
	comparing atomic.Bool                   // a snapshot is on its way through the queue
	live      liveStats

	// Owned by run.
	anchor   anchor
	said     string // newest reason for no connection that was logged
	sessions int
	seenLast time.Time

	// Owned by the pump.
	m       *DockerMapper
	seen    keyRing
	lastObs time.Time // when the newest event came
	pending *comparison
	known   knownSince
	mute    time.Time // no look-ups before: the daemon did not answer one
}

// anchor is the newest event received. When the daemon does not send it again after a reconnect, it has
// forgotten it, and perhaps others that were never seen.
type anchor struct {
	key dockerKey
	at  time.Time
	raw []byte // key and at are in here, not yet decoded; at is when it came
}

// decoded is a with key and at filled in; ok is false when there was no event yet. An event that cannot be
// read is not found again either: better a gap that was none than none that was.
func (a anchor) decoded() (anchor, bool) {
	if a.raw != nil {
		if e, err := parseDocker(a.raw); err == nil {
			a.key, a.at = e.key(), e.At
		}
	}
	return a, !a.at.IsZero()
}

func newDockerSource(o Options, m *meter) *dockerSource {
	s := &dockerSource{opts: o, times: dockerDefaults, log: o.Logger, now: o.Now, meter: m,
		again: make(chan struct{}, 1), seen: newKeyRing(4 * ringSize)}
	s.q = newQueue(dockerObject, s.overflow)
	s.m = NewDockerMapper(MapperOptions{LogExec: o.LogExec, Container: s.lookContainer, Image: s.lookImage})
	return s
}

func (s *dockerSource) engine() format.Engine { return format.EngineDocker }

// resync asks for a comparison soon.
func (s *dockerSource) resync() {
	select {
	case s.again <- struct{}{}:
	default:
	}
}

// run connects and reads until ctx ends.
func (s *dockerSource) run(ctx context.Context) error {
	defer s.live.wait()
	s.live.start(ctx)
	wait := s.times.first
	for ctx.Err() == nil {
		cli, err := dialDocker(ctx, s.opts.Docker)
		if err != nil {
			s.complain(err)
			limit := s.times.last
			if !s.seenLast.IsZero() && s.now().Sub(s.seenLast) < s.times.lately {
				limit = s.times.soon // it is being restarted
			}
			if s.awaitDocker(ctx, err, jitter(wait)) {
				wait = s.times.first
			} else {
				wait = min(2*wait, limit)
			}
			continue
		}
		s.said = ""
		began := s.now()
		err = s.session(ctx, cli)
		s.cli.Store(nil)
		cli.Close()
		s.seenLast = s.now()
		s.meter.update(func(st *SourceStats) { st.Connected = false })
		if ctx.Err() != nil {
			return nil
		}
		s.log.Warn("source lost", "engine", s.engine(), "err", err)
		if s.now().Sub(began) > s.times.soon {
			wait = s.times.first
		}
		sleep(ctx, jitter(wait))
		wait = min(2*wait, s.times.soon)
	}
	return nil
}

// awaitDocker waits for d after err, or until a socket may have come. It returns whether one may have.
func (s *dockerSource) awaitDocker(ctx context.Context, err error, d time.Duration) bool {
	sockets := dockerSockets(s.opts.Docker)
	absent := errors.Is(err, errNoDocker)
	if len(sockets) == 0 || !absent && !errors.Is(err, fs.ErrPermission) {
		sleep(ctx, d)
		return false
	}
	if absent {
		d = s.times.last // a socket that comes is told
	}
	return awaitSocket(ctx, sockets, absent, d)
}

// complain logs why there is no connection, once for each reason.
func (s *dockerSource) complain(err error) {
	why := err.Error()
	if why == s.said {
		return
	}
	s.said = why
	switch {
	case errors.Is(err, errNoDocker):
		s.log.Info("no docker to watch; looking again", "why", why)
	case errors.Is(err, fs.ErrPermission):
		s.log.Warn("source not allowed; trying again", "engine", s.engine(), "err", why)
	default:
		s.log.Warn("source not reachable; trying again", "engine", s.engine(), "err", why)
	}
}

// session follows one connection until it ends.
func (s *dockerSource) session(ctx context.Context, cli *client.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := s.now()
	a, anchored := s.anchor.decoded()
	since := time.Time{}
	if anchored && !a.at.After(start.Add(2*time.Second)) { // else the clock was set back: take all there is
		since = a.at.Add(-2 * time.Second)
	}
	body, err := openEvents(ctx, cli, since, time.Time{})
	if err != nil {
		return err
	}
	defer body.Close()
	s.cli.Store(cli)
	past, err := s.replay(ctx, cli, since)
	if err != nil {
		return err
	}
	s.report(a, anchored, past, start)
	ended := make(chan error, 1) // size 1: the reader never waits for us
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { ended <- s.read(body) })
	err = s.follow(ctx, cli, ended, len(past))
	if ctx.Err() == nil {
		s.q.pushWork(func() []Mapped { return append(s.settle(), disconnected(s.engine(), s.now(), err)) })
	}
	return err
}

// report writes what the beginning of a connection tells about the time before it.
func (s *dockerSource) report(a anchor, anchored bool, past []*dockerEvent, start time.Time) {
	s.sessions++
	s.meter.update(func(st *SourceStats) {
		st.Connected = true
		if s.sessions > 1 {
			st.Reconnects++
		}
	})
	s.log.Info("source connected", "engine", s.engine(), "replayed", len(past))
	if !anchored {
		return
	}
	g := gap{Engine: s.engine(), From: a.at, To: start, Reason: gapRestart, MayHave: true}
	for _, e := range past {
		if e.key() == a.key {
			return
		}
		if e.At.Before(g.To) {
			g.To = e.At
		}
	}
	switch {
	case a.at.After(start.Add(2 * time.Second)):
		g.Reason, g.From, g.To = gapClock, start, start
	case len(past) >= ringSize:
		g.Reason = gapOverrun
	}
	s.log.Warn("events may be missing", "engine", s.engine(), "from", g.From, "to", g.To, "reason", g.Reason)
	s.q.pushWork(func() []Mapped {
		s.meter.gap(g.Reason)
		return []Mapped{g.record()}
	})
}

// replay returns the events since then that the daemon still has. This request ends by itself.
func (s *dockerSource) replay(ctx context.Context, cli *client.Client, since time.Time) ([]*dockerEvent, error) {
	var past []*dockerEvent
	err := s.pastEvents(ctx, cli, since, func(raw []byte) {
		if e, err := parseDocker(raw); err == nil && len(past) < 2*ringSize {
			past = append(past, e)
		}
	})
	return past, err
}

func (s *dockerSource) pastEvents(ctx context.Context, cli *client.Client, since time.Time, push func([]byte)) error {
	ctx, cancel := context.WithTimeout(ctx, dockerAnswers)
	defer cancel()
	body, err := openEvents(ctx, cli, since, s.now())
	if err != nil {
		return err
	}
	defer body.Close()
	if err := readEvents(body, push); err != io.EOF {
		return fmt.Errorf("read past docker events: %w", err)
	}
	return nil
}

// read pushes the stream on the queue. It does nothing else: dockerd waits 100 ms at each event for a reader
// that is behind, and then drops it without a sign.
func (s *dockerSource) read(body io.Reader) error {
	prev := s.now()
	return readEvents(body, func(raw []byte) {
		s.q.handle(func() { prev = s.received(raw, prev) })
	})
}

// received takes one event of the stream and returns when it came; prev is when the one before came.
func (s *dockerSource) received(raw []byte, prev time.Time) time.Time {
	obs := s.now()
	if step := obs.Round(0).Sub(prev.Round(0)) - obs.Sub(prev); step < -2*time.Second {
		from, to := prev.Round(0), obs.Round(0)
		s.q.pushWork(func() []Mapped {
			s.meter.gap(gapClock)
			return []Mapped{gap{Engine: s.engine(), From: from, To: to, Reason: gapClock}.record()}
		})
	}
	s.anchor = anchor{raw: raw, at: obs}
	s.q.push(raw, obs)
	return obs
}

// follow compares state at the beginning of a connection, on demand and from time to time, until the stream
// has ended.
func (s *dockerSource) follow(ctx context.Context, cli *client.Client, ended <-chan error, replayed int) error {
	s.compare(ctx, cli, true, replayed)
	s.askVersion(ctx, cli)
	regular := time.NewTimer(format.UntilBeat(s.now(), s.times.compare))
	defer regular.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-regular.C:
			regular.Reset(format.UntilBeat(s.now(), s.times.compare))
		case <-s.again:
			sleep(ctx, s.times.confirm) // a storm asks again and again
		}
		if ctx.Err() == nil {
			s.heal(ctx, cli)
			s.compare(ctx, cli, false, 0)
		}
	}
}

// heal pushes what the daemon still knows. Events it dropped on the way to us are new to the pump, all others
// are known there by their keys.
func (s *dockerSource) heal(ctx context.Context, cli *client.Client) {
	err := s.pastEvents(ctx, cli, s.now().Add(-s.times.compare-2*time.Second), func(raw []byte) { s.q.push(raw, s.now()) })
	if err != nil {
		s.log.Debug("past events not read", "engine", s.engine(), "err", err)
	}
}

// compare takes a snapshot and hands it to the pump. While the disk is full nobody takes it there: one waits.
func (s *dockerSource) compare(ctx context.Context, cli *client.Client, first bool, replayed int) {
	c := &comparison{first: first, replayed: replayed}
	if !s.comparing.Swap(true) {
		var err error
		if c.snap, err = takeSnapshot(ctx, cli, s.now); err != nil && ctx.Err() == nil {
			s.log.Warn("state not listed", "engine", s.engine(), "err", err)
		}
	} else if !first {
		return
	}
	s.q.pushWork(func() []Mapped {
		s.comparing.Store(false)
		return s.begin(c)
	})
}
