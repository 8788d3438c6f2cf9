package httpd

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

// rawRow is what a client sends that speaks no HTTP, or another one than we do.
type rawRow struct {
	name, send string
	want       string // pattern of the statuses that come back, each followed by a space; "": the connection is closed
}

const localhost = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

// chunked is a login whose body is sent in chunks.
func chunked(chunks string) string {
	return "POST /api/v1/login" + localhost + "Transfer-Encoding: chunked\r\n\r\n" + chunks
}

// sized is a login with fields about its length.
func sized(fields string) string {
	return "POST /api/v1/login" + localhost + fields + "\r\n\r\n{}\r\n0\r\n\r\n"
}

func rawRows() []rawRow {
	get := func(fields string) string { return "GET /healthz" + localhost + fields + "\r\n" }
	many := func(n int, text string) string { return strings.Repeat(text, n) }
	return []rawRow{
		{"a head over 64 KiB in one field", get("X: " + many(100<<10, "a") + "\r\n"), "431 "},
		{"a head over 64 KiB in many fields", get(many(20_000, "a: b\r\n")), "431 "},
		{"thousands of fields", get(many(8_000, "a: b\r\n")), "431 "},
		{"two hundred fields", get(many(197, "a: b\r\n")), "200 "},
		{"a field name of 32 KiB", get(many(32<<10, "a") + ": b\r\n"), "200 "},
		{"a target over 64 KiB", "GET /" + many(100<<10, "a") + localhost + "\r\n", "431 "},
		{"a method of 8 KiB", many(8<<10, "A") + " /healthz" + localhost + "\r\n", "405 "},

		{"two lengths that differ", sized("Content-Length: 2\r\nContent-Length: 3"), "400 "},
		{"a list of lengths", sized("Content-Length: 2, 3"), "400 "},
		{"a negative length", sized("Content-Length: -2"), "400 "},
		{"a length with a sign", sized("Content-Length: +2"), "400 "},
		{"a length that does not fit", sized("Content-Length: 99999999999999999999"), "400 "},
		{"a length of 8 EiB", sized("Content-Length: 9223372036854775807"), "413 "},
		{"a length in hex", sized("Content-Length: 0x2"), "400 "},
		{"a space before the colon of the length", sized("Content-Length : 2"), "400 "},
		{"a length and chunks", sized("Content-Length: 2\r\nTransfer-Encoding: chunked"), "400 "},
		{"a coding that is not known", sized("Transfer-Encoding: xchunked"), "501 "},
		{"chunks within another coding", sized("Transfer-Encoding: gzip, chunked"), "501 "},
		{"chunks twice", sized("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), "400 |501 "},
		{"a space before the colon of the coding", sized("Transfer-Encoding : chunked"), "400 "},
		{"a coding behind a control character", sized("Transfer-Encoding: \x0bchunked"), "400 |501 "},
		{"a folded coding", sized("Transfer-Encoding:\r\n chunked"), "400 |501 "},
		{"a folded field", get("X: a\r\n b\r\n"), "200 |400 "},
		{"bare line feeds", "GET /healthz HTTP/1.1\nHost: localhost\nConnection: close\n\n", "200 |400 "},
		{"a bare carriage return in a field", get("X: a\rY: b\r\n"), "400 "},
		{"a NUL in a field", get("X: a\x00b\r\n"), "400 "},
		{"a field without a colon", get("nothing\r\n"), "400 "},
		{"a space in a field's name", get("X Y: b\r\n"), "400 "},

		{"a chunk with an extension", chunked("2;name=value\r\n{}\r\n0\r\n\r\n"), "400 "},
		{"a chunk with a long extension", chunked("2;" + many(64<<10, "a") + "\r\n{}\r\n0\r\n\r\n"), "400 "},
		{"chunks that are nearly all extension", chunked(many(20_000, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n \r\n") + "0\r\n\r\n"), "400 "},
		{"a chunk whose length does not fit", chunked("fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), "400 "},
		{"a chunk of a negative length", chunked("-2\r\n{}\r\n0\r\n\r\n"), "400 "},
		{"a chunk that is longer than it says", chunked("1\r\n{}\r\n0\r\n\r\n"), "400 "},
		{"chunks with bare line feeds", chunked("2\n{}\n0\n\n"), "400 "},
		{"a trailer", chunked("2\r\n{}\r\n0\r\nX-Auth-Token: tok-admin\r\n\r\n"), "400 "},
		{"a trailer that is a length", chunked("2\r\n{}\r\n0\r\nContent-Length: 99\r\n\r\n"), "400 "},
		{"a huge trailer", chunked("2\r\n{}\r\n0\r\nX: " + many(128<<10, "a") + "\r\n\r\n"), "400 "},
		{"a chunked body over 1 MiB", chunked(many(40, "10000\r\n"+many(0x10000, "a")+"\r\n") + "0\r\n\r\n"), "413 "},

		{"no HTTP at all", "hello\r\n\r\n", "400 "},
		{"HTTP/0.9", "GET /healthz\r\n\r\n", "400 "},
		{"HTTP/1.0 without a host", "GET /healthz HTTP/1.0\r\n\r\n", "421 "},
		{"HTTP/9.9", "GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n", "505 "},
		{"HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "421 |505 "},
		{"an upgrade to HTTP/2", get("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), "200 "},
		{"an upgrade to a web socket", get("Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "200 "},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + many(512, "\x00"), "400 "},
		{"SSH", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "400 "},
		{"no host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "400 "},
		{"an empty host", "GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", "421 "},
		{"two hosts", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "400 "},
		{"a host that is none", "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", "400 "},
		{"another host by an absolute target", "GET http://evil.example/healthz" + localhost + "\r\n", "421 "},
		{"this host by an absolute target", "GET http://localhost/healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "200 "},
		{"CONNECT", "CONNECT localhost:22" + localhost + "\r\n", "404 |405 |421 "},
		{"CONNECT to an address of the network", "CONNECT 192.0.2.1:22" + localhost + "\r\n", "404 |405 "},
		{"TRACE", "TRACE /healthz" + localhost + "Cookie: CS_SESS_ID=secret\r\n\r\n", "405 "},
		{"OPTIONS of the server", "OPTIONS *" + localhost + "\r\n", "404 "},
		{"OPTIONS of the server under another name", "OPTIONS * HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "421 "},
		{"a target without a slash", "GET healthz" + localhost + "\r\n", "400 "},
		{"a target with a space", "GET /health z" + localhost + "\r\n", "400 "},
		{"a target with a NUL", "GET /\x00" + localhost + "\r\n", "400 "},
		{"a broken escape", "GET /%zz" + localhost + "\r\n", "400 "},
		{"line breaks in the target", "GET /%0d%0aSet-Cookie:%20a=b" + localhost + "\r\n", "404 "},
		{"a way up", "GET /../../../etc/passwd" + localhost + "\r\n", "404 "},
		{"a way up below a prefix", "GET /api/v1/../../../../etc/passwd" + localhost + "\r\n", "404 "},
	}
}

var rawAnswer = regexp.MustCompile(`(?m)^HTTP/1\.[01] (\d{3} )`)

// TestRawRequests sends what no HTTP library would send. Each gets one answer within bounded time, and the server
// answers others meanwhile and afterwards.
func TestRawRequests(t *testing.T) {
	b := newBox(t, "", nil)
	for _, row := range rawRows() {
		c := b.knock("")
		go func() {
			_, _ = io.WriteString(c, row.send) // the server may hang up before the end
		}()
		if got := b.do("GET", "/healthz", ""); got.status != 200 {
			t.Errorf("%s: healthz meanwhile = %d, want 200", row.name, got.status)
		}
		began := time.Now()
		c.SetReadDeadline(began.Add(patience))
		raw, _ := io.ReadAll(io.LimitReader(c, 1<<20)) // a reset after the answer is no fault
		c.Close()
		statuses := ""
		for _, m := range rawAnswer.FindAllSubmatch(raw, -1) {
			statuses += string(m[1])
		}
		if !regexp.MustCompile("^(" + row.want + ")$").MatchString(statuses) {
			t.Errorf("%s: answers %q, want %q; %q", row.name, statuses, row.want, cutText(string(raw), 300))
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: took %v", row.name, took)
		}
		if bytes.Contains(raw, []byte("secret")) || regexp.MustCompile(`(?mi)^set-cookie`).Match(raw) {
			t.Errorf("%s: the answer echoes what was sent: %q", row.name, cutText(string(raw), 300))
		}
		b.discreet(row.name, string(raw))
	}
	if got := b.do("GET", "/healthz", ""); got.status != 200 {
		t.Errorf("healthz afterwards = %d, want 200", got.status)
	}
}

// TestPipelining sends many requests at once: each is answered, in order, by its own answer.
func TestPipelining(t *testing.T) {
	b := newBox(t, "", nil)
	var send strings.Builder
	want := ""
	for i := range 300 {
		switch i % 3 {
		case 0:
			send.WriteString(health)
			want += "200 "
		case 1:
			send.WriteString("GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n")
			want += "404 "
		case 2:
			send.WriteString("POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
			want += "400 "
		}
	}
	send.WriteString("GET /healthz" + localhost + "\r\n")
	want += "200 "
	c := b.knock("")
	go func() { _, _ = io.WriteString(c, send.String()) }()
	c.SetReadDeadline(time.Now().Add(patience))
	raw, err := io.ReadAll(c)
	got := ""
	for _, m := range rawAnswer.FindAllSubmatch(raw, -1) {
		got += string(m[1])
	}
	if got != want || err != nil {
		t.Errorf("answers = %q %v, want 301 in the order of the requests", got, err)
	}
}
