package agent

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// unpumped is a Docker source whose queue nobody takes from but the test.
func unpumped(t *testing.T, o Options) *dockerSource {
	t.Helper()
	o.Writer, o.Logger, o.Now = &memory{}, quiet(), time.Now
	s := newDockerSource(o, &meter{})
	s.times.confirm = time.Hour
	return s
}

// drain does what the pump would and returns the records' actions.
func drain(s *dockerSource) (actions []string) {
	for {
		it, ok := s.q.take()
		if !ok {
			return actions
		}
		ms := []Mapped(nil)
		if it.do != nil {
			ms = it.do()
		} else {
			ms = s.event(it.raw, it.obs)
		}
		for _, m := range ms {
			actions = append(actions, m.Record.Action)
		}
	}
}

// TestDockerShortConnection ends while differences wait for the event that explains them.
func TestDockerShortConnection(t *testing.T) {
	f := newFakeDocker(t)
	f.start(t)
	s := unpumped(t, Options{})
	gone := s.m.of(hexID(1), time.Now().Add(-time.Minute))
	gone.status, s.known.ok = statusRunning, true
	cli, err := dialDocker(t.Context(), f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.session(t.Context(), cli) }()
	eventually(t, "a stream", f.connected)
	f.cut()
	if err := <-ended; err == nil {
		t.Fatal("session = nil, want why it ended")
	}
	got := drain(s)
	want := []string{"container.destroy", "container.destroy", "engine.connected", "engine.disconnected"}
	if !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
}

// TestDockerSnapshotsDoNotPileUp compares while the disk is full and nobody takes from the queue.
func TestDockerSnapshotsDoNotPileUp(t *testing.T) {
	f := newFakeDocker(t)
	f.start(t)
	s := unpumped(t, Options{})
	cli, err := dialDocker(t.Context(), f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	for range 3 {
		s.compare(t.Context(), cli, false, 0)
	}
	if n, _, _ := s.q.depth(); n != 1 {
		t.Errorf("%d snapshots wait, want 1", n)
	}
	drain(s)
	s.compare(t.Context(), cli, false, 0)
	if n, _, _ := s.q.depth(); n != 1 {
		t.Errorf("%d snapshots wait after the first was taken, want 1", n)
	}
}

// TestDockerUnreadableAnchor loses the stream after a line that is no event: whether something was lost cannot
// be told, so it is said.
func TestDockerUnreadableAnchor(t *testing.T) {
	s := unpumped(t, Options{})
	if err := s.read(strings.NewReader(tagEvent(time.Now(), 1) + "\n{\"Type\":\n")); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	drain(s)
	a, ok := s.anchor.decoded()
	s.report(a, ok, nil, time.Now())
	if got := drain(s); !slices.Equal(got, []string{"engine.gap"}) {
		t.Errorf("records %q, want a gap", got)
	}
}

// TestDockerRestoreLeavesOthersAlone has records in the log that look like this engine's but are of another
// box, as an import makes them, or of a client.
func TestDockerRestoreLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	write := func(host string, change func(*format.Record), raw string) {
		t.Helper()
		w, err := format.Open(dir, format.Options{Host: host})
		if err != nil {
			t.Fatal(err)
		}
		ms, err := NewDockerMapper(MapperOptions{}).Event([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		change(ms[0].Record)
		if err := errors.Join(Store(ms[:1], w.Write), w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	same := func(*format.Record) {}
	now := time.Now()
	named := func(n string) map[string]string { return map[string]string{"name": n} }
	write("nas", same, event(now, "container", "start", hexID(1), named("mine")))
	write("", same, event(now.Add(time.Hour), "container", "start", hexID(2), named("imported")))
	write("other", same, event(now.Add(time.Hour), "container", "start", hexID(3), named("elsewhere")))
	write("nas", func(r *format.Record) { r.Actor.Type = format.ActorUser }, event(now.Add(time.Hour), "container", "start", hexID(4), named("told")))
	log, err := format.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := unpumped(t, Options{Log: log, Host: "nas"})
	s.restore()
	if len(s.m.containers) != 1 || s.m.containers[hexID(1)] == nil {
		t.Errorf("%d containers known after the start, want mine alone", len(s.m.containers))
	}
	if a, ok := s.anchor.decoded(); !ok || !a.at.Equal(now) {
		t.Errorf("anchor at %v, want %v", a.at, now)
	}
	dir = t.TempDir()
	write("nas", same, event(now, "container", "start", hexID(1), named("mine")))
	write("", same, event(now, "container", "start", hexID(2), named("imported")))
	if log, err = format.OpenLog(dir); err != nil {
		t.Fatal(err)
	}
	s = unpumped(t, Options{Log: log, Host: "renamed"})
	s.restore()
	if len(s.m.containers) != 1 || s.m.containers[hexID(1)] == nil {
		t.Errorf("%d containers known after the box got another name, want mine alone", len(s.m.containers))
	}
}
