package agent

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"shiplog/format"
)

// TestStartIsWrittenBeforeTheEngineIsAsked starts a container with ports and has it stop at once: whether there are
// ports is asked when the start is in the log, and what comes of it is written before the next event.
func TestStartIsWrittenBeforeTheEngineIsAsked(t *testing.T) {
	out := &memory{}
	o := Options{Writer: out, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	s := newDockerSource(o, &meter{})
	p := &pump{src: s, q: s.q, out: out, now: o.Now, log: o.Logger, meter: s.meter}
	var written []int
	s.m.opts.Container = func(string) (DockerInfo, bool) {
		written = append(written, out.count(format.StreamEvent, "container.start"))
		return DockerInfo{Name: "web", Ports: true}, true
	}
	at, attrs := time.Now(), map[string]string{"name": "web", "image": "busybox"}
	s.q.push([]byte(event(at, "container", "start", hexID(1), attrs)), at)
	s.q.push([]byte(event(at.Add(time.Millisecond), "container", "pause", hexID(1), attrs)), at)
	for more := true; more; {
		var ms []Mapped
		if ms, more = p.collect(); p.write(t.Context(), ms) != nil {
			t.Fatal("the records cannot be written")
		}
	}
	if want := []int{1}; !slices.Equal(written, want) {
		t.Errorf("asked with %v starts in the log, want %v", written, want)
	}
	var got []string
	for _, r := range out.records() {
		if r.Stream == format.StreamEvent {
			got = append(got, r.Action)
		}
	}
	if want := []string{"container.start", "container.port_add", "container.pause"}; !slices.Equal(got, want) {
		t.Errorf("the log has %v, want %v", got, want)
	}
	if data := string(out.records()[1].Data); data[:8] != `{"ref":1` {
		t.Errorf("the message of the ports has the data %s, want the start's number", data)
	}
}
