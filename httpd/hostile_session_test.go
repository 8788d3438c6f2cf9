package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// logBytes are the segments of the box as they are on disk.
func (b *box) logBytes() (all []byte) {
	b.t.Helper()
	files, err := filepath.Glob(filepath.Join(b.dir, "log", "0*.jsonl"))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

// TestSessionCookieFlags looks at the cookie on plain http, and behind a proxy that speaks TLS.
func TestSessionCookieFlags(t *testing.T) {
	b := newBox(t, "", nil)
	for proto, secure := range map[string]bool{"": false, "http": false, "https": true, " HTTPS ": true, "httpsx": false} {
		got := b.do("POST", "/api/v1/login", `{"username":"admin","password":"admin-pw"}`, "X-Forwarded-Proto", proto)
		cookie := got.header.Get("Set-Cookie")
		for _, flag := range []string{"; Path=/", "; HttpOnly", "; SameSite=Lax"} {
			if !strings.Contains(cookie, flag) {
				t.Errorf("login by %q: cookie %q lacks %q", proto, cookie, flag)
			}
		}
		if strings.Contains(cookie, "; Secure") != secure {
			t.Errorf("login by %q: cookie %q, want Secure: %v", proto, cookie, secure)
		}
		if strings.Contains(strings.ToLower(cookie), "domain=") {
			t.Errorf("login by %q: cookie %q is for other hosts too", proto, cookie)
		}
	}
}

// TestASessionIsNeverTheClientsChoice logs in with a cookie that an attacker put there: it stays worthless, and
// a session that ended cannot be had again.
func TestASessionIsNeverTheClientsChoice(t *testing.T) {
	b := newBox(t, "", nil)
	fixed := "CS_SESS_ID=" + strings.Repeat("A", 43)
	got := b.do("POST", "/api/v1/login", `{"username":"admin","password":"admin-pw"}`, "Cookie", fixed)
	fresh, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	if fresh == fixed || b.sessionStatus(fixed) != 401 || b.sessionStatus(fresh) != 200 {
		t.Errorf("after a login with a cookie of the client's choice: %q, its status %d, the new one's %d; want a new one, 401, 200", fresh, b.sessionStatus(fixed), b.sessionStatus(fresh))
	}
	b.do("PUT", "/api/v1/logout", "", "Cookie", fresh)
	again := b.do("POST", "/api/v1/login", `{"username":"admin","password":"admin-pw"}`, "Cookie", fresh)
	if next, _, _ := strings.Cut(again.header.Get("Set-Cookie"), ";"); next == fresh || b.sessionStatus(fresh) != 401 {
		t.Errorf("a login brought an ended session back")
	}
	for name, cookie := range map[string]string{
		"half of an id": fresh[:30], "an id and more": fresh + "A", "an id in another case": strings.ToUpper(fresh), "no id": "CS_SESS_ID=", "a wildcard": "CS_SESS_ID=*",
		"a huge id": "CS_SESS_ID=" + strings.Repeat("A", 30<<10), "a hundred ids": strings.Repeat("CS_SESS_ID=AAAA; ", 100) + "x=y", "quotes": `CS_SESS_ID="` + fresh[11:] + `x"`,
	} {
		if status := b.sessionStatus(cookie); status != 401 {
			t.Errorf("%s = %d, want 401", name, status)
		}
	}
}

// TestWritesFromOtherPagesAreRefused sends everything that writes as the browser does that another site's page
// drives, with the session's cookie; and reads under a name that an attacker's DNS made point here.
func TestWritesFromOtherPagesAreRefused(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", nil)
	header := b.credentials()
	last, _ := b.writer.Last()
	for _, row := range routeTable() {
		if row.method == http.MethodGet {
			continue
		}
		for _, from := range [][]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
			got := b.do(row.method, row.target, `{"journal":{"object_id":"o","action":"a","status":"s"}}`, append(from, header...)...)
			wantShape(t, row.method+" "+row.target+" with "+from[0]+": "+from[1], row.dialect, got, 403)
		}
	}
	for _, row := range routeTable() {
		for _, host := range []string{"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "evil.example#localhost", "2130706433", "0x7f.1"} {
			got := b.do(row.method, row.target, "", append([]string{"Host", host}, header...)...)
			wantShape(t, row.method+" "+row.target+" of "+host, row.dialect, got, 421)
		}
	}
	if now, _ := b.writer.Last(); now != last {
		t.Errorf("%d records were written, want none", now-last)
	}
}

// TestOwnLogLinesCannotBeForged lets clients choose what shiplog says about them in its own log, in both of its
// forms: each message stays one line, and the client's part stays inside its value.
func TestOwnLogLinesCannotBeForged(t *testing.T) {
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(w *bytes.Buffer) slog.Handler {
			return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
		},
		"JSON": func(w *bytes.Buffer) slog.Handler {
			return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer                           // read when the server has ended
			b := newBoxIn(t, false, "", func(o *Options) { // else the panic is at the other end of a socket
				o.Logger = slog.New(handler(&log))
				o.limits.delay = time.Millisecond
				o.List = nil
				o.Inspect = panicking
			})
			forged := "a\n" + `time=2001-01-01T00:00:00Z level=ERROR msg=forged` + "\r\n{\"msg\":\"forged\"}\u2028\x1b[2J"
			header := b.credentials()
			escaped := strings.NewReplacer("\n", "%0a", "\r", "%0d", " ", "%20", `"`, "%22", "{", "%7b", "}", "%7d", "\x1b", "%1b", "\u2028", "%e2%80%a8").Replace(forged)
			b.do("GET", "/api/v1/container/docker/a?x="+escaped, "", header...) // its panic is logged, with the path
			b.do("GET", "/api/v1/event/wait/docker/a/running?x="+escaped, "", header...)
			b.do("GET", "/api/v1/"+escaped, "", header...)
			b.do("POST", "/api/v1/login", `{"username":"x\nlevel=ERROR msg=forged","password":"x"}`, "User-Agent", "agent\tlevel=ERROR msg=forged")
			b.stop()
			lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
			for _, line := range lines {
				begins := strings.HasPrefix(line, "time=") && strings.Contains(line, " level=")
				if name == "JSON" {
					begins = json.Valid([]byte(line))
				}
				if !begins || strings.HasPrefix(line, "time=2001") || strings.ContainsAny(line, "\r\x1b") {
					t.Errorf("a line of the log is %q", cutText(line, 200))
				}
			}
			if !strings.Contains(log.String(), "kaboom") {
				t.Error("nothing was logged: the test tested nothing")
			}
		})
	}
}

// TestHeadersHoldNothingOfTheClient asks with line breaks in everything that an answer might repeat.
func TestHeadersHoldNothingOfTheClient(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", nil)
	header := b.credentials()
	const split = "x%0d%0aX-Injected:%20yes%0d%0a%0d%0a"
	for _, row := range routeTable() {
		if row.method != http.MethodGet {
			continue
		}
		for _, target := range []string{row.target + "?text=" + split + "&filename=" + split + "&next_page=" + split + "&limit=" + split, row.target + split, "/exportedlogs/" + split} {
			b.hostile("GET", target, append([]string{"X-Openstack-Request-Id", "req-\tx", "X-Request-Id", "mine", "X-Forwarded-Host", "evil.example", "X-Forwarded-For", "192.0.2.1"}, header...))
		}
	}
	got := b.do("GET", "/api/v1/log", "", "Cookie", header[1], "X-Forwarded-Host", "evil.example", "X-Original-Url", "/metrics")
	if strings.Contains(got.body, "evil.example") || got.status != 200 {
		t.Errorf("GET log with a proxy's headers = %d %s", got.status, cutText(got.body, 200))
	}
}

func panicking(context.Context, string, string) (format.Container, error) { panic("kaboom") }
