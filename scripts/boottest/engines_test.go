package boottest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// engines are the daemons that scripts/engines.sh runs in dir; nil: there are none.
type engines struct {
	dir string
	env []string // for their own clients
}

func openEngines(t *testing.T) *engines {
	dir := os.Getenv("SHIPLOG_ENGINES")
	if dir == "" {
		t.Log("SHIPLOG_ENGINES is not set: nothing is shown of real engines")
		return nil
	}
	e := &engines{dir: dir, env: append(os.Environ(), "LC_ALL=C", "DOCKER_HOST=unix://"+dir+"/docker.sock",
		"DOCKER_CONFIG="+dir+"/.engines/docker-conf", "INCUS_DIR="+dir+"/.engines/incus",
		"INCUS_SOCKET="+dir+"/.engines/incus/unix.socket", "INCUS_CONF="+dir+"/.engines/incus-conf")}
	t.Cleanup(func() { // their root group, as they made it
		for _, socket := range e.sockets() {
			_ = os.Chown(socket, 0, 0)
		}
	})
	return e
}

func (e *engines) sockets() []string {
	return []string{filepath.Join(e.dir, "docker.sock"), filepath.Join(e.dir, ".engines/incus/unix.socket")}
}

// bind shows the directories of the sockets in the guest: a socket alone would go stale when its daemon restarts.
func (e *engines) bind() string {
	if e == nil {
		return ""
	}
	return e.dir + ":/run/engines:ro " + e.dir + "/.engines/incus:/run/incus:ro"
}

// show puts Docker's socket where it usually is, at each boot.
func (e *engines) show(t *testing.T, g *guest) {
	if e != nil {
		g.write(t, "/etc/tmpfiles.d/boottest.conf", "L+ /run/docker.sock - - - - /run/engines/docker.sock\n")
		g.do(t, "systemd-tmpfiles --create boottest.conf")
	}
}

// admit gives the sockets to the groups that the package made in the guest: ids are the same on both sides.
func (e *engines) admit(t *testing.T, g *guest) {
	t.Helper()
	for i, group := range []string{"docker", "incus-admin"} {
		gid := g.do(t, "getent group "+group+" | cut -d: -f3")
		if out, err := exec.Command("chgrp", gid, e.sockets()[i]).CombinedOutput(); err != nil {
			t.Fatalf("chgrp: %v: %s", err, out)
		}
	}
}

// do runs lines of shell with the engines' clients; each must succeed.
func (e *engines) do(t testing.TB, lines ...string) {
	t.Helper()
	for _, line := range lines {
		ctx, cancel := context.WithTimeout(context.Background(), long) // also after the test, to tidy up
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Env = e.env
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
	}
}

// captured drives both engines and wants it told through the API, and a wait to end with what they say.
func (b *box) captured(t *testing.T) {
	name := "boot-" + b.set.name
	b.e.do(t, "docker run -d --name "+name+" busybox sleep 1000", "incus -q launch busybox "+name)
	for _, engine := range []string{"docker", "lxc"} {
		eventually(t, "the API does not tell of "+name+" of "+engine, func() bool {
			state, _ := b.c.state("/container/" + engine + "/" + name)
			return state == "running" && strings.Contains(b.c.get(t, v2+"/log?text="+name), name)
		})
	}
	waited := make(chan string, 1) // 1: the test may have ended
	go func() {
		state, err := b.c.wait("docker", name, "stopped", long/2)
		if err != nil {
			state = err.Error()
		}
		waited <- state
	}()
	b.waiting(t, 1)
	b.e.do(t, "docker kill "+name)
	if got := <-waited; got != "stopped" {
		t.Errorf("event/wait for %s = %q, want stopped", name, got)
	}
	b.e.do(t, "docker rm -f "+name, "incus delete -f "+name)
	for engine, action := range map[string]string{"docker": "die", "incus": "container.destroy"} {
		eventually(t, "no event "+action+" of "+engine+" in the files", func() bool {
			for _, r := range b.g.records(t, data) {
				if r.Stream == "event" && r.Engine == engine && r.Obj.Name == name && strings.Contains(r.Action, action) {
					return true
				}
			}
			return false
		})
	}
}

// admitted wants the engines refused until the groups of their sockets are those of the unit.
func (b *box) admitted(t *testing.T) {
	if b.e == nil {
		t.Skip("no engines")
	}
	eventually(t, "the journal does not say that both sockets may not be opened", func() bool {
		return strings.Count(b.g.journal(t, b.set.writer), "permission denied; add the user to group") >= 2
	})
	b.e.admit(t, b.g)
	b.connected(t)
}

// connected waits until the writer sees both engines.
func (b *box) connected(t *testing.T) {
	t.Helper()
	eventually(t, "not connected to both engines", func() bool {
		_, body := b.c.call("GET", "/metrics", "")
		return strings.Count(body, "\nshiplog_capture_connected{engine=\"docker\"} 1\n")+
			strings.Count(body, "\nshiplog_capture_connected{engine=\"incus\"} 1\n") == 2
	})
}
