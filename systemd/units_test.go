// Package systemd_test holds the units to what systemd's own tools say of them.
package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exposures are the services, each with what systemd-analyze security may give it at most, in tenths.
var exposures = map[string]string{
	"shiplog.service":       "15",
	"shiplog-agent.service": "7",
	"shiplog-httpd.service": "15",
}

// run runs a program of systemd, requires success and returns what it said on stderr.
func run(t *testing.T, name string, args ...string) (said string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed: apt-get install systemd", name)
	}
	cmd := exec.Command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if out, err := cmd.Output(); err != nil {
		t.Errorf("%s %v: %v\n%s%s", name, args, err, stderr.String(), out)
	}
	return stderr.String()
}

// The program need not be installed where the test runs, so /bin/true stands in. All units are looked at
// together, because they name each other.
func TestUnitsAreCleanToSystemd(t *testing.T) {
	dir := t.TempDir()
	args := []string{"verify", "--man=no"}
	for _, name := range units(t) {
		unit := filepath.Join(dir, name)
		lint := strings.Replace(read(t, name), "/usr/bin/shiplog", "/bin/true", 1)
		if err := os.WriteFile(unit, []byte(lint), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, unit)
	}
	// It reports an unknown key on stderr and still exits with 0.
	if said := run(t, "systemd-analyze", args...); said != "" {
		t.Errorf("systemd-analyze verify says:\n%s", said)
	}
}

func units(t *testing.T) []string {
	t.Helper()
	services, err := filepath.Glob("*.service")
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := filepath.Glob("*.socket")
	if err != nil || len(services) != len(exposures) || len(sockets) != 1 {
		t.Fatalf("units = %v %v, %v; want a service for each of %v and one socket", services, sockets, err, exposures)
	}
	return append(services, sockets...)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestServicesAreSandboxed(t *testing.T) {
	for name, most := range exposures {
		t.Run(name, func(t *testing.T) {
			if said := run(t, "systemd-analyze", "security", "--offline=true", "--threshold="+most, name); said != "" {
				t.Errorf("systemd-analyze security says:\n%s", said)
			}
		})
	}
}

// TestUsersAndDirectoriesCanBeMade has systemd make them in an empty root, which takes root.
func TestUsersAndDirectoriesCanBeMade(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is not root")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	said := run(t, "systemd-sysusers", "--root="+root, absolute(t, "sysusers.d/shiplog.conf"))
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "Creating ") {
			t.Errorf("systemd-sysusers says %q", line)
		}
	}
	groups := read(t, filepath.Join(root, "etc", "group"))
	for service := range exposures {
		for _, m := range regexp.MustCompile(`(?m)^(?:Group|SupplementaryGroups)=(.+)$`).FindAllStringSubmatch(read(t, service), -1) {
			for name := range strings.FieldsSeq(m[1]) {
				if !strings.Contains("\n"+groups, "\n"+name+":") {
					t.Errorf("%s is in group %s, which is not made", service, name)
				}
			}
		}
	}
	if want := regexp.MustCompile(`(?m)^shiplog:.*:shiplog-httpd$`); !want.MatchString(groups) {
		t.Errorf("shiplog-httpd is not in group shiplog alone:\n%s", groups)
	}
	if said := run(t, "systemd-tmpfiles", "--root="+root, "--create", absolute(t, "tmpfiles.d/shiplog.conf")); said != "" {
		t.Errorf("systemd-tmpfiles says %q", said)
	}
	for dir, want := range map[string]os.FileMode{"shiplog": 0o750, "shiplog-httpd": 0o700} {
		st, err := os.Stat(filepath.Join(root, "var", "lib", dir))
		if err != nil || st.Mode().Perm() != want {
			t.Errorf("/var/lib/%s = %v, %v; want mode %v", dir, st, err, want)
		}
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSetupsWaitForEachOther wants an order between units that end each other: without one the next starts while
// the last still holds the log and the port.
func TestSetupsWaitForEachOther(t *testing.T) {
	text := read(t, "shiplog.service")
	var after []string
	for _, m := range regexp.MustCompile(`(?m)^After=(.+)$`).FindAllStringSubmatch(text, -1) {
		after = append(after, strings.Fields(m[1])...)
	}
	for _, name := range units(t) {
		if name != "shiplog.service" && !slices.Contains(after, name) {
			t.Errorf("shiplog.service is not After=%s", name)
		}
		if conflicts := regexp.MustCompile(`(?m)^Conflicts=(.+)$`).FindString(read(t, name)); conflicts == "" {
			t.Errorf("%s has no Conflicts=", name)
		}
	}
}
