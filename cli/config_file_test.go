package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mistakes are files with what config check says of them, after "FILE:". Each is all that it says.
var mistakes = []struct {
	name, text string
	want       []string
}{
	{"an unknown key with one letter wrong", "data: /srv\nlissten: :80\n", []string{"2: lissten: unknown; is listen meant?"}},
	{"a key as a variable is written", "EXPORT_ALLOWED_HOSTS: a.lan\n", []string{"1: EXPORT_ALLOWED_HOSTS: unknown; is export-allowed-hosts meant?"}},
	{"a key as a flag is written", "--data: /srv\n", []string{"1: --data: unknown; is data meant?"}},
	{"a key like no other", "retention: 90d\n", []string{"1: retention: unknown; shiplog config init shows all keys"}},
	{"the file's own name as a key", "config: other.yaml\n", []string{"1: config: unknown; shiplog config init shows all keys"}},
	{"a key that is there twice", "data: /a\n\ndata: /b\n", []string{"3: data: is there twice, first in line 1"}},
	{"a list where one value is wanted", "data:\n  - /a\n  - /b\n", []string{"1: data: is a list; want one value"}},
	{"keys below a key", "smtp:\n  from: a@b.c\n", []string{"1: smtp: want a value, not further keys"}},
	{"a list in a list", "host:\n  - a.lan\n  - [b.lan]\n", []string{"1: host: the list in line 3 must have simple values only"}},
	{"no value", "data:\n", []string{`1: data: has no value; give one, "" for none, or take the line out`}},
	{"true for a socket", "docker: false\n", []string{"1: docker: want a socket, not false; quote it if it is meant"}},
	{"a reference", "data: &a /srv\nindex: *a\n", []string{"2: index: want a value; what begins with * or & is not known here, quote it if it is meant"}},
	{"no for a socket, as older YAML has it", "docker: no\n", []string{"1: docker: want a socket, not no; quote it if it is meant"}},
	{"a text of two lines", "data: |\n  /srv\n  /tmp\n", []string{"1: data: want a value of one line"}},
	{"a line end after a value", "host: [\"a.lan\\n\"]\n", []string{"1: host: want a value of one line"}},
	{"a type", "data: !!binary L3Nydg==\n", []string{"1: data: want a value; what begins with ! is not known here, quote it if it is meant"}},
	{"a duration without a unit", "sync-interval: 5\n", []string{`1: sync-interval: "5" is no duration; write it like 500ms, 90s or 1h30m`}},
	{"a duration of nothing", "sync-interval: 0s\n", []string{"1: sync-interval: must be longer than 0"}},
	{"no time for answers", "answer-timeout: 0s\n", []string{"1: answer-timeout: must be longer than 0 and at most 1h0m0s"}},
	{"a delay of days", "export-retry-delay: 48h\n", []string{"1: export-retry-delay: export retry delay 48h0m0s must be between 0 and 24h"}},
	{"a word for a number", "container-metrics: many\n", []string{`1: container-metrics: "many" is no whole number`}},
	{"a number that is too large", "container-metrics: 1000000\n", []string{"1: container-metrics: must be from 0 to "}},
	{"a word that is not one of them", "log-level: loud\n", []string{`1: log-level: "loud" unknown (info, debug, warn, error)`}},
	{"an address without a port", "listen: 127.0.0.1\n", []string{`1: listen: "127.0.0.1" is no address to listen on; write it like 127.0.0.1:7446`}},
	{"a URL without a scheme", "public-url: logs.lan\n", []string{`1: public-url: public URL "logs.lan" must be like https://logs.example.com`}},
	{"a host with a port", "host: [a.lan, 'b.lan:80']\n", []string{`1: host: host "b.lan:80" is no host name`}},
	{"an allowed host that is none", "export-allowed-hosts: 10.0.0.0/33\n", []string{`1: export-allowed-hosts: allowed export host "10.0.0.0/33" is no host name, address or CIDR`}},
	{"a sender without a server", "\nsmtp-from: a@b.c\n", []string{"2: smtp-from: smtp is missing"}},
	{"a server without a sender", "smtp: localhost:25\n", []string{"1: smtp: smtp-from is missing"}},
	{"no YAML", "data: /srv\nhost: [a.lan\n", []string{"1: no YAML: did not find expected"}},
	{"a tab", "data: /srv\n\thost: a.lan\n", []string{"2: no YAML: found a tab character"}},
	{"no keys at all", "just a text\n", []string{"1: want lines like: listen: 127.0.0.1:7446"}},
	{"a second document", "data: /srv\n---\ndata: /tmp\n", []string{"2: a second document begins; there must be one"}},
	{"a byte that is no text", "data: /srv\nindex: \xff\n", []string{"2: not a text in UTF-8"}},
	{"a zero", "data: /srv\nindex: a\x00\n", []string{"2: not a text in UTF-8"}},
	{"three at once, in the order of the lines", "log-level: loud\nlissten: :1\nsync-interval: x\nlissten: :2\n",
		[]string{"1: log-level: ", "2: lissten: unknown", "3: sync-interval: ", "4: lissten: is there twice, first in line 2"}},
}

func TestConfigCheckTellsAllMistakes(t *testing.T) {
	for _, tt := range mistakes {
		t.Run(tt.name, func(t *testing.T) {
			file := writeConfig(t, tt.text)
			stdout, stderr, status := shiplog(t, "", "config", "check", file)
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			if status != exitUsage || stdout != "" || len(lines) != len(tt.want) {
				t.Fatalf("config check = exit %d %q %q, want 2 and %d lines", status, stdout, stderr, len(tt.want))
			}
			for i, want := range tt.want {
				if want = "shiplog: " + file + ":" + want; !strings.HasPrefix(lines[i], want) {
					t.Errorf("line %d = %s, want %s...", i+1, lines[i], want)
				}
			}
		})
	}
}

func TestDaemonsRefuseWhatConfigCheckRefuses(t *testing.T) {
	for _, tt := range mistakes {
		file := writeConfig(t, tt.text)
		dir := filepath.Join(t.TempDir(), "data")
		stderr, status := refused(t, "run", "--config", file, "--data", dir)
		if status != exitUsage || !strings.HasPrefix(stderr, "shiplog: "+file+":") {
			t.Errorf("with %s: run = exit %d %q, want 2 and the place", tt.name, status, stderr)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("with %s: run has made its directory", tt.name)
		}
	}
}

// refused runs a daemon that is not meant to start; it is ended when it does.
func refused(t *testing.T, args ...string) (stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var errs bytes.Buffer
	p := &Program{Args: args, Env: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &errs}
	status = p.Run(ctx)
	if ctx.Err() != nil {
		t.Errorf("shiplog %s started, want it to refuse", strings.Join(args, " "))
	}
	return errs.String(), status
}

func TestConfigCheckTakesWhatIsGood(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                  "",
		"comments":                 "# nothing\n\n# else\n",
		"an empty document":        "---\n",
		"a list as a sequence":     "host:\n- a.lan\n- b.lan\n",
		"a list as text":           "host: a.lan, b.lan\n",
		"an empty list":            "host: []\n",
		"a number for a text":      "default-project: 42\n",
		"a number as a choice":     "quay-export-status: 200\n",
		"none, quoted":             "docker: \"none\"\npublic-url: \"\"\nsmtp: ''\n",
		"a text that looks true":   "default-project: \"true\"\n",
		"windows line ends":        "listen: 127.0.0.1:1\r\nhost: [a.lan]\r\n",
		"a mark of the byte order": "\ufefflisten: 127.0.0.1:1\n",
	} {
		file := writeConfig(t, text)
		stdout, stderr, status := shiplog(t, "", "config", "check", file)
		if status != exitOK || stdout != file+" is good\n" || stderr != "" {
			t.Errorf("with %s: config check = exit %d %q %q, want 0", name, status, stdout, stderr)
		}
	}
}

func TestConfigFilesThatCannotBeRead(t *testing.T) {
	large := writeConfig(t, strings.Repeat("# a comment\n", maxConfig/12+1))
	for file, want := range map[string]string{
		filepath.Join(t.TempDir(), "missing.yaml"): "no such file",
		t.TempDir(): "not a file",
		large:       "larger than 262144 bytes",
	} {
		for _, args := range [][]string{{"config", "check", file}, {"query", "--config", file}} {
			_, stderr, status := shiplog(t, "", args...)
			if status != exitUsage || !strings.Contains(stderr, file) || !strings.Contains(stderr, want) {
				t.Errorf("%s = exit %d %q, want 2 and %q", strings.Join(args, " "), status, stderr, want)
			}
		}
		if stderr, status := refused(t, "run", "--config", file, "--data", filepath.Join(t.TempDir(), "data")); status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("run --config %s = exit %d %q, want 2 and %q", file, status, stderr, want)
		}
	}
}

// writeConfig writes a configuration file.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shiplog.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// FuzzConfig wants any text to be understood or refused, each mistake to have a line that is in the text, and
// what was understood to be of keys and lines.
func FuzzConfig(f *testing.F) {
	for _, tt := range mistakes {
		f.Add([]byte(tt.text))
	}
	f.Add([]byte("a: [b, [c]]\n? {x: y}\n: z\n<<: *a\n"))
	p := &Program{Env: func(string) string { return "" }}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, problems := parseConfig("f", text)
		problems = append(problems, c.check(p.keys())...)
		lines := strings.Count(string(text), "\n") + strings.Count(string(text), "\r") + strings.Count(string(text), "\u0085") +
			strings.Count(string(text), "\u2028") + strings.Count(string(text), "\u2029") + 2
		for _, err := range problems {
			at, ok := err.(problem)
			if !ok || at.line < 0 || at.line > lines || strings.Contains(at.Error(), "\n") || len(at.key) > 80 {
				t.Errorf("parseConfig(%q) says %q, want a line from 1 to %d", text, err, lines)
			}
		}
		for _, s := range c.settings {
			if s.key == "" || s.line < 1 || s.items == nil && len(problems) == 0 {
				t.Errorf("parseConfig(%q) has %+v", text, s)
			}
		}
		if len(problems) > 2*maxProblems+2 {
			t.Errorf("parseConfig(%q) tells %d problems", text, len(problems))
		}
	})
}
