package cli

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJournalOnItsOwnAddress starts run and serve with a second listener: it serves the journal and health, and
// nothing else; the first goes on to serve everything.
func TestJournalOnItsOwnAddress(t *testing.T) {
	dir := t.TempDir()
	accounts := filepath.Join(dir, "in.json")
	if err := os.WriteFile(accounts, []byte(`{"tokens": [{"token": "t", "user": "u", "project": "p", "roles": ["admin"], "scopes": []}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"run", "--docker", "none", "--incus", "none"}, {"serve"}} {
		t.Run(command[0], func(t *testing.T) {
			data := filepath.Join(dir, command[0])
			must(t, "", "import", "--data", data, "--format", "qnap-csv", filepath.Join("..", "agent", "testdata", "qnap", "v2-log.csv"))
			s := startServer(t, append(command, "--data", data, "--journal-listen", "127.0.0.1:0")...)
			if s.password == "" || !strings.HasPrefix(s.journal, "http://127.0.0.1:") || !strings.HasSuffix(s.journal, "/v1/journal/") {
				t.Fatalf("the lines after the first tell journal %q and password %q, want both", s.journal, s.password)
			}
			base := strings.TrimSuffix(s.journal, "/v1/journal/")
			for path, want := range map[string]int{"/v1/journal/": 401, "/healthz": 200, "/metrics": 404, v2 + "/log": 404, "/": 404} {
				res, err := http.Get(base + path)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode != want || !strings.HasPrefix(res.Header.Get("X-Openstack-Request-Id"), "req-") {
					t.Errorf("GET %s of the journal's listener = %d with request id %q, want %d and one", path, res.StatusCode, res.Header.Get("X-Openstack-Request-Id"), want)
				}
			}
			s.want(t, "GET", "/v1/journal/", "", 401, `"title":"Unauthorized"`)
			s.want(t, "GET", v2+"/log", "", 401)
			if command[0] == "run" {
				must(t, "", "account", "apply", "--data", data, accounts)
				wantCount(t, s.journal+"count", "t")
				wantCount(t, s.url+"/v1/journal/count", "t")
			}
			if status := s.stop(); status != exitOK {
				t.Errorf("%s ended with %d, want 0; %s", command[0], status, s.stderr)
			}
			if _, err := net.Dial("tcp", strings.TrimPrefix(base, "http://")); err == nil {
				t.Error("the journal's listener is open after the end")
			}
		})
	}
}

func wantCount(t *testing.T, url, token string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body := new(strings.Builder)
	if _, err := io.Copy(body, res.Body); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 || body.String() != "{\"count\":59}\n" {
		t.Errorf("GET %s = %d %s, want the 59 imported records", url, res.StatusCode, body)
	}
}

func TestAJournalAddressThatIsTakenIsSaid(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, stderr, status := shiplog(t, "", "run", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--journal-listen", taken.Addr().String(), "--docker", "none", "--incus", "none")
	if status != exitFailed || !strings.Contains(stderr, "--journal-listen") {
		t.Errorf("run with a taken journal address = exit %d %q, want 1 and a word on --journal-listen", status, stderr)
	}
}

// TestSecretsOfTheJournalAreNotStored posts an entry to run and to serve beside it: neither the answer nor the
// log has its password, and both have the rest of it.
func TestSecretsOfTheJournalAreNotStored(t *testing.T) {
	dir := t.TempDir()
	token := strings.TrimSpace(must(t, "", "token", "add", "--data", dir, "--user", "u", "--role", "admin"))
	run := startServer(t, "run", "--data", dir, "--docker", "none", "--incus", "none")
	waitFor(t, filepath.Join(dir, "agent.sock"))
	for _, s := range []*server{run, startServer(t, "serve", "--data", dir)} {
		const entry = `{"journal": {"object_id": "4", "action": "a", "status": "Success", "action_arguments": {"password": "hunter2", "size": 1.50}}}`
		req, err := http.NewRequest("POST", s.url+"/v1/journal/", strings.NewReader(entry))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Auth-Token", token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 201 || strings.Contains(string(body), "hunter2") || !strings.Contains(string(body), "1.50") {
			t.Errorf("POST = %d %s, %v; want 201 and the entry without its password", res.StatusCode, body, err)
		}
	}
	if out := must(t, "", "query", "--data", dir, "-o", "jsonl"); strings.Contains(out, "hunter2") || strings.Count(out, "1.50") != 2 {
		t.Errorf("the log = %s, want both entries without their password", out)
	}
}
