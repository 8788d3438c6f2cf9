package cli

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protodelim"
)

// scrape returns what /metrics says: samples by name with labels, and the names of families in order.
func scrape(t *testing.T, url string) (samples map[string]string, families []string) {
	t.Helper()
	resp, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("GET /metrics = %d %s, want 200", resp.StatusCode, b)
	}
	samples = map[string]string{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			families = append(families, name)
		}
		if name, value, ok := strings.Cut(line, " "); ok && !strings.HasPrefix(line, "#") {
			samples[name] = value
		}
	}
	slices.Sort(families)
	return samples, families
}

func withoutAgent(families []string) []string {
	return slices.DeleteFunc(families, func(name string) bool { return strings.HasPrefix(name, "shiplog_agent_") })
}

func TestServerTellsWhatItsAgentMeasures(t *testing.T) {
	engine := []string{"--docker", filepath.Join(t.TempDir(), "docker.sock")}
	one, two := t.TempDir(), t.TempDir()
	for _, dir := range []string{one, two} {
		must(t, "secret\n", "user", "add", "--data", dir, "--admin", "admin")
	}
	run := startServer(t, append([]string{"run", "--data", one, "--incus", "none"}, engine...)...)
	waitFor(t, filepath.Join(one, "agent.sock"))
	stop := startAgent(t, two, engine...)
	serve := startServer(t, "serve", "--data", two)
	for _, dir := range []string{one, two} {
		must(t, "", "record", "--data", dir, "--category", "test", "--message", "first")
	}
	of, want := scrape(t, run.url)
	got, families := scrape(t, serve.url)
	if families = withoutAgent(families); !slices.Equal(families, want) {
		t.Errorf("serve beside an agent has the families\n%q, want those of run\n%q", families, want)
	}
	for _, name := range []string{"shiplog_writer_records_total", `shiplog_writer_state{state="ok"}`, `shiplog_capture_connected{engine="docker"}`, "shiplog_writer_fsync_duration_seconds_count"} {
		if got[name] == "" || got[name] != of[name] {
			t.Errorf("%s = %q of serve beside an agent, want %q as of run", name, got[name], of[name])
		}
	}
	for name, want := range map[string]string{"shiplog_agent_up": "1", "shiplog_writer_records_total": "1"} {
		if got[name] != want {
			t.Errorf("%s = %q, want %s", name, got[name], want)
		}
	}
	stop()
	samples, families := scrape(t, serve.url)
	if samples["shiplog_agent_up"] != "0" || samples["shiplog_last_seq"] == "" || samples["shiplog_writer_records_total"] != "" {
		t.Errorf("without the agent: up %q, last seq %q, written %q; want 0, a number, nothing",
			samples["shiplog_agent_up"], samples["shiplog_last_seq"], samples["shiplog_writer_records_total"])
	}
	if i := slices.IndexFunc(families, func(name string) bool { return strings.HasPrefix(name, "shiplog_writer_") }); i >= 0 {
		t.Errorf("without the agent there is %s", families[i])
	}
}

// answerAll serves a socket on which every line is answered with reply.
func answerAll(t *testing.T, path, reply string) {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := bufio.NewReader(conn).ReadSlice('\n'); err == nil {
				_, _ = io.WriteString(conn, reply+"\n")
			}
			conn.Close()
		}
	}()
}

func TestAgentsThatTellNoMetrics(t *testing.T) {
	for name, row := range map[string]struct{ reply, up string }{
		"one that does not know the request": {`{"error":"record says nothing: give it a msg"}`, "1"},
		"one that fails":                     {`{"error":"internal error","code":"internal"}`, "0"},
		"one that talks nonsense":            {`{"metrics":"AAECAwQFBgcICQ=="}`, "0"},
		"one that measures nothing":          {`{"metrics":""}`, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "agent.sock")
			answerAll(t, path, row.reply)
			s := startServer(t, "serve", "--data", dir, "--agent", path)
			samples, _ := scrape(t, s.url)
			if got := samples["shiplog_agent_up"]; got != row.up {
				t.Errorf("shiplog_agent_up = %q, want %s (%s)", got, row.up, s.stderr)
			}
		})
	}
}

// TestAgentSpeaksForItselfAlone hands over more than an agent has to say, and less than a whole.
func TestAgentSpeaksForItselfAlone(t *testing.T) {
	registry := prometheus.NewRegistry()
	for _, name := range []string{"go_goroutines", "process_open_fds", "shiplog_last_seq", "shiplog_agent_up", "shiplog_agent_process_open_fds", "shiplog_capture_x", "shiplog_writer_x", "zzz"} {
		registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: "x"}))
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	ends := map[int]bool{0: true}
	for _, f := range families {
		if _, err := protodelim.MarshalTo(&b, f); err != nil {
			t.Fatal(err)
		}
		ends[b.Len()] = true
	}
	got, err := readFamilies(b.Bytes())
	var names []string
	for _, f := range got {
		names = append(names, f.GetName())
	}
	if want := []string{"shiplog_agent_process_open_fds", "shiplog_capture_x", "shiplog_writer_x"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("readFamilies = %q, %v; want %q", names, err, want)
	}
	for n := range b.Len() {
		if _, err := readFamilies(b.Bytes()[:n]); (err == nil) != ends[n] {
			t.Errorf("readFamilies of the first %d bytes = %v", n, err)
		}
	}
	if _, err := readFamilies(make([]byte, maxMetrics+1)); err == nil {
		t.Error("readFamilies takes more than its limit")
	}
	if _, err := readFamilies(make([]byte, maxFamilies+1)); err == nil { // each byte is an empty family
		t.Error("readFamilies takes more families than its limit")
	}
}
