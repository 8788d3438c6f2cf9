package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestDockerCompare changes one thing between what events told and what is there.
func TestDockerCompare(t *testing.T) {
	base := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(s int) time.Time { return base.Add(time.Duration(s) * time.Second) }
	id := hexID(1)
	fresh := func() *dockerSnapshot {
		return &dockerSnapshot{at: at(10), images: map[string][]string{"sha256:1": {"a:1", "b:1"}}, volumes: map[string]bool{"v": true},
			containers: map[string]dockerState{id: {id: id, name: "web", image: "busybox", status: "running",
				created: at(1), started: at(2), networks: map[string]string{"n1": "bridge"}}}}
	}
	change := func(f func(*dockerState)) func(*dockerSnapshot) {
		return func(s *dockerSnapshot) {
			c := s.containers[id]
			f(&c)
			s.containers[id] = c
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*dockerSnapshot)
		want   string
	}{
		{"nothing", func(*dockerSnapshot) {}, ""},
		{"renamed", change(func(c *dockerState) { c.name = "www" }), "container.rename@100"},
		{"paused", change(func(c *dockerState) { c.status, c.paused = "paused", true }), "container.pause@100"},
		{"ended", change(func(c *dockerState) { c.status, c.exit, c.finished = "exited", 3, at(50) }), "container.die@50(3)"},
		{"started again", change(func(c *dockerState) { c.finished, c.started, c.restarts = at(50), at(51), 4 }), "container.die@50 container.start@51"},
		{"started again and ended", change(func(c *dockerState) { c.status, c.exit, c.started, c.finished = "exited", 0, at(51), at(60) }), "container.start@51 container.die@60(0)"},
		{"on another network", change(func(c *dockerState) { c.networks = map[string]string{"n2": "x"} }), "network.connect@100 network.disconnect@100"},
		{"gone", func(s *dockerSnapshot) { delete(s.containers, id) }, "container.destroy@100"},
		{"a new one", func(s *dockerSnapshot) {
			s.containers["x"] = dockerState{id: "x", name: "x", status: "running", created: at(70), started: at(71)}
		}, "container.create@70 container.start@71"},
		{"a new one that could not start", func(s *dockerSnapshot) {
			s.containers["x"] = dockerState{id: "x", name: "x", status: "created", created: at(70), err: "no such file"}
		}, "container.create@70 container.start_failed@100"},
		{"a new one that came and ended", func(s *dockerSnapshot) {
			s.containers["x"] = dockerState{id: "x", status: "exited", created: at(70), started: at(71), finished: at(72), exit: 1}
		}, "container.create@70 container.start@71 container.die@72(1)"},
		{"a name less", func(s *dockerSnapshot) { s.images["sha256:1"] = []string{"a:1"} }, "image.untag@100"},
		{"a name more, and another image", func(s *dockerSnapshot) { s.images["sha256:2"] = []string{"c:1"} }, "image.tag@100"},
		{"a name moved", func(s *dockerSnapshot) { s.images = map[string][]string{"sha256:1": {"a:1"}, "sha256:2": {"b:1"}} }, "image.tag@100"},
		{"an image gone", func(s *dockerSnapshot) { delete(s.images, "sha256:1") }, "image.delete@100"},
		{"a volume instead of another", func(s *dockerSnapshot) { s.volumes = map[string]bool{"w": true} }, "volume.create@100 volume.destroy@100"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := NewDockerMapper(MapperOptions{})
			m.adopt(fresh())
			known := knownSince{ok: true, containers: at(10), images: true}
			snap := fresh()
			snap.at = at(100)
			tc.change(snap)
			var got []string
			for _, e := range m.diff(snap, known) {
				s := fmt.Sprintf("%s.%s@%d", e.Type, e.Verb, int(e.At.Sub(base)/time.Second))
				if x, ok := e.Attr["exitCode"]; ok {
					s += "(" + x + ")"
				}
				got = append(got, s)
				if e.made == nil || e.made.Max.Before(e.made.Min) || e.At.After(snap.at) {
					t.Errorf("%s has the bounds %v", s, e.made)
				}
				for _, mm := range m.handle(e, nil) {
					if !strings.Contains(string(mm.Record.Data), `"synthetic":true`) {
						t.Errorf("not marked: %s %s", mm.Record.Action, mm.Record.Data)
					}
				}
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("diff = %v, want %s", got, tc.want)
			}
			m.adopt(snap)
			if again := m.diff(snap, known); len(again) != 0 {
				t.Errorf("a second comparison still finds %d differences: %+v", len(again), again[0])
			}
		})
	}
}
