package agent

import (
	"fmt"
	"testing"
	"time"
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
