package agent

import (
	"errors"
	"slices"
	"testing"
	"time"

	"shiplog/format"

	"github.com/google/go-cmp/cmp"
	"github.com/lxc/incus/v6/shared/api"
)

func TestIncusInspect(t *testing.T) {
	f := newFakeIncus(t)
	web := instance("web", "Running", time.Now().Add(-time.Minute))
	web.Devices = map[string]map[string]string{"p": {"type": "proxy", "listen": "tcp:0.0.0.0:8080,8443"}, "q": {"type": "proxy", "listen": "udp:0.0.0.0:53"}}
	web.State.Memory.Usage = 4096
	web.State.CPU = api.InstanceStateCPU{Usage: int64(6 * time.Second), AllocatedTime: int64(2 * time.Second)}
	web.State.Network = map[string]api.InstanceStateNetwork{
		"lo":   {Counters: api.InstanceStateNetworkCounters{BytesReceived: 1 << 30}},
		"eth0": {Counters: api.InstanceStateNetworkCounters{BytesReceived: 10, BytesSent: 20}, Addresses: []api.InstanceStateNetworkAddress{{Family: "inet", Scope: "global", Address: "10.0.3.7"}, {Family: "inet6", Scope: "link", Address: "fe80::1"}}},
	}
	other := instance("dup", "Stopped", time.Time{})
	other.Project = "p1"
	third := instance("dup", "Stopped", time.Time{})
	third.Project = "p2"
	frozen := instance("frozen", "Frozen", time.Time{})
	frozen.Project = "p2"
	f.instances = []api.InstanceFull{web, other, third, frozen}
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	got, err := w.a.Inspect(t.Context(), "lxc", "web")
	if err != nil {
		t.Fatal(err)
	}
	if got.CPU < 0.08 || got.CPU > 0.101 { // 6 s of one CPU in a minute, whatever it may use
		t.Errorf("cpu = %v, want about 0.1", got.CPU)
	}
	got.CPU = 0
	want := format.Container{Type: "lxc", ID: "web", Project: "default", Name: "web", Image: "busybox", State: "running", Memory: 4096, RX: 10, TX: 20,
		IPAddress: []string{"10.0.3.7"}, TCPPort: []int{8080, 8443}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Inspect(web) differs (-want +got):\n%s", diff)
	}
	for _, tc := range []struct {
		id, state string
		err       error
	}{
		{"nosuch", "", format.ErrNoContainer},
		{"", "", format.ErrNoContainer},
		{"p1/", "", format.ErrNoContainer},
		{"p1/web", "", format.ErrNoContainer},
		{"../1.0", "", format.ErrNoContainer},
		{"dup", "", format.ErrAmbiguous},
		{"p1/dup", "stopped", nil},
		{"default/web", "running", nil},
		{"frozen", "paused", nil},
	} {
		c, err := w.a.Inspect(t.Context(), "incus", tc.id)
		if !errors.Is(err, tc.err) || c.State != tc.state {
			t.Errorf("Inspect(%q) = %q, %v; want %q, %v", tc.id, c.State, err, tc.state, tc.err)
		}
	}
	all, err := w.a.List(t.Context())
	if err != nil || len(all) != 4 {
		t.Errorf("List = %d containers, %v; want 4", len(all), err)
	}
	f.down()
	w.sees("Container engine incus disconnected")
	if _, err := w.a.Inspect(t.Context(), "lxc", "web"); !errors.Is(err, format.ErrEngineDown) {
		t.Errorf("Inspect of a stopped engine: %v, want ErrEngineDown", err)
	}
}

func TestIncusPortsAreTold(t *testing.T) {
	f := newFakeIncus(t)
	f.instances = []api.InstanceFull{instance("web", "Running", time.Now().Add(-time.Hour))}
	f.up()
	w := watchIncus(t, f, t.TempDir())
	w.sees("Container engine incus connected")
	port := func(action string) func() bool { return func() bool { return len(w.records(action)) == 1 } }
	f.set(func(f *fakeIncus) {
		f.instances[0].Devices = map[string]map[string]string{"p": {"type": "proxy", "listen": "tcp:0.0.0.0:80"}}
	})
	f.send(lifecycle(time.Now(), "updated", "web"))
	waitFor(t, "port add", port("container.port_add"))
	f.set(func(f *fakeIncus) { f.instances[0].Devices = nil })
	f.send(lifecycle(time.Now(), "updated", "web"))
	waitFor(t, "port remove", port("container.port_remove"))
	r := w.records("container.port_remove")[0]
	if want := `{"qnap":{"container":"web","type":"lxc","port":"remove"}}`; string(r.Data) != want || r.Eseq == 0 {
		t.Errorf("port message = %s eseq %d, want %s with a position", r.Data, r.Eseq, want)
	}
}

func TestListenPorts(t *testing.T) {
	for in, want := range map[string][]int{
		"tcp:127.0.0.1:80":         {80},
		"tcp:[::]:8000-8002":       {8000, 8001, 8002},
		"tcp:0.0.0.0:80,443,22-23": {80, 443, 22, 23},
		"udp:0.0.0.0:53":           nil,
		"unix:/run/x":              nil,
		"tcp:nothing":              nil,
		"tcp:0.0.0.0:99999":        nil,
		"tcp:0.0.0.0:9-1":          nil,
		"":                         nil,
	} {
		if got := listenPorts(in); !slices.Equal(got, want) {
			t.Errorf("listenPorts(%q) = %v, want %v", in, got, want)
		}
	}
}
