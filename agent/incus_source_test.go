package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"

	"github.com/google/go-cmp/cmp"
	"github.com/lxc/incus/v6/shared/api"
)

func TestIncusFramesAreWrittenInTheOrderOfTheirTime(t *testing.T) {
	f := newFakeIncus(t)
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	now := time.Now()
	at := func(ms int) time.Time { return now.Add(time.Duration(ms) * time.Millisecond) }
	f.send(
		operation(at(12), "op1", "Starting instance", "Failure", "web", "no such file"),
		operation(at(11), "op1", "Starting instance", "Running", "web", ""),
		lifecycle(at(5), "started", "web"),
		operation(at(10), "op1", "Starting instance", "Pending", "web", ""),
		lifecycle(at(1), "created", "web"),
	)
	w.sees("Failed to start container")
	got := w.messages()[1:]
	want := []string{"Create container (lxc, web)", "Start container (lxc, web)", "Failed to start container (lxc, web): no such file"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
	if rs := w.records("operation."); len(rs) != 2 || rs[0].Status != "Pending" || rs[1].Status != "Failure" {
		t.Errorf("raw records of the operation = %d, want its first and its last", len(rs))
	}
}

func TestIncusEventsAreWrittenSoon(t *testing.T) {
	f := newFakeIncus(t)
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	began := time.Now()
	f.send(lifecycle(began, "started", "web"))
	w.sees("Start container")
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("written after %v, want about 20ms", d)
	}
}

func TestIncusSilenceEndsTheConnection(t *testing.T) {
	f := newFakeIncus(t)
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	time.Sleep(2 * w.src.times.silence)
	if n := f.streams(); n != 1 {
		t.Fatalf("%d connections while pings were answered, want 1", n)
	}
	f.set(func(f *fakeIncus) { f.mute = true })
	waitFor(t, "a new connection", func() bool { return f.streams() > 1 })
	f.set(func(f *fakeIncus) { f.mute = false })
	w.sees("Events of container engine incus may be missing")
	if g := w.gap(); g.Reason != gapDisconnect || g.From.IsZero() || !g.To.After(g.From) || !g.MayHave {
		t.Errorf("gap = %+v, want reason disconnect and its bounds", g)
	}
	if r := w.records("engine.disconnected"); len(r) == 0 || !strings.Contains(string(r[0].Data), "no sign of life") {
		t.Errorf("disconnected = %v, want one that names the silence", r)
	}
}

func TestIncusRestartIsAGapAndTheStateIsCompared(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	f := newFakeIncus(t)
	f.instances = []api.InstanceFull{instance("web", "Running", start), instance("db", "Running", start), instance("old", "Stopped", start)}
	f.images = []api.Image{{Fingerprint: strings.Repeat("a", 64)}}
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	f.send(operation(time.Now(), "op1", "Backing up instance", "Pending", "web", ""))
	w.sees("Start to export container")
	f.down()
	w.sees("Container engine incus disconnected")
	away := time.Now()
	f.set(func(f *fakeIncus) {
		f.pid = 200
		db := instance("db", "Running", away) // started again
		web := instance("web", "Stopped", start)
		web.Snapshots = []api.InstanceSnapshot{{Name: "s0"}}
		renamed := instance("old", "Stopped", start)
		renamed.Name = "older"
		f.instances = []api.InstanceFull{web, db, renamed, instance("new", "Running", away)}
		f.images = nil
	})
	f.up()
	waitFor(t, "the second connection", func() bool { return len(w.records("engine.connected")) == 2 })
	if g := w.gap(); g.Reason != gapRestart {
		t.Errorf("gap reason = %s, want restart", g.Reason)
	}
	got := w.messages()
	got = got[slices.Index(got, "Container engine incus disconnected")+2:]
	slices.Sort(got)
	want := []string{
		"Container engine incus connected (replayed 0, synthesized 8)",
		"Create container (lxc, new)",
		"Image removed (lxc, aaaaaaaaaaaa)",
		"Rename container (lxc, older) from old",
		"Snapshot created (lxc, web/s0)",
		"Start container (lxc, db)",
		"Start container (lxc, new)",
		"Stop container (lxc, db)",
		"Stop container (lxc, web)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
	for _, r := range w.records("container.stop", "container.start", "container.rename", "image.delete") {
		var d struct {
			Synthetic bool
			Cause     string
			TsMin     time.Time `json:"ts_min"`
			TsMax     time.Time `json:"ts_max"`
		}
		if err := json.Unmarshal(r.Data, &d); err != nil || !d.Synthetic || d.Cause != "reconcile" || !d.TsMin.Before(d.TsMax) || r.Time.Before(d.TsMin) || r.Time.After(d.TsMax) {
			t.Errorf("%s at %v: data %s, want marked as synthetic with bounds around its time", r.Action, r.Time, r.Data)
		}
	}
	st := w.a.Stats().Sources[0]
	if st.Synthesized != 8 || st.Reconnects != 1 || st.Gaps[gapRestart] != 1 || st.Events != 1 || !st.Connected {
		t.Errorf("stats = %+v, want 8 synthesized, 1 reconnect, 1 gap, 1 event, connected", st)
	}
}

func TestIncusEventsBetweenStreamAndListingAreNotDoubled(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	f := newFakeIncus(t)
	f.instances = []api.InstanceFull{instance("web", "Stopped", start), instance("db", "Running", start)}
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	f.down()
	w.sees("Container engine incus disconnected")
	f.set(func(f *fakeIncus) {
		f.onList = func(f *fakeIncus) { // the stream is open, the listing is not answered yet
			f.send(lifecycle(time.Now(), "started", "web"), lifecycle(time.Now(), "created", "fresh"))
			f.set(func(f *fakeIncus) {
				f.instances = []api.InstanceFull{instance("web", "Running", time.Now()), instance("fresh", "Stopped", time.Now()), instance("db", "Stopped", start)}
			})
			time.Sleep(50 * time.Millisecond)
		}
	})
	f.up()
	waitFor(t, "the second connection", func() bool { return len(w.records("engine.connected")) == 2 })
	w.sees("Create container (lxc, fresh)")
	for action, want := range map[string]int{"container.start": 2, "container.create": 2, "container.stop": 2} { // raw record and line
		if got := len(w.records(action)); got != want {
			t.Errorf("%d records of %s, want %d: %q", got, action, want, w.messages())
		}
	}
}

// A daemon that was killed starts what died meanwhile as soon as it is up: its word of the start comes before
// the listing, which shows the instance running, as it was before.
func TestIncusStartOfWhatWasRunningTellsTheStop(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	f := newFakeIncus(t)
	f.instances = []api.InstanceFull{instance("web", "Running", start), instance("db", "Running", start)}
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	f.down()
	w.sees("Container engine incus disconnected")
	f.set(func(f *fakeIncus) {
		f.onList = func(f *fakeIncus) {
			now := time.Now()
			f.send(lifecycle(now, "started", "web"))
			f.set(func(f *fakeIncus) {
				f.instances = []api.InstanceFull{instance("web", "Running", now), instance("db", "Running", start)}
			})
			time.Sleep(50 * time.Millisecond)
		}
	})
	f.up()
	waitFor(t, "the second connection", func() bool { return len(w.records("engine.connected")) == 2 })
	w.sees("Start container (lxc, web)")
	got := w.messages()
	got = slices.DeleteFunc(got, func(m string) bool { return !strings.HasSuffix(m, "(lxc, web)") && !strings.HasSuffix(m, "(lxc, db)") })
	want := []string{"Stop container (lxc, web)", "Start container (lxc, web)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
}

func TestIncusStateIsRebuiltFromTheLog(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	f := newFakeIncus(t)
	f.instances = []api.InstanceFull{instance("web", "Running", start)}
	f.up()
	dir := t.TempDir()
	w := watchIncus(t, f, dir)
	w.sees("Container engine incus connected")
	f.send(lifecycle(time.Now(), "created", "two"), operation(time.Now(), "op1", "Creating instance", "Pending", "three", ""))
	w.sees("Start to do background task (create, three)")
	w.stop()
	f.set(func(f *fakeIncus) {
		f.instances = []api.InstanceFull{instance("two", "Stopped", time.Now())}
		f.ops = []api.Operation{{ID: "op1", Class: "task", Description: "Creating instance", Status: "Running", StatusCode: api.Running,
			CreatedAt: time.Now(), UpdatedAt: time.Now(), Resources: map[string][]string{"instances": {"/1.0/instances/three"}}}}
	})
	w = watchIncus(t, f, dir)
	waitFor(t, "the second connection", func() bool { return len(w.records("engine.connected")) == 2 })
	if g := w.gap(); g.Reason != gapStart || g.From.IsZero() {
		t.Errorf("gap = %+v, want reason start and since when", g)
	}
	w.sees("Destroy container (lxc, web)")
	f.send(operation(time.Now(), "op1", "Creating instance", "Success", "three", ""))
	w.sees("Finished background task (create, three)")
	if n := len(w.records("Start to do background task")); n != 1 {
		t.Errorf("the task began %d times, want once", n)
	}
	if n := len(w.records("Create container (lxc, two)")); n != 1 {
		t.Errorf("two was created %d times, want once", n)
	}
	tids := map[string]bool{}
	for _, r := range w.records("task.create") {
		var d struct {
			QNAP struct {
				TID json.Number `json:"tid"`
			} `json:"qnap"`
		}
		if err := json.Unmarshal(r.Data, &d); err != nil {
			t.Fatal(err)
		}
		tids[d.QNAP.TID.String()] = true
	}
	if len(tids) != 1 || tids["0"] {
		t.Errorf("task ids = %v, want one and the same at begin and end", tids)
	}
}

func TestIncusReconcileFindsWhatTheStreamLost(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	f := newFakeIncus(t)
	f.instances = []api.InstanceFull{instance("web", "Running", start)}
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	f.set(func(f *fakeIncus) { f.instances = []api.InstanceFull{instance("web", "Stopped", start)} })
	w.src.resync()
	w.sees("Stop container (lxc, web)")
	w.src.resync()
	time.Sleep(200 * time.Millisecond)
	if n := len(w.records("Stop container")); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
}

func TestIncusIdleWritesNothing(t *testing.T) {
	f := newFakeIncus(t)
	f.instances = []api.InstanceFull{instance("web", "Running", time.Now().Add(-time.Hour))}
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	before := len(w.records())
	for range 3 {
		w.src.resync()
		time.Sleep(100 * time.Millisecond)
	}
	if after := len(w.records()); after != before {
		t.Errorf("%d records written while nothing happened", after-before)
	}
}

func TestIncusGarbageIsKeptWithoutItsSecrets(t *testing.T) {
	f := newFakeIncus(t)
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	f.send(`{"type":"operation","metadata":{"fds":{"0":"hunter2"},"environment":{"A":"hunter2"}}}`, `{"type":"operation","metadata":{"environment":{"SECRET":"hunter2","A\\"":"hunter2`, ``, `[]`, lifecycle(time.Now(), "started", "web"))
	w.sees("Start container (lxc, web)")
	rs := w.records("engine.undecodable")
	if len(rs) != 4 {
		t.Errorf("%d records of garbage, want 4", len(rs))
	}
	for _, r := range rs {
		if strings.Contains(string(r.Data), "hunter2") || !json.Valid(r.Data) {
			t.Errorf("garbage kept as %s, want JSON without hunter2", r.Data)
		}
	}
	if st := w.a.Stats().Sources[0]; st.Undecodable != 4 {
		t.Errorf("undecodable = %d, want 4", st.Undecodable)
	}
}

func TestIncusAppearsLater(t *testing.T) {
	f := newFakeIncus(t)
	w := watchIncus(t, f, t.TempDir())
	time.Sleep(100 * time.Millisecond)
	if _, err := w.a.Inspect(t.Context(), "lxc", "web"); !errors.Is(err, format.ErrEngineDown) {
		t.Errorf("Inspect without an engine: %v, want ErrEngineDown", err)
	}
	f.kind = "lxd"
	f.up()
	w.sees("Container engine lxd connected")
	f.send(lifecycle(time.Now(), "started", "web"))
	w.sees("Start container (lxc, web)")
	for _, r := range w.records() {
		if r.Engine != format.EngineLXD {
			t.Errorf("%s is of engine %s, want lxd", r.Action, r.Engine)
		}
	}
	if n := len(w.records("engine.gap")); n != 0 {
		t.Errorf("%d gaps, want none: nothing was seen before", n)
	}
}

func TestIncusRefusalNamesTheGroup(t *testing.T) {
	denied := fmt.Errorf("dial: %w", fs.ErrPermission)
	for path, group := range map[string]string{"/run/incus/unix.socket": "incus-admin", "/var/lib/lxd/unix.socket": "lxd"} {
		err := refused(path, incusGroup(path), denied)
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "group "+group) {
			t.Errorf("refused(%s) = %v, want one that names the group %s", path, err, group)
		}
	}
}

// TestIncusOperationWhoseEndWasLost must not keep its instance from being compared for ever.
func TestIncusOperationWhoseEndWasLost(t *testing.T) {
	f := newFakeIncus(t)
	f.instances = []api.InstanceFull{instance("web", "Running", time.Now().Add(-time.Hour))}
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	f.send(operation(time.Now().Add(-time.Minute), "op1", "Updating instance", "Running", "web", ""))
	waitFor(t, "the operation", func() bool { return len(w.records("operation.updating-instance")) == 1 })
	began := time.Now()
	f.set(func(f *fakeIncus) { f.instances[0].Status, f.instances[0].State.Status = "Stopped", "Stopped" })
	w.src.resync()
	w.sees("Stop container (lxc, web)")
	var bound struct {
		Min time.Time `json:"ts_min"`
	}
	rs := w.records("container.stop")
	if err := json.Unmarshal(rs[0].Data, &bound); err != nil || bound.Min.Before(began.Add(-time.Minute)) {
		t.Errorf("the stop happened after %v, want after the connect: %s", bound.Min, rs[0].Data)
	}
}

// TestIncusRestoreLeavesOthersAlone has an event in the log that an import brought from another box.
func TestIncusRestoreLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	write := func(host string, ms []Mapped) {
		t.Helper()
		fw, err := format.Open(dir, format.Options{Host: host})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(Store(ms, fw.Write), fw.Close()); err != nil {
			t.Fatal(err)
		}
	}
	o := New(Options{Docker: "none", Incus: "none", Logger: quiet(), Host: "nas"}).opts
	s := newIncusSource(o, &meter{})
	s.known, s.connects = newIncusState(), 1
	write("nas", s.note(true))
	m := NewIncusMapper(IncusOptions{})
	if _, err := m.Event([]byte(lifecycle(time.Now().Add(time.Hour), "created", "theirs"))); err != nil {
		t.Fatal(err)
	}
	write("", m.Flush())
	var err error
	if o.Log, err = format.OpenLog(dir); err != nil {
		t.Fatal(err)
	}
	s = newIncusSource(o, &meter{})
	s.restore()
	if s.known == nil || len(s.known.Instances) != 0 || s.history.After(time.Now()) {
		t.Errorf("known %v, newest %v; want a state without theirs", s.known, s.history)
	}
}
