package enginetest

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// samples are the values of /metrics by series, as name{label="value",...} with the labels in order.
func (b *box) samples(t *testing.T) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for scan := bufio.NewScanner(bytes.NewReader(b.get(t, "/metrics"))); scan.Scan(); {
		series, value, _ := strings.Cut(scan.Text(), "} ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			all[series+"}"] = v
		}
	}
	return all
}

// metrics holds /metrics of the first life of shiplog against what the engines said in it, and against the
// records of connections and gaps.
func (r *run) metrics(t *testing.T) {
	r.settle(t)
	got := r.b.samples(t)
	for series, want := range r.counted(t) {
		if got[series] != want {
			t.Errorf("%s = %v, want %v", series, got[series], want)
		}
	}
	if n := got[`shiplog_capture_reconnects_total{engine="docker"}`]; n < 2 {
		t.Errorf("%v reconnects to docker, want one for each of the two ends of the daemon at least", n)
	}
	r.containerMetrics(t, got)
}

// counted is what the counters of capture must be.
func (r *run) counted(t *testing.T) map[string]float64 {
	want := map[string]float64{`shiplog_capture_connected{engine="docker"}`: 1, `shiplog_capture_connected{engine="incus"}`: 1}
	for _, e := range r.o.dockerEvents() {
		if !time.Unix(0, e.TimeNano).After(r.began) {
			continue
		}
		verb, _, _ := strings.Cut(e.Action, ": ")
		want[fmt.Sprintf(`shiplog_capture_events_total{action=%q,engine="docker",type=%q}`, verb, e.Type)]++
	}
	for series := range want {
		if strings.HasPrefix(series, "shiplog_capture_events_total") {
			want[series] += r.before[series] // of events that were before the stories
		}
	}
	if len(want) < 20 {
		t.Errorf("%d kinds of events were driven, want 20 at least: %v", len(want), slices.Sorted(maps.Keys(want)))
	}
	for _, rec := range r.b.records(t) {
		switch reason, _ := strconv.Unquote(string(rec.Data["reason"])); rec.Action {
		case "engine.gap":
			want[fmt.Sprintf("shiplog_capture_gaps_total{engine=%q,reason=%q}", rec.Engine, reason)]++
		case "engine.disconnected":
			want[fmt.Sprintf("shiplog_capture_reconnects_total{engine=%q}", rec.Engine)]++ // each was followed by a connection
		}
	}
	return want
}

// containerMetrics compares the counters of containers with what dockerd said of the stories' ones.
func (r *run) containerMetrics(t *testing.T, got map[string]float64) {
	want := map[string]float64{
		`shiplog_container_last_exit_code{engine="docker",name="crash"}`: 3,
		`shiplog_container_last_exit_code{engine="docker",name="done"}`:  0,
		`shiplog_container_last_exit_code{engine="docker",name="loop"}`:  5,
		`shiplog_container_last_exit_code{engine="docker",name="oom"}`:   137,
		`shiplog_container_restarts_total{engine="docker",name="loop"}`:  3,
		`shiplog_container_restarts_total{engine="docker",name="crash"}`: 0,
	}
	for _, name := range []string{"life", "crash", "done", "loop", "oom", "web"} {
		want[fmt.Sprintf(`shiplog_container_oom_kills_total{engine="docker",name=%q}`, name)] = 0
		for _, e := range r.o.dockerEvents() {
			if e.Type != "container" || e.Actor.Attributes["name"] != name || strings.HasPrefix(e.Action, "exec") {
				continue
			}
			want[fmt.Sprintf(`shiplog_container_events_total{action=%q,engine="docker",name=%q}`, e.Action, name)]++
			if e.Action == "oom" {
				want[fmt.Sprintf(`shiplog_container_oom_kills_total{engine="docker",name=%q}`, name)]++
			}
		}
	}
	if want[`shiplog_container_oom_kills_total{engine="docker",name="oom"}`] == 0 {
		t.Error("dockerd told of no kill for want of memory; the test tested nothing")
	}
	for series, v := range want {
		if n, there := got[series]; n != v || !there {
			t.Errorf("%s = %v (there: %v), want %v", series, n, there, v)
		}
	}
	t.Logf("%d series of containers compared", len(want))
}
