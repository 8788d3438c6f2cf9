package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/docker/docker/client"
)

// event maps one event of the stream. A replay brings events again that are stored already.
func (s *dockerSource) event(raw []byte, obs time.Time) []Mapped {
	e, err := parseDocker(raw)
	if err != nil {
		s.meter.update(func(st *SourceStats) { st.Undecodable++ })
		return []Mapped{undecodable(s.engine(), raw, obs, err)}
	}
	if !s.seen.add(e.key()) {
		s.meter.update(func(st *SourceStats) { st.Duplicates++ })
		return nil
	}
	s.lastObs = obs
	s.meter.event(e.At, Kind{e.Type, e.Verb})
	before := s.m.filtered
	ms := s.m.handle(e, nil)
	if s.m.filtered != before {
		s.meter.update(func(st *SourceStats) { st.Filtered++ })
	}
	for _, m := range ms {
		if m.Record.Obs.IsZero() && m.Ref == nil {
			m.Record.Obs = obs.Round(0).UTC()
		}
	}
	return ms
}

func (s *dockerSource) rest() func() []Mapped { return s.m.rest() }

// engineTime is now by the clock of the events: the newest event's time and what has passed since it came.
func (s *dockerSource) engineTime(now time.Time) time.Time {
	return s.m.clock.Add(now.Sub(s.lastObs))
}

func (s *dockerSource) tick(now time.Time) []Mapped {
	ms := s.m.Tick(s.engineTime(now))
	if s.pending != nil && !now.Before(s.pending.due) {
		ms = append(ms, s.finish()...)
	}
	return ms
}

func (s *dockerSource) deadline() time.Time {
	var d time.Time
	if due := s.m.Due(); !due.IsZero() {
		d = s.lastObs.Add(due.Sub(s.m.clock))
	}
	if s.pending != nil && (d.IsZero() || s.pending.due.Before(d)) {
		d = s.pending.due
	}
	return d
}

func (s *dockerSource) flush() []Mapped {
	return append(s.settle(), s.m.Flush()...)
}

// overflow tells of events that did not fit into the queue, and has what they said found out.
func (s *dockerSource) overflow(o overflow) []Mapped {
	s.meter.gap(gapQueue)
	s.resync()
	return []Mapped{gap{Engine: s.engine(), From: o.From, To: o.To, Reason: gapQueue, AtLeast: o.Lost, MayHave: true, By: o.By}.record()}
}

// dockerObject names the container of an event, to count what did not fit into the queue. Decoding costs
// microseconds and happens only then.
func dockerObject(raw []byte) string {
	var e struct {
		Actor struct {
			ID         string
			Attributes struct{ Name, Container string }
		}
	}
	if json.Unmarshal(raw, &e) != nil {
		return "undecodable"
	}
	if c := e.Actor.Attributes.Container; c != "" {
		return shortID(c)
	}
	if i := bytes.Index(raw, []byte(`"Type":"container"`)); i >= 0 {
		return shortID(e.Actor.ID)
	}
	return redactValue(e.Actor.ID)
}

// look calls f with a client, unless the daemon is away or did not answer a moment ago: look-ups make the
// pump wait.
func (s *dockerSource) look(f func(context.Context, *client.Client) error) bool {
	cli := s.cli.Load()
	if cli == nil || s.now().Before(s.mute) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupAnswers)
	defer cancel()
	err := f(ctx, cli)
	if ctx.Err() != nil {
		s.mute = s.now().Add(30 * time.Second)
	}
	return err == nil
}

func (s *dockerSource) lookContainer(id string) (info DockerInfo, ok bool) {
	ok = s.look(func(ctx context.Context, cli *client.Client) error {
		c, err := cli.ContainerInspect(ctx, id)
		if err == nil {
			info = dockerInfo(c)
		}
		return err
	})
	return info, ok
}

func (s *dockerSource) lookImage(ref string) (id string, names []string, ok bool) {
	ok = s.look(func(ctx context.Context, cli *client.Client) error {
		i, err := cli.ImageInspect(ctx, ref)
		id, names = i.ID, i.RepoTags
		return err
	})
	return id, names, ok
}

// keyRing remembers the newest keys.
type keyRing struct {
	set  map[dockerKey]struct{}
	ring []dockerKey
	next int
}

func newKeyRing(n int) keyRing {
	return keyRing{set: make(map[dockerKey]struct{}, n), ring: make([]dockerKey, n)}
}

// add remembers k; false when it was there already.
func (r *keyRing) add(k dockerKey) bool {
	if _, ok := r.set[k]; ok {
		return false
	}
	delete(r.set, r.ring[r.next])
	r.ring[r.next] = k
	r.set[k] = struct{}{}
	r.next = (r.next + 1) % len(r.ring)
	return true
}
