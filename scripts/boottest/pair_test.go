package boottest

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// split changes from the single unit to the pair, as README says, word for word; log and accounts go on.
func (b *box) split(t *testing.T) {
	n := len(b.g.records(t, data))
	b.g.do(t, readmeCommands(t, "Under systemd")...)
	b.set = pair
	if got := b.g.show(t, "shiplog-httpd.service", "ActiveState"); got != "inactive" {
		t.Errorf("shiplog-httpd.service is %s before the first request, want inactive", got)
	}
	b.c.get(t, "/healthz") // the first request starts it
	b.awaitActive(t, "shiplog-httpd.service")
	b.c.awaitReady(t)
	if err := b.c.login(); err != nil {
		t.Errorf("the password of the single unit: %v", err)
	}
	if got := b.c.count(t); got == 0 {
		t.Error("the token of the single unit counts no record")
	}
	if got := len(b.g.records(t, data)); got < n {
		t.Errorf("%d records, there were %d before", got, n)
	}
	if got := b.g.show(t, "shiplog.service", "ActiveState"); got != "inactive" {
		t.Errorf("shiplog.service is %s beside the pair, want inactive", got)
	}
	for _, unit := range []string{"shiplog-agent.service", "shiplog-httpd.socket"} {
		if got := b.g.show(t, unit, "UnitFileState"); got != "enabled" {
			t.Errorf("%s is %s, want enabled", unit, got)
		}
	}
}

// awaitActive waits until systemd knows what an answered request tells already.
func (b *box) awaitActive(t *testing.T, unit string) {
	t.Helper()
	eventually(t, unit+" is not active", func() bool { return b.g.show(t, unit, "ActiveState") == "active" })
}

// pairSandbox wants the agent to have no network, and the server nothing but a view of the log.
func (b *box) pairSandbox(t *testing.T) {
	engines := []string{"connect to docker", "connect to incus"}
	writes := []string{"write the log's directory", "append to a segment"}
	internet := []string{"an IPv4 socket", "an IPv6 socket"}
	agentCan := append([]string{"read a segment"}, writes...)
	if b.e != nil {
		agentCan = append(agentCan, engines...)
	}
	b.g.sandboxed(t, "shiplog-agent.service", "shiplog", "7", agentCan, internet)
	b.g.sandboxed(t, "shiplog-httpd.service", "shiplog-httpd", "15", append([]string{"read a segment"}, internet...),
		append(append([]string{"read the accounts of a single unit"}, engines...), writes...))
	network := func(pid string) string { return b.g.do(t, "readlink /proc/"+pid+"/ns/net") }
	if agent, all := network(b.g.show(t, "shiplog-agent.service", "MainPID")), network("1"); agent == all {
		t.Errorf("the agent is in the network of all, %s", all)
	}
}

// activated wants no request refused while the server or the agent starts again, and a record, a clear and a
// login to work through both.
func (b *box) activated(t *testing.T) {
	w := b.ledger.start()
	ask, refused := b.asking(t)
	for range 3 {
		for _, unit := range b.set.units {
			b.g.do(t, "systemctl reset-failed "+unit, "systemctl restart "+unit)
			w.await(t, 20)
		}
	}
	b.g.do(t, "systemctl stop shiplog-httpd.service")
	b.c.get(t, "/healthz")
	b.awaitActive(t, "shiplog-httpd.service")
	ask()
	for _, text := range refused() {
		t.Errorf("a request during a restart was not answered: %s", text)
	}
	b.ledger.end(w)
	b.ledger.check(t)
	b.c.awaitReady(t)
	if status, body := b.c.call(http.MethodDelete, v2+"/log", ""); status != http.StatusOK {
		t.Errorf("DELETE %s/log = %d: %s", v2, status, body)
	}
	if got := strings.TrimSpace(b.c.get(t, v2+"/log")); got != "[]" {
		t.Errorf("GET %s/log after the clear = %s, want []", v2, got)
	}
}

// asking asks for /healthz again and again, each time over a new connection, until stop; refused gives what was
// not answered with 200.
func (b *box) asking(t *testing.T) (stop func(), refused func() []string) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	var bad []string
	asked := 0
	fresh := &client{g: b.g, http: &http.Client{Timeout: long, Transport: &http.Transport{DialContext: b.g.dial, DisableKeepAlives: true}}}
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			asked++
			if status, body := fresh.call(http.MethodGet, "/healthz", ""); status != http.StatusOK {
				bad = append(bad, body)
			}
		}
	})
	stop = sync.OnceFunc(func() { close(done); wg.Wait(); t.Logf("%d requests, each over its own connection", asked) })
	t.Cleanup(stop)
	return stop, func() []string { return bad }
}

// pairUpgraded installs the package again: what ran is started again, and the single unit stays away.
func (b *box) pairUpgraded(t *testing.T) {
	b.c.get(t, "/healthz")
	before := map[string]string{}
	for _, unit := range b.set.units {
		before[unit] = b.g.show(t, unit, "MainPID")
	}
	b.g.do(t, "apt-get install -y --reinstall ./"+b.newerName()+" </dev/null")
	b.c.awaitReady(t)
	for _, unit := range b.set.units {
		if got := b.g.show(t, unit, "MainPID"); got == before[unit] {
			t.Errorf("%s is still the process of the old package", unit)
		}
	}
	if got := b.g.show(t, "shiplog.service", "ActiveState"); got != "inactive" {
		t.Errorf("shiplog.service is %s after the upgrade of the pair, want inactive", got)
	}
	b.rebooted(t)
	if got := b.g.show(t, "shiplog.service", "ActiveState"); got != "inactive" {
		t.Errorf("shiplog.service is %s after the boot of the pair, want inactive", got)
	}
}
