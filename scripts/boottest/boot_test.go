package boottest

import (
	"os"
	"path/filepath"
	"testing"
)

// box is the guest with what the story has made in it so far.
type box struct {
	g            *guest
	e            *engines // nil: none
	older, newer string   // the packages, outside
	before       map[string]bool
	c            *client
	ledger       *ledger
	set          setup
}

// setup is one of the two ways to run shiplog.
type setup struct {
	name           string
	writer, server string // units; in the single set-up they are one
	units          []string
}

var single = setup{"single", "shiplog.service", "shiplog.service", []string{"shiplog.service"}}

var pair = setup{"pair", "shiplog-agent.service", "shiplog-httpd.service",
	[]string{"shiplog-agent.service", "shiplog-httpd.service"}}

func TestBoot(t *testing.T) {
	if os.Getenv("SHIPLOG_ROOTFS") == "" || os.Getenv("SHIPLOG_DEBS") == "" {
		t.Skip("SHIPLOG_ROOTFS and SHIPLOG_DEBS are not set: scripts/test boot makes both")
	}
	debs, err := filepath.Glob(filepath.Join(os.Getenv("SHIPLOG_DEBS"), "*/*.deb"))
	if err != nil || len(debs) != 2 {
		t.Fatalf("SHIPLOG_DEBS has %d packages, want two versions", len(debs))
	}
	b := &box{newer: debs[0], older: debs[1], e: openEngines(t), ledger: &ledger{}}
	b.g = newGuest(t, b.e.bind())
	b.e.show(t, b.g)
	b.before = b.g.files(t)

	// The order matters, and what follows a failed step would tell nothing new.
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"three commands of README", b.install},
		{"single: active and enabled", b.active},
		{"journal: priorities", b.priorities},
		{"single: engines need the group", b.admitted},
		{"single: sandbox", b.singleSandbox},
		{"single: works under a watchdog", b.watched},
		{"single: killed under load", b.killed},
		{"single: stopped with waiters", b.stopped},
		{"reload", b.reloaded},
		{"upgrade", b.upgraded},
		{"reboot", b.rebooted},
		{"the power goes under load", b.cut},
		{"pair instead of single", b.split},
		{"pair: sandbox", b.pairSandbox},
		{"pair: socket activation", b.activated},
		{"pair: works under a watchdog", b.watched},
		{"pair: killed under load", b.killed},
		{"pair: stopped with waiters", b.stopped},
		{"pair: upgrade and reboot", b.pairUpgraded},
		{"pair: the power goes under load", b.cut},
		{"removed and installed again", b.again},
		{"remove and purge", b.removed},
	} {
		if !t.Run(step.name, step.run) {
			break
		}
	}
}
