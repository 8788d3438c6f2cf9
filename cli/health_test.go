package cli

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// closedAddress is one that nobody listens on.
func closedAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestHealth(t *testing.T) {
	dir, alone := t.TempDir(), t.TempDir()
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "first")
	startAgent(t, alone)
	ready := startServer(t, "run", "--data", t.TempDir(), "--docker", "none", "--incus", "none")
	waiting := startServer(t, "serve", "--data", dir, "--state", t.TempDir(), "--agent", filepath.Join(dir, "agent.sock"))
	address := func(s *server) string { return strings.TrimPrefix(s.url, "http://") }
	everywhere := strings.Replace(address(ready), "127.0.0.1", "0.0.0.0", 1)
	for name, row := range map[string]struct {
		args      []string
		status    int
		out, errs string
	}{
		"a server that is ready":                            {[]string{"--listen", address(ready)}, 0, "ready\n", ""},
		"one that listens on all addresses":                 {[]string{"--listen", everywhere}, 0, "ready\n", ""},
		"one by its URL":                                    {[]string{"--url", ready.url + "/"}, 0, "ready\n", ""},
		"one whose agent is away":                           {[]string{"--listen", address(waiting)}, 1, "agent is not reachable", "is not ready"},
		"one whose agent is away, which answers":            {[]string{"--live", "--listen", address(waiting)}, 0, "alive\n", ""},
		"nobody at an address that was given":               {[]string{"--data", alone, "--listen", closedAddress(t)}, 1, "", "no server answers; where an agent runs without one, ask it with --socket"},
		"something that is no shiplog":                      {[]string{"--url", ready.url + "/api/v1/log"}, 1, "", "is that shiplog?"},
		"an agent by its socket":                            {[]string{"--socket", filepath.Join(alone, "agent.sock")}, 0, "ready (the agent; no server was asked)\n", ""},
		"an agent that is not there":                        {[]string{"--socket", filepath.Join(dir, "agent.sock")}, 1, "", "no agent is running"},
		"an address without a port":                         {[]string{"--listen", "127.0.0.1"}, 2, "", "missing port"},
		"the port that the system chose, which nobody told": {[]string{"--listen", "127.0.0.1:0"}, 2, "", "--url"},
		"a URL of another kind":                             {[]string{"--url", "ftp://nas"}, 2, "", "http://"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, status := shiplog(t, "", append([]string{"health"}, row.args...)...)
			if status != row.status || !strings.Contains(out, row.out) || !strings.Contains(errs, row.errs) || row.errs == "" && errs != "" {
				t.Errorf("health %v = exit %d, %q, %q; want exit %d, %q, %q", row.args, status, out, errs, row.status, row.out, row.errs)
			}
		})
	}
}

// TestHealthOfAnAgentAlone asks where nobody said where a server would be.
func TestHealthOfAnAgentAlone(t *testing.T) {
	dir := t.TempDir()
	h := health{dir: dir, listen: closedAddress(t)}
	if _, _, err := h.ask(t.Context()); err == nil || !strings.Contains(err.Error(), "shiplog is not running") {
		t.Errorf("health without anything = %v, want: shiplog is not running", err)
	}
	startAgent(t, dir)
	if well, reasons, err := h.ask(t.Context()); err != nil || len(reasons) > 0 || !strings.HasPrefix(well, "ready (the agent") {
		t.Errorf("health beside an agent alone = %q, %q, %v; want ready", well, reasons, err)
	}
}

// TestHealthWhereTheServerIs asks with an address from different places.
func TestHealthWhereTheServerIs(t *testing.T) {
	alone, whole := t.TempDir(), t.TempDir()
	startAgent(t, alone)
	ready := startServer(t, "run", "--data", whole, "--docker", "none", "--incus", "none")
	waitFor(t, filepath.Join(whole, "agent.sock"))
	closed := closedAddress(t)
	const agentAnswers = "ready (the agent; no server was asked)\n"
	for name, row := range map[string]struct {
		config, dir, listen string // listen is the variable
		status              int
		out, errs           string
	}{
		"the file, where nobody listens":                            {"listen: " + closed + "\n", alone, "", 1, "", "no server answers"},
		"the file, where the server is":                             {"listen: " + strings.TrimPrefix(ready.url, "http://") + "\n", alone, "", 0, "ready\n", ""},
		"the variable, of an agent":                                 {"", alone, closed, 0, agentAnswers, ""},
		"the variable, of a server that was told another by a flag": {"", whole, closed, 0, "ready\n", ""},
	} {
		out, errs, status := shiplogWith(t, writeConfig(t, row.config), map[string]string{"SHIPLOG_LISTEN": row.listen, "SHIPLOG_DATA": row.dir}, "health")
		if status != row.status || out != row.out || !strings.Contains(errs, row.errs) {
			t.Errorf("health with an address of %s = exit %d, %q, %q; want exit %d, %q, %q", name, status, out, errs, row.status, row.out, row.errs)
		}
	}
}

// TestHealthAsksWhereTheFileSaysThatTheServerListens has no flag and no variable, as HEALTHCHECK has none.
func TestHealthAsksWhereTheFileSaysThatTheServerListens(t *testing.T) {
	s := startServer(t, "run", "--data", t.TempDir(), "--docker", "none", "--incus", "none")
	file := writeConfig(t, "listen: "+strings.TrimPrefix(s.url, "http://")+"\ndata: "+t.TempDir()+"\n")
	if out, errs, status := shiplogWith(t, file, nil, "health"); status != exitOK || out != "ready\n" {
		t.Errorf("health with the server's file = exit %d, %q, %q, want ready", status, out, errs)
	}
	file = writeConfig(t, "listen: "+closedAddress(t)+"\n")
	if _, errs, status := shiplogWith(t, file, nil, "health"); status != exitFailed || !strings.Contains(errs, "no server answers") {
		t.Errorf("health with a file of a server that is away = exit %d, %q, want 1", status, errs)
	}
}

// files lists what is in dir and below.
func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestServeKeepsItsOwnInState wants what the server keeps in its own directory and nothing new in that of the log.
func TestServeKeepsItsOwnInState(t *testing.T) {
	dir, state := t.TempDir(), filepath.Join(t.TempDir(), "own")
	startAgent(t, dir)
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "first")
	before := files(t, dir)
	must(t, "secret\n", "user", "add", "--data", state, "--admin", "admin")
	s := startServer(t, "serve", "--data", dir, "--state", state)
	s.want(t, "POST", v2+"/login", "username=admin&password=secret", 200)
	s.stop()
	if after := files(t, dir); !slices.Equal(after, before) {
		t.Errorf("beside serve --state the data directory holds %q, want %q", after, before)
	}
	for _, name := range []string{"accounts.json", "keys", "exports", "index"} {
		waitFor(t, filepath.Join(state, name))
	}
}
