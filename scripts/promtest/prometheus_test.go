package promtest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const rules = "../prometheus/shiplog.rules.yml"

// need returns the path of a program, or leaves the test out.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not on the PATH; scripts/test prometheus gets it", program)
	}
	return path
}

func TestRulesAndTheirTests(t *testing.T) {
	promtool := need(t, "promtool")
	for _, args := range [][]string{{"check", "rules", rules}, {"test", "rules", "../prometheus/shiplog.rules.test.yml"}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestPrometheusWatchesShiplog(t *testing.T) {
	program, promtool := need(t, "prometheus"), need(t, "promtool")
	binary := build(t)
	base := startShiplog(t, binary)
	pair, cert := startPair(t, binary)
	for _, server := range []string{base, pair} {
		check := exec.Command(promtool, "check", "metrics")
		check.Stdin = strings.NewReader(get(t, server+"/metrics", cert))
		if out, err := check.CombinedOutput(); err != nil || len(out) > 0 { // also a mere hint is printed
			t.Errorf("promtool check metrics: %v\n%s", err, out)
		}
	}
	p := startPrometheus(t, program, strings.TrimPrefix(base, "http://"), strings.TrimPrefix(pair, "https://"), cert)

	for query, want := range map[string]string{
		`up{job="shiplog"}`:                                                                   "1",
		`shiplog_container_oom_kills_total{name="web"}`:                                       "2",
		`shiplog_container_restarts_total{engine="docker",name="web"}`:                        "2",
		`shiplog_container_last_exit_code{name="web"}`:                                        "137",
		`shiplog_container_last_exit_code{name="db"}`:                                         "0",
		`shiplog_container_events_total{name="other",action="die"}`:                           "1",
		`count(shiplog_container_restarts_total)`:                                             "3",
		`shiplog_capture_connected{job="shiplog",engine="docker"}`:                            "0",
		`shiplog_writer_state{job="shiplog",state="ok"}`:                                      "1",
		`count(shiplog_build_info{job="shiplog",revision!="",version!="",goversion=~"go.+"})`: "1",
		`shiplog_agent_up`: "1",
		`shiplog_writer_state{job="pair",state="ok"}`:                                                       "1",
		`shiplog_capture_connected{job="pair",engine="docker"}`:                                             "0",
		`sum(shiplog_http_requests_total{job="shiplog",dialect="native",method="GET",code="200"}) > bool 0`: "1",
		`shiplog_disk_free_bytes{job="shiplog"} > bool 0`:                                                   "1",
		`shiplog_checkpoint_size{job="shiplog"}`:                                                            "0",
		`shiplog_checkpoint_size{job="pair"}`:                                                               "0",
	} {
		p.wait(t, query, want)
	}
	if n := strings.Count(get(t, p.base+"/api/v1/rules", cert), `"health":"ok"`); n != strings.Count(read(t, rules), "- alert:") {
		t.Errorf("%d rules are healthy, want all", n)
	}
	checkNames(t, p)
}

// named finds the names of our metrics in an expression.
var named = regexp.MustCompile(`\bshiplog_[a-z_]+`)

// checkNames wants each metric of the dashboard and of the rules to be one that was scraped or, when it comes only
// with the events of an engine, one that package cli makes.
func checkNames(t *testing.T, p *prometheus) {
	t.Helper()
	exprs := dashboard(t)
	if len(exprs) < 15 {
		t.Fatalf("the dashboard has %d expressions, want at least 15", len(exprs))
	}
	for _, expr := range exprs {
		if _, err := p.query(expr); err != nil {
			t.Errorf("Prometheus refuses %s: %v", expr, err)
		}
	}
	withEngine := map[string]bool{"shiplog_capture_gaps_total": true, "shiplog_capture_events_total": true, "shiplog_capture_last_event_timestamp_seconds": true}
	verified := read(t, "../../cli/verify_metrics.go") // these come by way of a file
	for _, expr := range append(exprs, strings.Split(read(t, rules), "\n")...) {
		for _, name := range named.FindAllString(expr, -1) {
			if got, err := p.query("count(" + name + ")"); (err != nil || got == "") && !withEngine[name] && !strings.Contains(verified, `"`+name+`"`) {
				t.Errorf("%s of %q is no metric of shiplog (%v)", name, expr, err)
			}
		}
	}
	source := read(t, "../../cli/metrics.go")
	for name := range withEngine {
		if !strings.Contains(source, `desc("`+strings.TrimPrefix(name, "shiplog_")+`"`) {
			t.Errorf("%s is no metric of shiplog", name)
		}
	}
}

// dashboard lists the expressions of the dashboard, its variables filled in as Grafana does.
func dashboard(t *testing.T) (exprs []string) {
	t.Helper()
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(read(t, "../prometheus/shiplog-dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$instance", ".*")
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			exprs = append(exprs, fill.Replace(target.Expr))
		}
	}
	return exprs
}

// prometheus is a running one.
type prometheus struct{ base string }

// startPrometheus runs a Prometheus that scrapes the addresses of a shiplog and, over https, of a server beside an
// agent each second.
func startPrometheus(t *testing.T, program, address, pair, cert string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	abs, err := filepath.Abs(rules)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: shiplog, static_configs: [{targets: [%q]}]}, "+
		"{job_name: pair, scheme: https, tls_config: {ca_file: %q}, static_configs: [{targets: [%q]}]}]\n",
		abs, address, cert, pair)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := freeAddress(t)
	launch(t, exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+listen, "--log.level=warn"))
	return &prometheus{"http://" + listen}
}

// wait asks until the answer is want.
func (p *prometheus) wait(t *testing.T, query, want string) {
	t.Helper()
	var got string
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if got, err = p.query(query); err == nil && got == want {
			return
		}
	}
	t.Errorf("%s = %q (%v), want %s", query, got, err, want)
}

// query returns the first value of the answer; "" when there is none.
func (p *prometheus) query(expr string) (string, error) {
	resp, err := http.Get(p.base + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if answer.Status != "success" {
		return "", fmt.Errorf("%s", answer.Error)
	}
	if len(answer.Data.Result) == 0 {
		return "", nil
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1]), nil
}

// story is what Docker said of a container that was killed for want of memory twice, of one that ended well, and
// before of one that is forgotten.
func story() string {
	var b strings.Builder
	at := time.Now().Add(-time.Hour)
	for _, step := range []string{"gone start", "gone die 3", "gone destroy", "web create", "web start", "web oom", "web die 137",
		"web start", "web oom", "web die 137", "web start", "db create", "db start", "db die 0"} {
		part := append(strings.Fields(step), "")
		at = at.Add(time.Second)
		fmt.Fprintf(&b, `{"Type":"container","Action":%q,"Actor":{"ID":%q,"Attributes":{"name":%q,"image":"busybox","exitCode":%q}},"scope":"local","time":%d,"timeNano":%d}`+"\n",
			part[1], fmt.Sprintf("%064x", part[0]), part[0], part[2], at.Unix(), at.UnixNano())
	}
	return b.String()
}

// build returns the path of shiplog.
func build(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("SHIPLOG_BINARY")
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "shiplog")
		if out, err := exec.Command("go", "build", "-o", binary, "../..").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	return binary
}

// startShiplog runs one over the story, with the metrics of two containers, and returns its address.
func startShiplog(t *testing.T, binary string) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	listen := freeAddress(t)
	load := exec.Command(binary, "import", "--data", data, "--format", "docker")
	load.Stdin = strings.NewReader(story())
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("shiplog import: %v\n%s", err, out)
	}
	// An engine that is not there is a metric too; one that is turned off is not.
	launch(t, exec.Command(binary, "run", "--data", data, "--docker", "unix://"+data+"/no.sock",
		"--incus", "none", "--container-metrics", "2", "--listen", listen))
	return "http://" + listen
}

// startPair runs a server beside an agent, over nothing yet, and returns its address and the file of its certificate.
func startPair(t *testing.T, binary string) (base, cert string) {
	t.Helper()
	data, pair := filepath.Join(t.TempDir(), "data"), t.TempDir()
	if out, err := exec.Command(binary, "tls", "init", "--out", pair).CombinedOutput(); err != nil {
		t.Fatalf("shiplog tls init: %v\n%s", err, out)
	}
	cert = filepath.Join(pair, "cert.pem")
	listen := freeAddress(t)
	launch(t, exec.Command(binary, "agent", "--data", data, "--docker", "unix://"+data+"/no.sock", "--incus", "none"))
	launch(t, exec.Command(binary, "serve", "--data", data, "--agent", filepath.Join(data, "agent.sock"), "--state", t.TempDir(), "--listen", listen,
		"--tls-cert", cert, "--tls-key", filepath.Join(pair, "key.pem")))
	return "https://" + listen, cert
}

// launch starts cmd, and ends that one process after the test.
func launch(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s printed:\n%s", cmd.Path, log.String())
		}
	})
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// get asks until there is an answer. The certificate in the file cert is trusted.
func get(t *testing.T, url, cert string) string {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(read(t, cert)))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		resp, err := client.Get(url)
		if err == nil {
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("GET %s = %d (%v)", url, resp.StatusCode, err)
			}
			return string(b)
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
