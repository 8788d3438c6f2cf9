package packagetest

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// scriptNames are those that each format must have.
var scriptNames = map[string][]string{
	"deb": {"postinst", "postrm", "preinst", "prerm"},
	"rpm": {"post", "postun", "preun"},
	"apk": {"post-install", "post-upgrade", "pre-deinstall"},
	"ipk": {"postinst", "prerm"},
}

func TestScriptsOfThePackagesAreThereAndParse(t *testing.T) {
	for _, f := range formats {
		t.Run(f.pattern, func(t *testing.T) {
			p := open(t, f.pattern)
			if got := slices.Sorted(maps.Keys(p.scripts)); !slices.Equal(got, scriptNames[f.format]) {
				t.Errorf("%s has the scripts %v, want %v", p.name, got, scriptNames[f.format])
			}
			for name, text := range p.scripts {
				parse(t, name, text)
			}
			if f.format == "apk" || f.format == "ipk" {
				parse(t, "/etc/init.d/shiplog", string(p.files["/etc/init.d/shiplog"].data))
			}
		})
	}
}

// parse lets a POSIX shell read a script, without running it, and shellcheck where it is installed.
func parse(t *testing.T, name, text string) {
	t.Helper()
	if !strings.HasPrefix(text, "#!") {
		t.Errorf("%s does not begin with #!: %.40q", name, text)
	}
	cmd := exec.Command("sh", "-n")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sh -n %s: %v\n%s", name, err, out)
	}
	if _, err := exec.LookPath("shellcheck"); err != nil || strings.Contains(name, "init.d") {
		return // the variables of an init script are read by its framework
	}
	cmd = exec.Command("shellcheck", "-s", "sh", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("shellcheck %s: %v\n%s", name, err, out)
	}
}

// A removal keeps the log, so only one script may delete anything, and only at a purge.
func TestOnlyAPurgeDeletes(t *testing.T) {
	for _, f := range formats {
		t.Run(f.pattern, func(t *testing.T) {
			for name, text := range open(t, f.pattern).scripts {
				before, _, purge := strings.Cut(text, `if [ "$1" = purge ]; then`)
				if strings.Contains(before, "rm -rf ") || strings.Contains(before, "userdel") {
					t.Errorf("%s deletes without a purge", name)
				}
				if purge != (f.format == "deb" && name == "postrm") {
					t.Errorf("%s: handles a purge = %v", name, purge)
				}
			}
		})
	}
}
