package boottest

import "testing"

// again removes the package and installs it: what was enabled runs again, with its accounts and its records.
func (b *box) again(t *testing.T) {
	n := b.c.count(t)
	b.g.boot(t, "copy", b.newer, "/root/")
	b.g.do(t, "apt-get remove -y shiplog </dev/null", "apt-get install ./"+b.newerName()+" </dev/null")
	enabled := 0
	for _, unit := range []string{"shiplog.service", "shiplog-agent.service", "shiplog-httpd.socket"} { // the socket starts its service
		if b.g.show(t, unit, "UnitFileState") != "enabled" {
			continue
		}
		enabled++
		if got := b.g.show(t, unit, "ActiveState"); got != "active" {
			t.Errorf("%s is %s after the package was removed and installed again", unit, got)
		}
	}
	if enabled == 0 {
		t.Error("nothing is enabled after the package was removed and installed again")
	}
	b.c.awaitReady(t)
	if err := b.c.login(); err != nil {
		t.Errorf("after the package was removed and installed again: %v", err)
	}
	if got := b.c.count(t); got != n {
		t.Errorf("%d records after the package was removed and installed again, want %d", got, n)
	}
}
