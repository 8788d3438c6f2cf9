package httpd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

func TestSizeLimits(t *testing.T) {
	b := newBox(t, "", nil)
	cookie := b.cookie("admin")
	const list, login = "/container-station/api/v1/log", "/container-station/api/v1/login"
	long := strings.Repeat("a", 16<<10)
	wantError(t, "a query of 16 KiB and one", b.do("GET", list+"?text="+long[:len(long)-4], "", "Cookie", cookie), 414)
	if got := b.do("GET", list+"?text="+long[:len(long)-5], "", "Cookie", cookie); got.status != 200 {
		t.Errorf("a query of 16 KiB = %d, want 200", got.status)
	}
	body := `{"username":"x","password":"` + strings.Repeat("p", 1<<20) + `"}`
	wantError(t, "a body over 1 MiB", b.do("POST", login, body), 413)
	wantError(t, "a body over 1 MiB where none is read", b.do("PUT", "/api/v1/logout", body, "Cookie", cookie), 413)
	wantError(t, "a body of 1 MiB", b.do("POST", login, body[:1<<20]), 400)
	padded := `{"username":"admin","password":"admin-pw","x":"` + strings.Repeat("p", maxLogin) + `"}`
	wantError(t, "a login of more than 64 KiB", b.do("POST", login, padded), 400)
	for _, row := range [][2]string{{"POST", login}, {"DELETE", list}, {"GET", list}} {
		req, err := http.NewRequest(row[0], b.url+row[1], io.MultiReader(strings.NewReader(body))) // chunked: no length
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", cookie)
		res, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 413 {
			t.Errorf("%s %s with a chunked body over 1 MiB = %d, want 413", row[0], row[1], res.StatusCode)
		}
	}
}

// TestAHalfBodyIsTheClientsFault sends the beginning of a body and ends the sending: anybody can do that, so it
// must not look like a fault of the server in its log.
func TestAHalfBodyIsTheClientsFault(t *testing.T) {
	var log bytes.Buffer // read when the server has ended
	b := newBox(t, "", func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, begin := range []string{"POST /api/v1/login", "PUT /api/v1/logout", "GET /api/v1/event/wait/a/b/c"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, begin+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx")
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if status, err := bufio.NewReader(c).ReadString('\n'); status != "HTTP/1.1 400 Bad Request\r\n" {
			t.Errorf("%s with half a body = %q %v, want 400", begin, status, err)
		}
	}
	b.stop()
	if log.Len() > 0 {
		t.Errorf("log = %s, want nothing", log.String())
	}
}

// TestAnAnswerThatTakesTooLongIsSaidSo lets a request take longer than it may, and longer than reading it may.
func TestAnAnswerThatTakesTooLongIsSaidSo(t *testing.T) {
	b := newBox(t, "", func(o *Options) {
		o.limits = limits{read: 200 * time.Millisecond, answer: 400 * time.Millisecond}
		o.List = func(ctx context.Context) ([]format.Container, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	got := b.do("GET", "/api/v1/container", "", "Cookie", b.cookie("admin"))
	wantError(t, "a list that takes too long", got, 503)
	if got.took < 400*time.Millisecond {
		t.Errorf("answered after %v, want the whole time that an answer may take", got.took)
	}
}

// TestAPieceAfterAPauseIsSent has an answer whose pieces come further apart than sending one may take, as those
// of an export that finds little.
func TestAPieceAfterAPauseIsSent(t *testing.T) {
	const patience = 200 * time.Millisecond
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a := &answer{ResponseWriter: w, patience: patience}
		for range 2 {
			if _, err := a.Write([]byte("piece ")); err != nil {
				t.Errorf("write: %v", err)
			}
			time.Sleep(2 * patience)
			if err := http.NewResponseController(a).Flush(); err != nil {
				t.Errorf("flush: %v", err)
			}
		}
	}))
	defer s.Close()
	res, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if data, err := io.ReadAll(res.Body); string(data) != "piece piece " || err != nil {
		t.Errorf("answer = %q %v, want both pieces", data, err)
	}
}

func TestSlowLorisIsCutOff(t *testing.T) {
	b := newBox(t, "", func(o *Options) {
		o.limits = limits{readHeader: 500 * time.Millisecond, read: 800 * time.Millisecond, connections: 4}
	})
	var conns []net.Conn
	for _, begin := range []string{"GET / HTTP/1.1\r\nHost: local", // half a header
		"POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",           // half a body
		"GET /api/v1/log/export HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx",       // half a body where none is wanted
		"GET /api/v1/event/wait/a/b/c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx", // likewise
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, begin)
		conns = append(conns, c)
	}
	for i, c := range conns {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("connection %d was not closed: %v", i, err)
		}
	}
	if got := b.do("GET", "/healthz", ""); got.status != 200 { // all four connections are free again
		t.Errorf("healthz = %d", got.status)
	}
}
