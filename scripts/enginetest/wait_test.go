package enginetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// wait measures the time from an engine's event to the answer of event/wait. Both clocks are this
// machine's. The test fails only far beyond what is promised, because a busy machine is not a bug.
func (r *run) wait(t *testing.T) {
	const promised, never = 50 * time.Millisecond, 500 * time.Millisecond
	r.e.do(t, "docker run -d --name waited busybox sleep 1000", "incus -q launch busybox iwaited")
	type turn struct{ engine, name, state, cmd, action string }
	docker := []turn{
		{"docker", "waited", "stopped", "docker kill waited", "die"},
		{"docker", "waited", "running", "docker start waited", "start"},
	}
	incus := []turn{
		{"lxc", "iwaited", "stopped", "incus stop -f iwaited", "instance-stopped"},
		{"lxc", "iwaited", "running", "incus start iwaited", "instance-started"},
	}
	var took []time.Duration
	for _, turn := range slices.Concat(docker, docker, docker, docker, incus, incus) {
		path := fmt.Sprintf("%s/event/wait/%s/%s/%s?duration=30", v2, turn.engine, turn.name, turn.state)
		answered := make(chan time.Time, 1)
		go func() {
			defer close(answered)
			if state := r.waitState(t, path); state != turn.state {
				t.Errorf("GET %s = state %q, want %q", path, state, turn.state)
			}
			answered <- time.Now()
		}()
		time.Sleep(300 * time.Millisecond) // the request is on its way before anything happens
		from := time.Now()
		r.e.do(t, turn.cmd)
		event := r.o.await(t, from, func(engine, name, action string) bool {
			return engine == turn.engine && name == turn.name && action == turn.action
		})
		d := (<-answered).Sub(event)
		t.Logf("%s %s: answered %.1f ms after the engine's event", turn.engine, turn.state, float64(d.Microseconds())/1000)
		if took = append(took, d); d > never {
			t.Errorf("event/wait answered %v after the event of %s", d, turn.engine)
		}
	}
	r.e.do(t, "docker rm -f waited", "incus delete -f iwaited")
	slices.Sort(took)
	t.Logf("event/wait: median %v, longest %v of %d; promised %v", took[len(took)/2], took[len(took)-1], len(took), promised)
}

func (r *run) waitState(t *testing.T, path string) string {
	resp, err := r.b.client.Get(r.b.base + path)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	var info struct{ State string }
	if err := json.NewDecoder(resp.Body).Decode(&info); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("GET %s = %s, %v", path, resp.Status, err)
	}
	return info.State
}

// curlLines are the seeds' own command lines, with the container that runs here; each names what its
// answer must hold.
var curlLines = []struct{ cmd, holds string }{
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/container-station/api/v1/log?limit=5&category=image,export"`, `"category": "image"`},
	{`curl -sq -XGET -b cookies.txt http://${QIP}:${QPORT}/container-station/api/v1/log/export`, "Date,Level,Category,User,Message"},
	{`curl -sq -XGET -b cookies.txt http://${QIP}:${QPORT}/container-station/api/v1/event`, `"offset": `},
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/container-station/api/v1/event/wait/lxc/utest/stopped?duration=1"`, `"state": "running"`},
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/container-station/api/v1/event/wait/docker/dtest/running?duration=5"`, `"tcpPort": [`},
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/container-station/api/v1/container"`, `"name": "utest"`},
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/container-station/api/v1/container/docker/dtest"`, `"state": "running"`},
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/api/v1/log?limit=5"`, `"message": "`},
	{`curl -sq -XGET -b cookies.txt http://${QIP}:${QPORT}/api/v1/log/export`, "Date,Level,Category,User,Message"},
	{`curl -sq -XGET -b cookies.txt http://${QIP}:${QPORT}/api/v1/event`, `"container:all:{`},
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/api/v1/event/wait/lxc/utest/stopped?duration=1"`, `"type": "lxc"`},
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/api/v1/container/docker/dtest"`, `"state": "running"`},
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/containerstation/api/v1/log?limit=5"`, `"message": "`},
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/containerstation/api/v1/container"`, `"name": "dtest"`},
	{`curl -sq -XGET -b cookies.txt "http://${QIP}:${QPORT}/containerstation/api/v1/event/wait/docker/dtest/running"`, `"rx": `},
	{`curl -sq -XGET -b cookies.txt -c cookies.txt http://${QIP}:${QPORT}/container-station/api/v1/login_refresh`, `"username": "admin"`},
	{`curl -sq http://${QIP}:${QPORT}/healthz`, ``},
	{`curl -sqf http://${QIP}:${QPORT}/readyz`, ``},
	{`curl -sqf http://${QIP}:${QPORT}/metrics`, "shiplog_"},
	{`curl -sq -XPUT -b cookies.txt -c cookies.txt http://${QIP}:${QPORT}/container-station/api/v1/logout`, `"username": "admin"`},
	{`curl -sq -XGET -b cookies.txt http://${QIP}:${QPORT}/container-station/api/v1/log`, `"code": 401`},
}

func (r *run) curl(t *testing.T) {
	r.e.do(t, "docker run -d --name dtest -p 8089:80 busybox sleep 1000", "incus -q launch busybox utest", hasAddress("utest"))
	dir := t.TempDir()
	ip, port, _ := strings.Cut(strings.TrimPrefix(r.b.base, "http://"), ":")
	curl := func(line string) string {
		cmd := exec.Command("bash", "-c", line)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "QIP="+ip, "QPORT="+port)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		return string(out)
	}
	login := fmt.Sprintf(`curl -sq -XPOST -c cookies.txt -d '{"username": "admin", "password": "%s"}' `, password) +
		`http://${QIP}:${QPORT}/container-station/api/v1/login`
	if out := curl(login); !strings.Contains(out, `"isAdmin": true`) {
		t.Fatalf("login with curl: %s", out)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "cookies.txt")); err != nil || !strings.Contains(string(text), "CS_SESS_ID") {
		t.Errorf("cookies.txt = %q, %v", text, err)
	}
	for _, c := range curlLines {
		if out := curl(c.cmd); !strings.Contains(out, c.holds) {
			t.Errorf("%s\nanswered %.600s\nwant %s in it", c.cmd, out, c.holds)
		}
	}
	info := string(r.b.get(t, v2+"/container/docker/dtest")) + string(r.b.get(t, v2+"/container/lxc/utest"))
	t.Logf("live: %s", info)
	r.e.do(t, "docker rm -f dtest", "incus delete -f utest")
}
