package httpd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"shiplog/format"
)

// patience is how long a test waits for what must happen, on a machine that is busy.
const patience = 30 * time.Second

// knock opens a connection to the box and sends text on it.
func (b *box) knock(text string) net.Conn {
	b.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// statusLine returns the first line of the answer on c.
func statusLine(t *testing.T, c net.Conn) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Errorf("no answer: %v", err)
	}
	return strings.TrimSpace(line)
}

// closedByServer waits until the other side has closed c.
func closedByServer(c net.Conn) error {
	c.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil // an end, or a reset
}

const health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

// TestWhoOnlyHoldsAConnectionGivesWay fills the server with connections of each kind that waits for its client:
// the oldest is given up, and the newcomer is served.
func TestWhoOnlyHoldsAConnectionGivesWay(t *testing.T) {
	for name, begin := range map[string]string{
		"nothing is sent":            "",
		"half a head":                "GET /healthz HTTP/1.1\r\nHost: local",
		"half a body":                "POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
		"kept for the next request":  health,
		"half a chunk":               "POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{",
		"half a second request":      health + "GET /healthz HTTP/1.1\r\n",
		"a head that asks to go on":  "POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
		"half a body without a wish": "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, "", func(o *Options) {
				o.limits = limits{connections: 4, readHeader: time.Hour, read: time.Hour, idle: time.Hour}
			})
			var held []net.Conn
			for range 8 {
				held = append(held, b.knock(begin))
				time.Sleep(5 * time.Millisecond) // so that the server takes them in this order
			}
			for i, c := range held[:4] {
				if err := closedByServer(c); err != nil {
					t.Errorf("connection %d of 8 is still open although 4 are the limit: %v", i+1, err)
				}
			}
			if got := statusLine(t, b.knock(health)); got != "HTTP/1.1 200 OK" {
				t.Errorf("a newcomer = %q, want 200", got)
			}
		})
	}
}

// TestWhoIsAnsweredDoesNotGiveWay fills the server with waits: none of them is cut off for others that come.
func TestWhoIsAnsweredDoesNotGiveWay(t *testing.T) {
	// One more than the waits: the connection of the login may still be there when they begin.
	b := newBox(t, "", func(o *Options) { o.limits = limits{connections: 5} })
	web := format.Container{Type: "docker", ID: strings.Repeat("a", 64), Name: "web", State: "running"}
	b.engine.change(web)
	wait := "GET /api/v1/event/wait/docker/web/stopped HTTP/1.1\r\nHost: localhost\r\nCookie: " + b.cookie("admin") + "\r\n\r\n"
	b.client.CloseIdleConnections()
	var waits []net.Conn
	for range 4 {
		waits = append(waits, b.knock(wait))
	}
	until(t, "all waits began", patience, func() bool { return b.server.hub.count() == 4 })
	for range 3 * 5 {
		b.knock("GET / HTTP/1.1\r\n") // half a head: gives way to the next
	}
	web.State = "stopped"
	b.engine.change(web)
	b.report(web, "die")
	for i, c := range waits {
		if got := statusLine(t, c); got != "HTTP/1.1 200 OK" {
			t.Errorf("wait %d = %q, want 200", i, got)
		}
	}
}

// TestWhoDoesNotReadGivesWay fills the server with clients that ask and do not read.
func TestWhoDoesNotReadGivesWay(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.limits = limits{connections: 4, write: time.Hour} })
	many := strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 100)
	for range 5 {
		c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
		if _, err := io.WriteString(c, many); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * stalled)
	began := time.Now()
	if got := statusLine(t, b.knock(health)); got != "HTTP/1.1 200 OK" {
		t.Errorf("a newcomer = %q, want 200", got)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("a newcomer waited %v", took)
	}
}

// TestThousandsOfIdleConnections holds as many connections as the machine allows, up to 10,000: others are
// served, and the memory that they take is bounded.
func TestThousandsOfIdleConnections(t *testing.T) {
	b := newBox(t, "", nil)
	many := 10_000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur < 12_000 {
		many = int(files.Cur) / 2
	}
	addr := strings.TrimPrefix(b.url, "http://")
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for i := range many {
		local := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/5000))} // ports of one address are few
		d := net.Dialer{LocalAddr: local, Timeout: patience}
		c, err := d.Dial("tcp", addr)
		if err != nil {
			t.Logf("%d connections are what this machine allows: %v", len(held), err)
			break
		}
		if held = append(held, c); i%1000 == 999 {
			if got := b.do("GET", "/healthz", ""); got.status != 200 || got.took > 10*time.Second {
				t.Errorf("beside %d idle connections healthz = %d in %v, want 200", len(held), got.status, got.took)
			}
		}
	}
	if len(held) < 1000 {
		t.Skipf("only %d connections", len(held))
	}
	if got := b.do("POST", "/api/v1/login", `{"username":"admin","password":"admin-pw"}`); got.status != 200 || got.took > 10*time.Second {
		t.Errorf("beside %d idle connections a login = %d in %v, want 200", len(held), got.status, got.took)
	}
	until(t, "no more connections are open than may be", patience, func() bool { // some wait in the kernel's queue yet
		open := 0
		for _, c := range held {
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
				open++
			}
		}
		return open <= b.server.limits.connections
	})
}

// TestChunkedRequestsEndTheirConnection sends what one server takes for two requests and another for one: what
// follows a chunked body is not answered.
func TestChunkedRequestsEndTheirConnection(t *testing.T) {
	b := newBox(t, "", nil)
	c := b.knock("POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + health)
	c.SetReadDeadline(time.Now().Add(patience))
	got, err := io.ReadAll(c)
	if n := bytes.Count(got, []byte("HTTP/1.1 ")); n != 1 || err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 400 ")) {
		t.Errorf("answers = %q %v, want one, a 400", got, err)
	}
}
