package boottest

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// killed ends each unit with SIGKILL while clients write; systemd starts it again.
func (b *box) killed(t *testing.T) {
	const rounds = 4
	for round := range rounds {
		unit := b.set.units[round%len(b.set.units)]
		b.g.do(t, "systemctl reset-failed "+unit) // the limit of starts is not what is shown here
		before := b.g.number(t, unit, "NRestarts")
		w := b.ledger.start()
		w.await(t, 50)
		from := time.Now()
		b.g.do(t, "systemctl kill -s KILL "+unit)
		eventually(t, unit+" is not started again", func() bool {
			return b.g.number(t, unit, "NRestarts") == before+1 && b.g.show(t, unit, "ActiveState") == "active"
		})
		took := time.Since(from)
		w.await(t, 50)
		b.ledger.end(w)
		t.Logf("%s was active again %.1f s after SIGKILL", unit, took.Seconds())
		b.ledger.check(t)
	}
}

// watched runs what captures under a limit of two seconds, in which it must show that it is alive: it is left
// alone for ten seconds in which it works, and killed and started again when it hangs.
func (b *box) watched(t *testing.T) {
	for _, unit := range b.set.units {
		b.g.do(t, "systemctl reset-failed "+unit)
		b.g.configure(t, unit, "WatchdogSec=2s")
	}
	from := time.Now()
	pids := map[string]int{}
	for _, unit := range b.set.units {
		pids[unit] = b.g.number(t, unit, "MainPID")
	}
	b.c.awaitReady(t)
	if b.e != nil {
		b.connected(t)
		b.captured(t)
	}
	time.Sleep(time.Until(from.Add(10 * time.Second)))
	for _, unit := range b.set.units {
		if got := b.g.number(t, unit, "MainPID"); got != pids[unit] {
			t.Errorf("%s: process %d became %d while nothing hung", unit, pids[unit], got)
		}
		b.hung(t, unit)
		b.g.unconfigure(t, unit)
	}
	b.c.awaitReady(t)
}

// hung stops the process of a unit as a bug would, so that it answers to nothing.
func (b *box) hung(t *testing.T, unit string) {
	t.Helper()
	before, pid := b.g.number(t, unit, "NRestarts"), b.g.number(t, unit, "MainPID")
	from := time.Now()
	b.g.do(t, fmt.Sprintf("kill -STOP %d", pid))
	eventually(t, unit+" hangs and is not started again", func() bool {
		return b.g.number(t, unit, "NRestarts") == before+1 && b.g.show(t, unit, "ActiveState") == "active"
	})
	t.Logf("%s was active again %.1f s after SIGSTOP", unit, time.Since(from).Seconds())
	said := b.g.do(t, "journalctl --sync; journalctl --no-pager -o cat _PID=1 UNIT="+unit)
	if !strings.Contains(said, "Failed with result 'watchdog'") {
		t.Errorf("the journal does not say that the watchdog ended %s:\n%s", unit, said)
	}
}

// cut kills the guest's first process while clients write, and boots it again.
func (b *box) cut(t *testing.T) {
	w := b.ledger.start()
	w.await(t, 50)
	if out, err := exec.Command("kill", "-KILL", b.g.init()).CombinedOutput(); err != nil {
		t.Fatalf("kill the guest: %v: %s", err, out)
	}
	b.g.boot(t, "up")
	w.await(t, 50)
	b.ledger.end(w)
	b.ledger.check(t)
	b.c.awaitReady(t)
}
