package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"shiplog/agent"
	"shiplog/format"
	"shiplog/index"
)

func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Write(&format.Record{Stream: format.StreamLog, Category: "system", Msg: "hello"}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "index"), 0o750); err != nil {
		t.Fatal(err)
	}
	x, err := index.Open(dir, index.Options{Dir: filepath.Join(dir, "index")})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if _, _, err := x.Last(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := newMetrics(&daemon{writer: w, index: x, agent: agent.New(agent.Options{Writer: w})})

	problems, err := testutil.CollectAndLint(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	const want = `# HELP shiplog_capture_connected 1 while the engine's events are received.
# TYPE shiplog_capture_connected gauge
shiplog_capture_connected{engine="docker"} 0
shiplog_capture_connected{engine="incus"} 0
# HELP shiplog_last_seq Number of the newest record that can be found.
# TYPE shiplog_last_seq gauge
shiplog_last_seq 1
# HELP shiplog_writer_records_total Records appended.
# TYPE shiplog_writer_records_total counter
shiplog_writer_records_total 1
# HELP shiplog_writer_state 1 for the state the writer is in: ok, full or read-only.
# TYPE shiplog_writer_state gauge
shiplog_writer_state{state="full"} 0
shiplog_writer_state{state="ok"} 1
shiplog_writer_state{state="read-only"} 0
`
	if err := testutil.CollectAndCompare(m, strings.NewReader(want), "shiplog_capture_connected", "shiplog_last_seq",
		"shiplog_writer_records_total", "shiplog_writer_state"); err != nil {
		t.Error(err)
	}
}
