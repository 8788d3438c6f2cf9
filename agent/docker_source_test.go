package agent

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"shiplog/format"
)

// memory is a writer without a disk.
type memory struct {
	mu   sync.Mutex
	tape tape
	gate chan struct{} // not nil: each write waits for it
	fail func() error
}

func (m *memory) Write(recs ...*format.Record) error {
	if m.gate != nil {
		<-m.gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(); err != nil {
			return err
		}
	}
	return m.tape.write(recs...)
}

func (m *memory) Append(_ context.Context, recs ...*format.Record) error { return m.Write(recs...) }

func (m *memory) records() []*format.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*format.Record(nil), m.tape.recs...)
}

// count returns how many records have this action in this stream.
func (m *memory) count(stream format.Stream, action string) int {
	n := 0
	for _, r := range m.records() {
		if r.Stream == stream && r.Action == action {
			n++
		}
	}
	return n
}

// watch starts a source with its pump; stop ends both and waits.
func watch(t *testing.T, o Options, queued ...int) (s *dockerSource, stop func()) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &meter{s: SourceStats{Engine: format.EngineDocker}}
	s = newDockerSource(o, m)
	if len(queued) > 0 {
		s.q.maxItems = queued[0] // a small queue
	}
	s.times = dockerTimes{first: 5 * time.Millisecond, soon: 20 * time.Millisecond, last: 20 * time.Millisecond,
		lately: time.Minute, compare: time.Hour, confirm: 30 * time.Millisecond}
	p := &pump{src: s, q: s.q, out: o.Writer, now: o.Now, log: o.Logger, meter: m}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.start(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("capture ended with %v, want nil", err)
				}
			case <-time.After(time.Minute):
				t.Error("capture did not end within a minute")
			}
		})
	}
	t.Cleanup(stop)
	return s, stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}

func hexID(n int) string { return fmt.Sprintf("%064x", n+1<<40) }

func tagEvent(at time.Time, n int) string {
	return event(at, "image", "tag", fmt.Sprintf("sha256:%064x", n), map[string]string{"name": fmt.Sprintf("x:%d", n)})
}

// TestDockerReconnect breaks the stream in the middle: what happened meanwhile is replayed, and nothing of
// what the replay brings again is stored twice.
func TestDockerReconnect(t *testing.T) {
	f, w := newFakeDocker(t), &memory{}
	f.start(t)
	_, stop := watch(t, Options{Writer: w, Docker: f.path})
	eventually(t, "connected", func() bool { return w.count(format.StreamLog, "engine.connected") == 1 && f.connected() })
	now := time.Now()
	send := func(i int) {
		at := now.Add(time.Duration(i) * time.Microsecond)
		f.emit(at.UnixNano(), tagEvent(at, i))
	}
	for i := range 100 {
		send(i)
	}
	eventually(t, "100 events", func() bool { return w.count(format.StreamEvent, "image.tag") == 100 })
	f.cut()
	for i := 100; i < 200; i++ {
		send(i)
	}
	eventually(t, "200 events", func() bool { return w.count(format.StreamEvent, "image.tag") == 200 })
	eventually(t, "connected again", func() bool { return w.count(format.StreamLog, "engine.connected") == 2 })
	stop()
	if n := w.count(format.StreamEvent, "image.tag"); n != 200 {
		t.Errorf("%d events stored, want each of 200 once", n)
	}
	if n := w.count(format.StreamLog, "engine.gap"); n != 0 {
		t.Errorf("%d gaps, want none: everything was replayed", n)
	}
	if n := w.count(format.StreamLog, "engine.disconnected"); n != 1 {
		t.Errorf("%d disconnected records, want 1", n)
	}
}

// TestDockerForgot lets the daemon forget what happened while the stream was away.
func TestDockerForgot(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		meanwhile    func(f *fakeDocker, now time.Time)
	}{
		{"a restarted daemon remembers nothing", gapRestart, func(f *fakeDocker, now time.Time) {
			f.mu.Lock()
			f.ring = nil
			f.mu.Unlock()
		}},
		{"more happened than the daemon remembers", gapOverrun, func(f *fakeDocker, now time.Time) {
			f.mu.Lock()
			f.ring = nil
			for i := range ringSize {
				at := now.Add(time.Duration(i))
				f.ring = append(f.ring, fakeEvent{at.UnixNano(), []byte(event(at, "plugin", "enable", "p", nil) + "\n")})
			}
			f.mu.Unlock()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, w := newFakeDocker(t), &memory{}
			f.start(t)
			s, stop := watch(t, Options{Writer: w, Docker: f.path})
			now := time.Now()
			old, gone, fresh := hexID(1), hexID(2), hexID(3)
			f.set(old, "old", "running", now.Add(-time.Hour), time.Time{}, nil)
			f.set(gone, "gone", "running", now.Add(-time.Hour), time.Time{}, nil)
			eventually(t, "connected", func() bool { return w.count(format.StreamLog, "engine.connected") == 1 && f.connected() })
			s.resync()
			f.emit(now.UnixNano(), event(now, "container", "update", old, map[string]string{"name": "old", "image": "busybox"}))
			f.emit(now.UnixNano()+1, event(now.Add(1), "container", "update", gone, map[string]string{"name": "gone", "image": "busybox"}))
			eventually(t, "two events", func() bool { return w.count(format.StreamEvent, "container.update") == 2 })
			time.Sleep(100 * time.Millisecond) // the comparison asked for has taken place
			f.mu.Lock()
			delete(f.containers, gone)
			f.mu.Unlock()
			later := time.Now().Add(time.Millisecond)
			f.set(old, "old", "exited", now.Add(-time.Hour), later, nil)
			f.set(fresh, "fresh", "running", later.Add(2*time.Second), time.Time{}, nil)
			tc.meanwhile(f, later)
			f.cut()
			eventually(t, "connected again", func() bool { return w.count(format.StreamLog, "engine.connected") == 2 })
			stop()
			var gaps, made []string
			for _, r := range w.records() {
				switch {
				case r.Action == "engine.gap":
					gaps = append(gaps, string(r.Data))
				case r.Stream == format.StreamEvent && strings.Contains(string(r.Data), `"synthetic":true`):
					if !strings.Contains(string(r.Data), `"cause":"reconcile","ts_min":"`) || r.Eseq == 0 {
						t.Errorf("synthesised record without its bounds or position: %s", r.Data)
					}
					made = append(made, r.Action+" "+r.Obj.Name)
				}
			}
			if len(gaps) != 1 || !strings.Contains(gaps[0], `"reason":"`+tc.reason+`"`) || !strings.Contains(gaps[0], `"may_have_lost":true`) {
				t.Errorf("gaps %q, want one with reason %s", gaps, tc.reason)
			}
			want := "container.die old, container.create fresh, container.start fresh, container.destroy gone"
			for _, m := range strings.Split(want, ", ") {
				if !strings.Contains(strings.Join(made, ", "), m) {
					t.Errorf("synthesised %q, want %s", made, want)
					break
				}
			}
			if len(made) != 4 {
				t.Errorf("synthesised %q, want four", made)
			}
		})
	}
}

// TestDockerStalledDisk sends faster than a stalled disk takes: the reader must not wait, and what did not
// fit is counted, per container, in a gap record in its place.
func TestDockerStalledDisk(t *testing.T) {
	f, w := newFakeDocker(t), &memory{gate: make(chan struct{})}
	f.start(t)
	s, _ := watch(t, Options{Writer: w, Docker: f.path}, 4000)
	eventually(t, "stream", f.connected)
	const sent = 12_000
	now, begin := time.Now(), time.Now()
	for i := range sent {
		at := now.Add(time.Duration(i))
		f.emit(at.UnixNano(), event(at, "container", "top", hexID(i%3), map[string]string{"name": "c"}))
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("sending %d events took %v with a stalled disk", sent, took)
	}
	eventually(t, "all read", func() bool {
		n, _, dropped := s.q.depth()
		return n+int(dropped)+batchItems >= sent
	})
	close(w.gate)
	eventually(t, "queue empty", func() bool { n, _, _ := s.q.depth(); return n == 0 && w.count(format.StreamLog, "engine.gap") > 0 })
	_, _, dropped := s.q.depth()
	eventually(t, "all stored", func() bool { return w.count(format.StreamEvent, "container.top")+int(dropped) >= sent })
	var lost uint64
	for _, r := range w.records() {
		if r.Action == "engine.gap" {
			var n, a, b, c uint64
			data := string(r.Data)
			fmt.Sscanf(data[strings.Index(data, `"lost_at_least"`):], `"lost_at_least":%d,`, &n)
			fmt.Sscanf(data[strings.Index(data, `"lost_by"`):], `"lost_by":{"`+shortID(hexID(0))+`":%d,"`+shortID(hexID(1))+`":%d,"`+shortID(hexID(2))+`":%d}`, &a, &b, &c)
			if a+b+c != n || !strings.Contains(data, `"reason":"queue-overflow"`) {
				t.Errorf("gap %s: counts per container add up to %d", data, a+b+c)
			}
			lost += n
		}
	}
	if lost == 0 || lost != dropped {
		t.Errorf("gap records count %d lost events, want %d", lost, dropped)
	}
}

func TestDockerAppearsLater(t *testing.T) {
	f, w := newFakeDocker(t), &memory{}
	_, stop := watch(t, Options{Writer: w, Docker: f.path})
	time.Sleep(50 * time.Millisecond)
	if n := len(w.records()); n != 0 {
		t.Errorf("%d records without an engine, want 0", n)
	}
	f.start(t)
	eventually(t, "connected", func() bool { return w.count(format.StreamLog, "engine.connected") == 1 })
	stop()
}

// TestDockerBrokenStream sends what is no event.
func TestDockerBrokenStream(t *testing.T) {
	f, w := newFakeDocker(t), &memory{}
	f.start(t)
	s, _ := watch(t, Options{Writer: w, Docker: f.path})
	eventually(t, "connected", func() bool { return w.count(format.StreamLog, "engine.connected") == 1 && f.connected() })
	now := time.Now()
	f.send("\n\n{\"Type\":\n")
	f.send("token=hunter2 \x00\xff garbage\n")
	f.send(`{"Type":"container","Action":"start"}` + "\n")
	f.send(`{"Type":"image","Action":"tag","Actor":{"ID":"` + strings.Repeat("x", 2*maxDockerEvent) + `"}}` + "\n")
	half := tagEvent(now, 1)
	f.send(half[:60])
	time.Sleep(20 * time.Millisecond)
	f.send(half[60:] + "\n")
	eventually(t, "one event", func() bool { return w.count(format.StreamEvent, "image.tag") == 1 })
	f.send(half[:60]) // and no more
	f.cut()
	eventually(t, "connected again", func() bool { return w.count(format.StreamLog, "engine.connected") == 2 })
	if n := w.count(format.StreamLog, "engine.undecodable"); n != 4 {
		t.Errorf("%d undecodable records, want 4", n)
	}
	if n := s.meter.stats(s.q).Undecodable; n != 4 {
		t.Errorf("counter undecodable = %d, want 4", n)
	}
	for _, r := range w.records() {
		line := string(format.AppendLine(nil, r))
		if strings.Contains(line, "hunter2") {
			t.Errorf("secret stored: %s", line)
		}
		if len(line) > 64<<10 {
			t.Errorf("record of %d bytes", len(line))
		}
	}
}

// TestDiskFull keeps records while the disk is full, and stores each once when it has room again.
func TestDiskFull(t *testing.T) {
	f, w := newFakeDocker(t), &memory{}
	f.start(t)
	var full sync.Map
	full.Store("n", 3)
	w.fail = func() error {
		if n, _ := full.Load("n"); n.(int) > 0 {
			full.Store("n", n.(int)-1)
			return fmt.Errorf("write: %w", format.ErrFull)
		}
		return nil
	}
	watch(t, Options{Writer: w, Docker: f.path})
	eventually(t, "stream", f.connected)
	now := time.Now()
	for i := range 50 {
		at := now.Add(time.Duration(i))
		f.emit(at.UnixNano(), tagEvent(at, i))
	}
	eventually(t, "50 events", func() bool { return w.count(format.StreamEvent, "image.tag") == 50 })
	eventually(t, "50 lines", func() bool { return w.count(format.StreamLog, "image.tag") == 50 })
}

// TestDockerHeals drops an event on the way, as dockerd does to a reader that is behind: a look at what the
// daemon still knows brings it back.
func TestDockerHeals(t *testing.T) {
	f, w := newFakeDocker(t), &memory{}
	f.start(t)
	s, stop := watch(t, Options{Writer: w, Docker: f.path})
	eventually(t, "connected", func() bool { return w.count(format.StreamLog, "engine.connected") == 1 && f.connected() })
	now := time.Now()
	f.emit(now.UnixNano(), tagEvent(now, 1))
	f.mu.Lock()
	at := now.Add(time.Microsecond)
	f.ring = append(f.ring, fakeEvent{at.UnixNano(), []byte(tagEvent(at, 2) + "\n")})
	f.mu.Unlock()
	at = at.Add(time.Microsecond)
	f.emit(at.UnixNano(), tagEvent(at, 3))
	eventually(t, "two events", func() bool { return w.count(format.StreamEvent, "image.tag") == 2 })
	s.resync()
	eventually(t, "three events", func() bool { return w.count(format.StreamEvent, "image.tag") == 3 })
	s.resync()
	time.Sleep(50 * time.Millisecond)
	stop()
	if n := w.count(format.StreamEvent, "image.tag"); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	if n := w.count(format.StreamLog, "image.tag"); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
}
