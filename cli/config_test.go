package cli

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// shiplogWith runs one command in this process with an environment and a default configuration file.
func shiplogWith(t *testing.T, config string, env map[string]string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &Program{Args: args, Env: func(name string) string { return env[name] }, Config: config, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	status = p.Run(context.Background())
	return out.String(), errs.String(), status
}

func TestWhereASettingIsFrom(t *testing.T) {
	file := writeConfig(t, "listen: 127.0.0.1:1\nhost:\n  - a.lan\n  - b.lan\nsync-interval: 3s\nexport-allowed-hosts: 10.0.0.0/8, nas.lan\n")
	other := writeConfig(t, "listen: 127.0.0.1:9\n")
	noDocker := writeConfig(t, "docker: none\n")
	const fromEnv, fromFlag = "environment SHIPLOG_LISTEN", "flag"
	tests := []struct {
		name   string
		config string
		env    map[string]string
		args   []string
		want   string // line of the output
	}{
		{"no file, nothing else", "", nil, nil, "listen: 127.0.0.1:7446 # default"},
		{"a default file that is not there", "/nonexistent/shiplog.yaml", nil, nil, "listen: 127.0.0.1:7446 # default"},
		{"the default file", file, nil, nil, "listen: 127.0.0.1:1 # " + file + ":1"},
		{"the default file, refused", file, nil, []string{"--config", "none"}, "listen: 127.0.0.1:7446 # default"},
		{"a file that a flag names", file, nil, []string{"--config", other}, "listen: 127.0.0.1:9 # " + other + ":1"},
		{"a file that a variable names", file, map[string]string{"SHIPLOG_CONFIG": other}, nil, "listen: 127.0.0.1:9 # " + other + ":1"},
		{"the environment wins over the file", file, map[string]string{"SHIPLOG_LISTEN": "127.0.0.1:2"}, nil, "listen: 127.0.0.1:2 # " + fromEnv},
		{"a flag wins over both", file, map[string]string{"SHIPLOG_LISTEN": "127.0.0.1:2"}, []string{"--listen", "127.0.0.1:3"}, "listen: 127.0.0.1:3 # " + fromFlag},
		{"a list of the file", file, nil, nil, "host: [a.lan, b.lan] # " + file + ":2"},
		{"a list of a flag replaces it", file, nil, []string{"--host", "c.lan,d.lan"}, "host: [c.lan, d.lan] # flag"},
		{"a list of the environment replaces it", file, map[string]string{"SHIPLOG_HOST": "c.lan"}, nil, "host: [c.lan] # environment SHIPLOG_HOST"},
		{"a key of another command", file, nil, []string{"serve"}, "listen: 127.0.0.1:1 # " + file + ":1"},
		{"Docker's own variable", file, map[string]string{"DOCKER_HOST": "tcp://x:1"}, nil, "docker: tcp://x:1 # environment DOCKER_HOST"},
		{"the file wins over Docker's own variable", noDocker, map[string]string{"DOCKER_HOST": "tcp://x:1"}, nil, "docker: none # " + noDocker + ":1"},
		{"a unit's state directory", "", map[string]string{"STATE_DIRECTORY": "/srv/state"}, nil, "data: /srv/state # default"},
	}
	for _, tt := range tests {
		out, errs, status := shiplogWith(t, tt.config, tt.env, append([]string{"config", "show", "--origin"}, tt.args...)...)
		if status != exitOK || !strings.Contains("\n"+out, "\n"+tt.want+"\n") {
			t.Errorf("%s: config show = exit %d %s%s, want %s", tt.name, status, out, errs, tt.want)
		}
	}
	out, _, _ := shiplogWith(t, file, nil, "config", "show", "serve")
	if strings.Contains(out, "sync-interval") || !strings.Contains(out, "\nagent: ") {
		t.Errorf("config show serve = %s, want no sync-interval, which it has not, but agent", out)
	}
}

func TestWhatIsShownIsAFile(t *testing.T) {
	for _, command := range []string{"run", "agent", "serve"} {
		args := []string{"config", "show", command, "--data", "/a b/\"c\"\\d: #e\u2028\u00e4\t", "--host", "a.lan,b.lan", "--smtp", "mail.lan:25", "--smtp-from", "Box <box@example.com>",
			"--default-project", "NO", "--public-url", "https://logs.lan", "--export-allowed-hosts", "10.0.0.0/8,[::1]", "--listen", ":80", "--docker", "unix:///run/x.sock"}
		first, errs, status := shiplogWith(t, "", nil, args...)
		if status != exitOK {
			t.Fatalf("config show = exit %d %s", status, errs)
		}
		file := writeConfig(t, first)
		if _, errs, status := shiplogWith(t, "", nil, "config", "check", file); status != exitOK {
			t.Errorf("config check of what is shown for %s = exit %d %s\n%s", command, status, errs, first)
		}
		if second, errs, _ := shiplogWith(t, file, nil, "config", "show", command); second != first {
			t.Errorf("with what was shown as the file of %s, there is shown\n%s%swant\n%s", command, second, errs, first)
		}
	}
}

func TestOtherCommandsTakeTheDirectoryAlone(t *testing.T) {
	dir := t.TempDir()
	must(t, "", "record", "--data", dir, "--category", "test", "--message", "found")
	good := writeConfig(t, "listen: 127.0.0.1:1\ndata: "+dir+"\n")
	mistaken := writeConfig(t, "data: "+dir+"\nlissten: 1\nhost: {}\n")
	broken := writeConfig(t, "data: [\n")
	home := map[string]string{"HOME": t.TempDir(), "XDG_STATE_HOME": dir + "-none"}
	for name, file := range map[string]string{"a good file": good, "mistakes elsewhere": mistaken} {
		if out, errs, status := shiplogWith(t, file, home, "query"); status != exitOK || !strings.Contains(out, "found") || errs != "" {
			t.Errorf("with %s: query = exit %d %q %q, want the record", name, status, out, errs)
		}
	}
	if out, errs, status := shiplogWith(t, broken, home, "query", "--data", dir); status != exitOK || !strings.Contains(out, "found") || errs != "" {
		t.Errorf("query --data with a broken file = exit %d %q %q, want the record", status, out, errs)
	}
	env := map[string]string{"SHIPLOG_DATA": dir}
	if out, errs, status := shiplogWith(t, writeConfig(t, "data: /nonexistent\n"), env, "query"); status != exitOK || !strings.Contains(out, "found") {
		t.Errorf("query with SHIPLOG_DATA and a file = exit %d %q %q, want the record of the former", status, out, errs)
	}
	if _, errs, _ := shiplogWith(t, broken, home, "query"); !strings.Contains(errs, "warning: the configuration is not used: "+broken+":") {
		t.Errorf("query with a broken file says %q, want a warning", errs)
	}
	if _, errs, status := shiplogWith(t, "", home, "query", "--config", broken); status != exitUsage || !strings.Contains(errs, broken+":") {
		t.Errorf("query --config with a broken file = exit %d %q, want 2", status, errs)
	}
}

func TestAFileThatAUserMayNotRead(t *testing.T) {
	file := writeConfig(t, "data: /nonexistent\n")
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	denied := unreadable(file, &fs.PathError{Op: "open", Path: file, Err: fs.ErrPermission})
	p := &Program{Env: func(string) string { return "" }, Stderr: io.Discard}
	for named, want := range map[bool]bool{false: true, true: false} {
		cmd := p.queryCommand()
		if err := p.someFromFile(cmd.Flags(), nil, denied, named); (err == nil) != want {
			t.Errorf("a file that was named: %v; someFromFile() = %v, want an error only when it was", named, err)
		}
	}
	if os.Geteuid() == 0 { // who may read every file
		return
	}
	dir := t.TempDir()
	env := map[string]string{"XDG_STATE_HOME": dir}
	must(t, "", "record", "--data", filepath.Join(dir, "shiplog"), "--category", "test", "--message", "found")
	if out, errs, status := shiplogWith(t, file, env, "query"); status != exitOK || !strings.Contains(out, "found") || errs != "" {
		t.Errorf("query = exit %d %q %q, want the record and no word", status, out, errs)
	}
	if _, errs, status := shiplogWith(t, "", env, "query", "--config", file); status != exitUsage || !strings.Contains(errs, "permission denied") {
		t.Errorf("query --config = exit %d %q, want 2", status, errs)
	}
}

func TestTheExampleIsShipped(t *testing.T) {
	shipped, err := os.ReadFile(filepath.Join("..", "systemd", "shiplog.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string]map[string]string{
		"of root":   nil,
		"of a user": {"HOME": "/home/nina", "DOCKER_HOST": "tcp://x:1", "SHIPLOG_LISTEN": ":1"},
		"of a unit": {"STATE_DIRECTORY": "/srv"},
	} {
		if out, _, status := shiplogWith(t, "", env, "config", "init"); status != exitOK || out != string(shipped) {
			t.Errorf("config init %s differs from systemd/shiplog.yaml; write it anew: go run . config init >systemd/shiplog.yaml", name)
		}
	}
	if _, errs, status := shiplogWith(t, "", nil, "config", "check", filepath.Join("..", "systemd", "shiplog.yaml")); status != exitOK {
		t.Errorf("config check of the example = exit %d %s", status, errs)
	}
	var all []string
	for line := range strings.Lines(string(shipped)) {
		if key, ok := strings.CutPrefix(line, "#"); ok && !strings.HasPrefix(key, " ") && key != "\n" {
			all = append(all, key)
		}
	}
	file := writeConfig(t, strings.Join(all, ""))
	if _, errs, status := shiplogWith(t, "", nil, "config", "check", file); status != exitOK || len(all) < 20 {
		t.Errorf("config check of the example with all %d keys = exit %d %s", len(all), status, errs)
	}
}

func TestReloadableFlags(t *testing.T) {
	var got []string
	p := &Program{Env: func(string) string { return "" }}
	p.keys().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[reloadNote] != nil {
			got = append(got, f.Name)
		}
	})
	const want = "host default-project qnap-root-event-format public-url export-allowed-hosts export-retry-delay quay-export-status " +
		"smtp smtp-from smtp-user smtp-password-file smtp-tls log-level keep-age keep-bytes keep-free keep-at-least compress-after"
	if strings.Join(got, " ") != want {
		t.Errorf("flags that can be reloaded = %s, want %s", strings.Join(got, " "), want)
	}
}
