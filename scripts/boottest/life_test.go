package boottest

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

const config = "/etc/shiplog/shiplog.yaml"

// reloaded changes the configuration under the running process; a file that is wrong changes nothing.
func (b *box) reloaded(t *testing.T) {
	const unit = "shiplog.service"
	pid := b.g.show(t, unit, "MainPID")
	if status, _ := b.named(); status == http.StatusOK {
		t.Fatal("the server answers to a name that nobody gave it")
	}
	b.g.do(t, "echo 'host: [nas.example]' >>"+config, "systemctl reload "+unit)
	eventually(t, "the reload does not let in the new name", func() bool {
		status, _ := b.named()
		return status == http.StatusOK
	})
	b.g.do(t, "cp "+config+" /root/boottest.yaml", "echo 'hosst: [other.example]' >>"+config)
	b.g.try("systemctl reload " + unit)
	eventually(t, "the metrics do not tell of the failed reload", func() bool {
		_, body := b.c.call(http.MethodGet, "/metrics", "")
		return strings.Contains(body, "\nshiplog_config_last_reload_successful 0\n")
	})
	if said := b.g.journal(t, unit); !strings.Contains(said, config+":") || !strings.Contains(said, "hosst") {
		t.Errorf("the journal does not say what is wrong with the file:\n%s", said)
	}
	if status, body := b.named(); status != http.StatusOK {
		t.Errorf("after a failed reload the old name = %d: %s, want 200", status, body)
	}
	b.g.do(t, "cp /root/boottest.yaml "+config, "systemctl reload "+unit)
	eventually(t, "the metrics do not tell of the good reload", func() bool {
		_, body := b.c.call(http.MethodGet, "/metrics", "")
		return strings.Contains(body, "\nshiplog_config_last_reload_successful 1\n")
	})
	if got := b.g.show(t, unit, "MainPID"); got != pid {
		t.Errorf("the process %s became %s: a reload is no restart", pid, got)
	}
}

// named asks the server by the name that reloaded gives it.
func (b *box) named() (int, string) {
	req, err := http.NewRequest(http.MethodGet, base+"/healthz", nil)
	if err != nil {
		return 0, err.Error()
	}
	req.Host = "nas.example"
	return b.c.answer(req)
}

func (b *box) newerName() string { return filepath.Base(b.newer) }

// upgraded installs the next version over a box with records, accounts and a changed configuration.
func (b *box) upgraded(t *testing.T) {
	const unit = "shiplog.service"
	pid, version := b.g.show(t, unit, "MainPID"), b.g.do(t, "shiplog version")
	changed := b.g.do(t, "cat "+config)
	n := b.c.count(t)
	b.g.boot(t, "copy", b.newer, "/root/")
	out := b.g.do(t, "apt-get install ./"+b.newerName()+" </dev/null")
	if strings.Contains(out, "onfiguration file") {
		t.Errorf("the upgrade asks about a configuration file:\n%s", out)
	}
	if got := b.g.do(t, "cat "+config); got != changed {
		t.Errorf("the upgrade changed %s to\n%s", config, got)
	}
	if got := b.g.do(t, "shiplog version"); got == version {
		t.Errorf("shiplog version after the upgrade = %s, as before", got)
	}
	b.c.awaitReady(t)
	if got := b.g.show(t, unit, "MainPID"); got == pid || got == "0" {
		t.Errorf("the process after the upgrade is %s, before it was %s", got, pid)
	}
	if status, body := b.named(); status != http.StatusOK {
		t.Errorf("the name of the configuration after the upgrade = %d: %s, want 200", status, body)
	}
	if err := b.c.login(); err != nil {
		t.Errorf("after the upgrade: %v", err)
	}
	if got := b.c.count(t); got != n {
		t.Errorf("%d records after the upgrade, want %d", got, n)
	}
	b.ledger.check(t)
}

// rebooted wants everything back by itself.
func (b *box) rebooted(t *testing.T) {
	n := b.c.count(t)
	b.g.boot(t, "reboot")
	b.c.awaitReady(t)
	for _, unit := range b.set.units {
		b.awaitActive(t, unit)
	}
	if got := b.c.count(t); got != n {
		t.Errorf("%d records after the boot, want %d", got, n)
	}
	b.ledger.check(t)
}

// removed takes the package away: its data stay; then purges it: nothing of it stays.
func (b *box) removed(t *testing.T) {
	out := b.g.do(t, "apt-get remove -y shiplog </dev/null")
	for _, unit := range append(single.units, pair.units...) {
		if got := b.g.show(t, unit, "LoadState"); got != "not-found" {
			t.Errorf("%s is %s after apt-get remove", unit, got)
		}
	}
	if n := len(b.g.records(t, data)); n < len(b.ledger.acked) {
		t.Errorf("apt-get remove left %d records, want all %d\n%s", n, len(b.ledger.acked), out)
	}
	b.g.do(t, "test -e "+config, "test -e "+data+"/log")
	out = b.g.do(t, "apt-get purge -y shiplog </dev/null")
	for path := range b.g.files(t) {
		if !b.before[path] {
			t.Errorf("apt-get purge left %s\n%s", path, out)
		}
	}
	// The groups of the engines' sockets are not shiplog's.
	if out, rc := b.g.try("getent passwd shiplog shiplog-httpd; getent group shiplog shiplog-httpd"); out != "" {
		t.Errorf("apt-get purge left users or groups (%d): %s", rc, out)
	}
	if got := b.g.do(t, "systemctl is-system-running; :"); got != "running" {
		t.Errorf("systemctl is-system-running = %s after the purge, want running", got)
	}
}

// files lists what is on the guest's disk, but for what apt, dpkg and the journal keep for themselves and what
// this test puts there.
func (g *guest) files(t testing.TB) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for path := range strings.SplitSeq(g.do(t, "find / -xdev -print"), "\n") {
		if !ofTheSystem(path) {
			all[path] = true
		}
	}
	return all
}

func ofTheSystem(path string) bool {
	for _, dir := range []string{"/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log", "/var/lib/systemd/timers", "/run", "/tmp"} {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	if strings.HasPrefix(path, "/var/tmp/systemd-private-") { // of the last boot, and of those that were cut off
		return true
	}
	name := filepath.Base(path)
	return strings.Contains(name, "boottest") || strings.HasSuffix(name, ".deb") || path == "/home/somebody" ||
		path == "/etc/.pwd.lock" || strings.HasPrefix(path, "/etc/") && strings.HasSuffix(name, "-")
}
