package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readmeStep is one command of README.md with the output that stands below it.
type readmeStep struct{ command, output string }

// readmeSteps reads the blocks marked console.
func readmeSteps(t *testing.T) []readmeStep {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []readmeStep
	inside := false
	for line := range strings.Lines(string(b)) {
		command, prompt := strings.CutPrefix(line, "$ ")
		switch {
		case line == "```console\n":
			inside = true
		case line == "```\n":
			inside = false
		case inside && prompt:
			steps = append(steps, readmeStep{command: strings.TrimSpace(command)})
		case inside:
			steps[len(steps)-1].output += line
		}
	}
	return steps
}

// varies is what differs from run to run.
var varies = regexp.MustCompile(strings.Join([]string{
	`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"`, `until \d{4}-\d\d-\d\d`, `\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d -0000`, `"time":\d{13}`,
	`"[0-9a-f]{64}"`, `\b[0-9a-f]{12}\b`, `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`,
	`shiplog_writer_records_total \d+`,
}, "|"))

// TestReadme does what README.md says and wants what it shows.
func TestReadme(t *testing.T) {
	for _, program := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	steps := readmeSteps(t)
	if len(steps) < 20 {
		t.Fatalf("README.md shows %d commands, want at least 20", len(steps))
	}
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "agent"), filepath.Join(dir, "agent")); err != nil {
		t.Fatal(err)
	}
	demo := startServer(t, "demo")
	box := ""
	for _, step := range steps {
		switch {
		case strings.Contains(step.command, "go build "):
			continue
		case strings.HasPrefix(step.command, "./shiplog run --data box "):
			_, url := startProcess(t, "run", "--data", filepath.Join(dir, "box"), "--docker", "none", "--incus", "none")
			box = url
			continue
		}
		command := strings.NewReplacer("./shiplog", "shiplog", "http://127.0.0.1:7446", box, "http://127.0.0.1:7447", demo.url).Replace(step.command)
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TZ=UTC", "PASSWORD="+demo.password)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", step.command, err, out)
			continue
		}
		got := varies.ReplaceAllString(strings.ReplaceAll(string(out), "\r\n", "\n"), "*")
		want := varies.ReplaceAllString(step.output, "*")
		if head, ok := strings.CutSuffix(want, "...\n"); ok {
			want, got = head, got[:min(len(head), len(got))]
		}
		if got != want {
			t.Errorf("%s\nprints\n%s\nREADME.md shows\n%s", step.command, got, want)
		}
	}
}
