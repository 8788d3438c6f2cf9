package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// measureGrep asks with the tools that everybody has, on shiplog's own files: the newest first, and no longer than
// needed, as who knows them would do it.
func (b *bench) measureGrep() error {
	for _, tool := range []string{"grep", "jq", "tac"} {
		if _, err := exec.LookPath(tool); err != nil {
			b.report.leftOut(grep, tool+" is not installed")
			return nil
		}
	}
	segments := filepath.Join(b.dir, "grep")
	defer os.RemoveAll(segments)
	if err := b.segments(segments); err != nil {
		return err
	}
	for _, q := range b.questions() {
		script, rows := b.grepScript(q.id)
		if script == "" {
			continue
		}
		p := probe{rows: rows, fetch: func() ([]byte, time.Duration, error) { return shell(segments, script) }}
		if err := b.ask(q, grep, p); err != nil {
			return err
		}
	}
	_, took, err := shell(segments, `cat *.jsonl | jq -r '[.time, .level, .category, .actor.name, .msg] | @csv' | wc -c`)
	if err != nil {
		return err
	}
	b.report.set("answers", exportName, "records/s", grep, &cell{Value: float64(b.n) / took.Seconds()})
	return nil
}

// segments makes files as shiplog has them: those of its own run are pruned by now.
func (b *bench) segments(dir string) error {
	return run(exec.Command("sh", "-c", `rm -rf "$1" && mkdir "$1" && split -C 32m -d -a 5 --additional-suffix=.jsonl "$2" "$1/"`, "sh", dir, b.records))
}

// shell runs a script in dir and returns what it prints. grep ends with 1 when it finds nothing, and whoever reads
// no more ends the others of a pipe.
func shell(dir, script string) ([]byte, time.Duration, error) {
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	began := time.Now()
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 1 && len(exit.Stderr) == 0 {
		err = nil
	}
	return out, time.Since(began), err
}

// grepScript is how a question is asked; "": it is not.
func (b *bench) grepScript(id string) (script string, rows func([]byte) ([]string, error)) {
	const newest = `tac $(ls -r *.jsonl)`
	const show = ` | jq -r .msg`
	find := func(needle string) string { // the lines that have it anywhere, then those whose message has it
		return fmt.Sprintf(`%s | grep -i -F '%s' | jq -c --arg s '%s' 'select(.msg | ascii_downcase | contains($s))' | head -n %d%s`,
			newest, needle, needle, pageRows, show)
	}
	t := b.truth
	if needle, ok := t.needle(id); ok {
		return find(needle), textLines
	}
	switch id {
	case latest:
		return fmt.Sprintf(`tail -n %d "$(ls *.jsonl | tail -n 1)" | tac%s`, pageRows, show), textLines
	case errorsOf:
		return fmt.Sprintf(`%s | grep -F '"level":"ERROR"' | grep -m %d -E '"category":"(image|export)"'%s`, newest, pageRows, show), textLines
	case userDay:
		return fmt.Sprintf(`%s | grep -F '"time":"%s' | grep -m %d -F '"actor":{"name":"%s"'%s`, newest, t.day.Format(time.DateOnly), pageRows, askedUser, show), textLines
	case deep:
		return fmt.Sprintf(`%s | tail -n +%d | head -n %d%s`, newest, b.n/2+1, pageRows, show), textLines
	case count:
		return fmt.Sprintf(`cat *.jsonl | grep -F '"category":"container"' | grep -c -F '"actor":{"name":"%s"'`, countedUser), textLines
	case perDay:
		return fmt.Sprintf(`cat *.jsonl | grep -F '"actor":{"name":"%s"' | grep -v '"time":"2026-10-31' | awk -F '"' '{ n[substr($12, 1, 10) " " $32]++ }
			END { for (k in n) print k, n[k] }'`, countedUser), sortedLines
	}
	return "", nil
}

func textLines(out []byte) ([]string, error) {
	if len(out) == 0 {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), nil
}

func sortedLines(out []byte) ([]string, error) {
	all, err := textLines(out)
	slices.Sort(all)
	return all, err
}
