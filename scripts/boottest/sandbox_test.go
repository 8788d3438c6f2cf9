package boottest

import (
	"os"
	"strings"
	"testing"
)

const probePath = "/usr/local/bin/boottest-probe"

// everyCan and everyCannot hold for each unit; what differs stands in the tests.
var (
	everyCan    = []string{"write its own state", "write /tmp", "a unix socket"}
	everyCannot = []string{
		"write /etc", "write /usr", "write /home", "read /home", "write /root", "write /var/lib", "write /run",
		"see other processes", "read /proc/meminfo", "write a cgroup", "trace", "make a namespace", "become root",
		"make a device", "make a setuid file", "set the host's name", "run written code", "a netlink socket",
		"a packet socket", "capabilities", "new privileges", "mount", "chroot",
	}
)

// results are what came of each probe, by its name.
type results map[string]string

func parseProbe(text string) results {
	r := results{}
	for line := range strings.Lines(text) {
		if name, result, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "probe: "), ": "); ok {
			r[name] = result
		}
	}
	return r
}

// free is what the guest's root can do without a sandbox: it is all that is asked, so that a probe
// which fails says something. The probe has a view of mounts and a host name of its own to spoil.
func (g *guest) free(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g.boot(t, "copy", self, probePath)
	g.do(t, "mkdir -m 777 /etc/boottest /usr/boottest /home/boottest /var/lib/boottest /run/boottest")
	out := g.do(t, "STATE_DIRECTORY="+data+" "+probeEnv+"=1 unshare --mount --uts "+probePath)
	g.do(t, "rm /tmp/boottest-*")
	r := parseProbe(out)
	for _, p := range probes {
		if r[p.name] != "can" && !(os.Getenv("SHIPLOG_ENGINES") == "" && strings.HasPrefix(p.name, "connect to")) {
			t.Errorf("root without a sandbox: %s: %q, want can: the probe shows nothing", p.name, r[p.name])
		}
	}
}

// probe lets a unit try all probes with its own sandbox.
func (g *guest) probe(t *testing.T, unit string) results {
	t.Helper()
	g.configure(t, unit, "Environment="+probeEnv+"=1\nExecStartPre="+probePath)
	var text string
	eventually(t, "the probe of "+unit+" does not end", func() bool {
		text = g.journal(t, unit)
		return strings.Contains(text, probeEnd)
	})
	if out, rc := g.try("ls /tmp/boottest-probe"); rc == 0 {
		t.Errorf("%s: %s of its /tmp is in that of all", unit, out)
	}
	g.unconfigure(t, unit)
	return parseProbe(text)
}

// sandboxed wants each probe that a unit made to come out as listed, and the running process to be locked in
// as the one that made them.
func (g *guest) sandboxed(t *testing.T, unit, user, exposure string, can, cannot []string) {
	results := g.probe(t, unit)
	for _, name := range append(can, everyCan...) {
		if results[name] != "can" {
			t.Errorf("%s: %s: %q, want can", unit, name, results[name])
		}
	}
	for _, name := range append(cannot, everyCannot...) {
		if !strings.HasPrefix(results[name], "cannot: ") {
			t.Errorf("%s: %s: %q, want cannot", unit, name, results[name])
		}
	}
	for _, p := range probes {
		t.Logf("%s: %s: %s", unit, p.name, results[p.name])
	}
	text := g.do(t, "cat /proc/"+g.show(t, unit, "MainPID")+"/status")
	for _, line := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the process of %s has not %q:\n%s", unit, line, text)
		}
	}
	if got := g.do(t, "ps -o user= -p "+g.show(t, unit, "MainPID")); !strings.HasPrefix(user, strings.TrimSuffix(got, "+")) {
		t.Errorf("%s runs as %q, want %s", unit, got, user)
	}
	if out, rc := g.try("systemd-analyze security --no-pager --threshold=" + exposure + " " + unit); rc != 0 {
		t.Errorf("systemd-analyze security --threshold=%s %s: %s", exposure, unit, out)
	}
}

// singleSandbox wants the single unit to reach the engines and its own state, and nothing else.
func (b *box) singleSandbox(t *testing.T) {
	b.g.free(t)
	can := []string{"write the log's directory", "append to a segment", "read a segment", "an IPv4 socket", "an IPv6 socket"}
	if b.e != nil {
		can = append(can, "connect to docker", "connect to incus")
	}
	b.g.sandboxed(t, "shiplog.service", "shiplog", "15", can, nil)
}
