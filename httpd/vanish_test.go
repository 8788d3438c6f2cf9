package httpd

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"shiplog/format"
)

// tcpRepair is Linux's TCP_REPAIR: a socket that is closed in this state tells the other side nothing.
const tcpRepair = 19

// TestAClientThatVanishesReleasesItsWaiter lets a machine with a waiting client lose its power, as it seems from
// here: nothing is sent, neither an end nor a reset. The connection's probes find out.
func TestAClientThatVanishesReleasesItsWaiter(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	b := newBox(t, "", nil)
	b.engine.change(format.Container{Type: "docker", ID: strings.Repeat("a", 64), Name: "web", State: "running"})
	c := b.knock("GET /api/v1/event/wait/docker/web/stopped?duration=3600 HTTP/1.1\r\nHost: localhost\r\nCookie: " + b.cookie("admin") + "\r\n\r\n")
	until(t, "the wait began", patience, func() bool { return b.server.hub.count() == 1 })
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var refused error
	if err := raw.Control(func(fd uintptr) { refused = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpRepair, 1) }); err != nil {
		t.Fatal(err)
	}
	if refused != nil {
		t.Skipf("a client cannot vanish here: %v", refused)
	}
	c.Close()
	until(t, "the wait of a client that vanished is over", 2*time.Minute, func() bool { return b.server.hub.count() == 0 })
}

// until waits for something to be so.
func until(t *testing.T, what string, patience time.Duration, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
