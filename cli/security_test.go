package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	stepsLine = regexp.MustCompile(`(?m)\|\| steps=\((.+)\)$`)
	stepName  = regexp.MustCompile("^`scripts/test (\\w+)`$")
	inBrace   = regexp.MustCompile(`\s*\([^)]*\)`)
)

// TestSecurityTable holds that each row of SECURITY.md names tests that can be run by the names it gives. Before a
// colon stands the package, or the step of scripts/test which runs a package there; a step may stand alone.
func TestSecurityTable(t *testing.T) {
	text, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for row := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(row, "| \n"), " | ")
		if !strings.HasPrefix(row, "|") || len(cells) < 3 || cells[0] == "Fault" || strings.HasPrefix(cells[0], "---") {
			continue
		}
		rows++
		for group := range strings.SplitSeq(inBrace.ReplaceAllString(cells[2], ""), "; ") {
			place, names, _ := strings.Cut(group, ": ")
			dir := filepath.Join("..", filepath.FromSlash(place))
			if step := stepName.FindStringSubmatch(place); step != nil {
				if dir = "../scripts/*"; !isStep(t, step[1]) {
					t.Errorf("%s: scripts/test has no step %s", cells[0], step[1])
				}
				if names == "" {
					continue
				}
			}
			for name := range strings.SplitSeq(names, ", ") {
				if !hasTest(t, dir, name) {
					t.Errorf("%s: %s has no test %q", cells[0], place, name)
				}
			}
		}
	}
	if rows < 40 {
		t.Errorf("%d rows were looked at, want all", rows)
	}
}

func isStep(t *testing.T, name string) bool {
	t.Helper()
	script, err := os.ReadFile("../scripts/test")
	if err != nil {
		t.Fatal(err)
	}
	list := stepsLine.FindStringSubmatch(string(script))
	return list != nil && strings.Contains(" "+list[1]+" ", " "+name+" ")
}

// hasTest tells whether there is a test in the folders of a pattern.
func hasTest(t *testing.T, dirs, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dirs, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
