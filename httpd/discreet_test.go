package httpd

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// insidePattern is what only the inside of a program says.
var insidePattern = regexp.MustCompile(`goroutine \d+ \[|[a-z_]+\.go:\d+|runtime error|/\.go/|panic:`)

// discreet fails the test when an answer tells where files lie or what the program looks like inside. Every
// answer of every box is held to it.
func (b *box) discreet(what, answer string) {
	b.t.Helper()
	if strings.Contains(answer, b.dir) {
		b.t.Errorf("%s: the answer names the data directory: %s", what, cutText(answer, 500))
	}
	if m := insidePattern.FindString(answer); m != "" {
		b.t.Errorf("%s: the answer tells of the inside: %q", what, m)
	}
}

func TestWithoutPlaces(t *testing.T) {
	for text, want := range map[string]string{
		"accounts /var/lib/shiplog/accounts.json: user 1: x":                     "accounts accounts.json: user 1: x",
		`open "/srv/a b": denied; dial unix /run/x/agent.sock: no such file`:     `open "a b": denied; dial unix agent.sock: no such file`,
		"index is 5 records behind, 3/4 done, http://127.0.0.1:80/x stays whole": "index is 5 records behind, 3/4 done, http://127.0.0.1:80/x stays whole",
		"(/a/b) =/c /": "(b) =c /",
	} {
		if got := withoutPlaces(text); got != want {
			t.Errorf("withoutPlaces(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestReadyzKeepsPlacesToItself lets the accounts file be damaged, about which everybody may ask.
func TestReadyzKeepsPlacesToItself(t *testing.T) {
	b := newBox(t, "", func(o *Options) {
		o.Ready = func() []string { return []string{"dial unix /run/shiplog/agent.sock: refused"} }
	})
	got := b.do("GET", "/readyz", "")
	if got.status != 503 || !strings.Contains(got.body, "dial unix agent.sock: refused") {
		t.Errorf("readyz = %d %s, want the reason without the place", got.status, got.body)
	}
	path := filepath.Join(b.dir, "accounts.json")
	if err := os.WriteFile(path, []byte(`{"version":1,"users":[{"name":"alice","password":"x"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got = b.do("GET", "/readyz", "")
	if got.status != 503 || !strings.Contains(got.body, "the accounts file cannot be read") || strings.Contains(got.body, "alice") {
		t.Errorf("readyz with damaged accounts = %d %s, want a word of the file and none of alice", got.status, got.body)
	}
}
