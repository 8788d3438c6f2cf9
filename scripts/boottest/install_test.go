package boottest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// passwordLine is what the first start prints.
var passwordLine = regexp.MustCompile(`user admin, password (\w+)`)

// readmeCommands are the three commands of the first block in a section of README.
func readmeCommands(t *testing.T, section string) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## "+section+"\n")
	_, rest, _ = strings.Cut(rest, "\n```sh\n")
	block, _, _ := strings.Cut(rest, "\n```\n")
	commands := strings.Split(block, "\n")
	if len(commands) != 3 {
		t.Fatalf("README.md has %d commands under %q, want three: %q", len(commands), section, commands)
	}
	return commands
}

// install does what README says, word for word: it installs, tells the password, and shows the log.
func (b *box) install(t *testing.T) {
	commands := readmeCommands(t, "Install")
	b.g.boot(t, "copy", b.older, "/root/")
	t.Logf("%s\n%s", commands[0], b.g.do(t, commands[0]))
	var told string
	eventually(t, "no password in what "+commands[1]+" prints", func() bool {
		told, _ = b.g.try(commands[1])
		return passwordLine.MatchString(told)
	})
	b.g.do(t, "shiplog record --data "+data+" --category boottest --message 'the first record'")
	if out := b.g.do(t, commands[2]); !strings.Contains(out, "the first record") {
		t.Errorf("%s prints %q, want the first record", commands[2], out)
	}
	b.set = single
	b.c = newClient(t, b.g, passwordLine.FindStringSubmatch(told)[1])
	b.ledger.c = b.c
	if out := b.c.get(t, v2+"/log"); !strings.Contains(out, "the first record") {
		t.Errorf("GET %s/log = %s, want the first record", v2, out)
	}
}

// active wants the unit as an administrator expects to find it.
func (b *box) active(t *testing.T) {
	for property, want := range map[string]string{
		"ActiveState": "active", "SubState": "running", "Type": "notify", "UnitFileState": "enabled", "NRestarts": "0",
	} {
		if got := b.g.show(t, "shiplog.service", property); got != want {
			t.Errorf("%s of shiplog.service = %q, want %q", property, got, want)
		}
	}
	if status := b.g.show(t, "shiplog.service", "StatusText"); status == "" {
		t.Error("systemctl status shows no STATUS of shiplog.service")
	} else {
		t.Logf("STATUS: %s", status)
	}
	if got := b.g.do(t, "systemctl is-system-running; :"); got != "running" {
		t.Errorf("systemctl is-system-running = %s, want running: %s", got, b.g.do(t, "systemctl --failed --no-legend"))
	}
	if !strings.Contains(b.c.get(t, "/metrics"), "\nshiplog_build_info{") {
		t.Error("/metrics does not tell of shiplog_build_info")
	}
}

// priorities wants lines of different levels in the journal to be told apart there.
func (b *box) priorities(t *testing.T) {
	b.c.send("POST", v2+"/login", `{"username": "admin", "password": "wrong"}`)
	eventually(t, "no line of the journal has a priority of its own", func() bool {
		out := b.g.do(t, "journalctl --sync; journalctl --no-pager -u shiplog -o json --output-fields=PRIORITY,MESSAGE | grep -c '\"PRIORITY\":\"4\"'; :")
		return out != "0"
	})
}

// stopped stops what serves while many wait: it takes less than ten seconds, and nobody is left hanging.
func (b *box) stopped(t *testing.T) {
	const waiters = 50
	done := make(chan struct{}, waiters) // each says when it has ended
	if b.e != nil {
		name := "boot-stop-" + b.set.name
		b.e.do(t, "docker run -d --name "+name+" busybox sleep 1000")
		t.Cleanup(func() { b.e.do(t, "docker rm -f "+name) })
		eventually(t, "the API does not know "+name, func() bool {
			state, _ := b.c.state("/container/docker/" + name)
			return state == "running"
		})
		for range waiters {
			go func() { _, _ = b.c.wait("docker", name, "stopped", 10*long); done <- struct{}{} }()
		}
		b.waiting(t, waiters)
	}
	for _, unit := range slices.Backward(b.set.units) {
		from := time.Now()
		b.g.do(t, "systemctl stop "+unit)
		if took := time.Since(from); took > 10*time.Second {
			t.Errorf("systemctl stop %s took %v, want less than 10 s", unit, took)
		} else {
			t.Logf("systemctl stop %s took %.1f s", unit, took.Seconds())
		}
		if got := b.g.show(t, unit, "Result"); got != "success" {
			t.Errorf("%s was stopped with the result %q, want success", unit, got)
		}
	}
	for range waiters {
		if b.e == nil {
			break
		}
		select {
		case <-done:
		case <-time.After(long):
			t.Fatal("who waited for a container is still waiting after the server has stopped")
		}
	}
	b.g.do(t, "systemctl start "+strings.Join(b.set.units, " "))
	b.c.awaitReady(t)
}

// waiting waits until n requests wait for a container's state.
func (b *box) waiting(t *testing.T, n int) {
	t.Helper()
	want := fmt.Sprintf("\nshiplog_longpoll_waiters %d\n", n)
	eventually(t, "the server does not have"+want, func() bool {
		_, body := b.c.call("GET", "/metrics", "")
		return strings.Contains(body, want)
	})
}
