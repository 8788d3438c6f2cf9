package agent

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"shiplog/format"
)

func TestKindsAreBounded(t *testing.T) {
	var m meter
	for i := range 1000 {
		m.event(time.Now(), Kind{fmt.Sprint("type", i), fmt.Sprint("action", i)})
	}
	m.event(time.Now(), Kind{"container", "die"})
	s := m.stats(newQueue(nil, nil))
	if len(s.Kinds) != 2 || s.Kinds[Kind{Other, Other}] != 1000 || s.Kinds[Kind{"container", "die"}] != 1 || s.Events != 1001 {
		t.Errorf("stats = %v of %d events, want 1000 others and one death", s.Kinds, s.Events)
	}
}

func TestKindsOfIncus(t *testing.T) {
	for action, want := range map[string]Kind{
		"instance-started":          {"container", "start"},
		"instance-deleted":          {"container", "destroy"},
		"instance-snapshot-created": {"container", Other},
		"image-deleted":             {"image", "delete"},
		"storage-volume-created":    {"volume", "create"},
		"network-acl-created":       {"network", Other},
		"warning-acknowledged":      {Other, Other},
	} {
		if got := (&incusEvent{life: &incusLifecycle{Action: action}}).counted().bounded(); got != want {
			t.Errorf("%s counts as %v, want %v", action, got, want)
		}
	}
}

func TestDelayIsThatOfReceivedEvents(t *testing.T) {
	w, err := format.Open(t.TempDir(), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	now := time.Now()
	var got []time.Duration
	p := &pump{out: w, now: func() time.Time { return now }, meter: &meter{}, delay: func(d time.Duration) { got = append(got, d) }}
	event := func(age time.Duration, obs time.Time) Mapped {
		return Mapped{Record: &format.Record{Time: now.Add(-age), Obs: obs, Stream: format.StreamEvent, Category: "container",
			Action: "container.start", Engine: format.EngineDocker, Actor: format.Actor{Type: format.ActorEngine}}}
	}
	ms := []Mapped{event(2*time.Second, now), event(-time.Second, now), event(time.Hour, time.Time{}), event(48*time.Hour, now)}
	if err := p.write(t.Context(), ms); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []time.Duration{2 * time.Second, 0}) {
		t.Errorf("delays = %v, want 2s, and 0 of a clock that is ahead; none of what was compared or replayed", got)
	}
}
