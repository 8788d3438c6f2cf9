package cli

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"shiplog/format"
	"shiplog/index"
)

// happen writes container events, each "name action" or "name action code".
func happen(t *testing.T, w *format.Writer, events ...string) {
	t.Helper()
	for _, e := range events {
		part := append(strings.Fields(e), "")
		r := &format.Record{Stream: format.StreamEvent, Category: "container", Action: "container." + part[1], Code: part[2],
			Engine: format.EngineDocker, Actor: format.Actor{Type: format.ActorEngine}, Obj: format.Object{Type: "container", Name: part[0]}}
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
}

// follow counts the containers of dir until the newest want of them is told.
func follow(t *testing.T, dir string, limit int, want string) {
	t.Helper()
	x, err := index.Open(dir, index.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	c := newContainerMetrics(&daemon{index: x, log: slog.New(slog.DiscardHandler)}, limit)
	done := make(chan error, 1)
	go func() { done <- c.run(t.Context()) }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := testutil.CollectAndCompare(c, strings.NewReader(want))
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	problems, err := testutil.CollectAndLint(c)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint = %v, %v", problems, err)
	}
}

func TestContainerMetricsAreThoseOfTheLog(t *testing.T) {
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	happen(t, w, "old create", "old start", "old die 3", "old destroy") // the first name, and the first to be forgotten
	happen(t, w, "web create", "web start", "web oom", "web die 137", "web start", "web strange", "web die 1",
		"db create", "db start", "db die 0", "db destroy", "db create", "db start") // recreated, not restarted
	const want = `# HELP shiplog_container_events_total Events of the log that are about containers of this name.
# TYPE shiplog_container_events_total counter
shiplog_container_events_total{action="create",engine="docker",name="db"} 2
shiplog_container_events_total{action="create",engine="docker",name="other"} 1
shiplog_container_events_total{action="create",engine="docker",name="web"} 1
shiplog_container_events_total{action="destroy",engine="docker",name="db"} 1
shiplog_container_events_total{action="destroy",engine="docker",name="other"} 1
shiplog_container_events_total{action="die",engine="docker",name="db"} 1
shiplog_container_events_total{action="die",engine="docker",name="other"} 1
shiplog_container_events_total{action="die",engine="docker",name="web"} 2
shiplog_container_events_total{action="oom",engine="docker",name="web"} 1
shiplog_container_events_total{action="other",engine="docker",name="web"} 1
shiplog_container_events_total{action="start",engine="docker",name="db"} 2
shiplog_container_events_total{action="start",engine="docker",name="other"} 1
shiplog_container_events_total{action="start",engine="docker",name="web"} %d
# HELP shiplog_container_last_exit_code Code with which the container ended last.
# TYPE shiplog_container_last_exit_code gauge
shiplog_container_last_exit_code{engine="docker",name="db"} 0
shiplog_container_last_exit_code{engine="docker",name="web"} 1
# HELP shiplog_container_oom_kills_total Times that the kernel killed for want of memory.
# TYPE shiplog_container_oom_kills_total counter
shiplog_container_oom_kills_total{engine="docker",name="db"} 0
shiplog_container_oom_kills_total{engine="docker",name="other"} 0
shiplog_container_oom_kills_total{engine="docker",name="web"} 1
# HELP shiplog_container_restarts_total Starts after an end of the same container, whoever asked for them.
# TYPE shiplog_container_restarts_total counter
shiplog_container_restarts_total{engine="docker",name="db"} 0
shiplog_container_restarts_total{engine="docker",name="other"} 0
shiplog_container_restarts_total{engine="docker",name="web"} %d
`
	follow(t, dir, 2, fmt.Sprintf(want, 2, 1))
	happen(t, w, "web start") // as after a restart of this process: the rest comes from the log
	follow(t, dir, 2, fmt.Sprintf(want, 3, 2))
}
