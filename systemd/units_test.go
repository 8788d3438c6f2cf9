// Package systemd_test holds the units to what systemd's own tools say of them.
package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// analyze runs systemd-analyze and requires success and silence on stderr:
// verify reports an unknown key there and still exits with 0.
func analyze(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed: apt-get install systemd")
	}
	cmd := exec.Command("systemd-analyze", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if out, err := cmd.Output(); err != nil || stderr.Len() > 0 {
		t.Errorf("systemd-analyze %v: %v\n%s%s", args, err, stderr.String(), out)
	}
}

// The program need not be installed where the test runs, so /bin/true stands in.
func TestUnitIsCleanToSystemd(t *testing.T) {
	text, err := os.ReadFile("shiplog.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "shiplog.service")
	lint := strings.Replace(string(text), "/usr/bin/shiplog", "/bin/true", 1)
	if err := os.WriteFile(unit, []byte(lint), 0o600); err != nil {
		t.Fatal(err)
	}
	analyze(t, "verify", "--man=no", unit)
}

// The threshold is in tenths: an exposure above 1.5 fails.
func TestUnitIsSandboxed(t *testing.T) {
	analyze(t, "security", "--offline=true", "--threshold=15", "shiplog.service")
}
