package httpd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"shiplog/format"
)

func (b *box) accounts() *Accounts {
	b.t.Helper()
	a, err := LoadAccounts(filepath.Join(b.dir, "accounts.json")) // as another process does
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// sessionStatus is the answer to a request with this cookie.
func (b *box) sessionStatus(cookie string) int {
	return b.do("GET", "/api/v1/login_refresh", "", "Cookie", cookie).status
}

func TestLoginAnswers(t *testing.T) {
	b := newBox(t, "", quickRefusals)
	if _, err := b.accounts().Apply(strings.NewReader(`{"qnap_users":[{"name":"two","password":"factors","second_factor":true}],
		"tokens":[{"token":"old","user":"admin","roles":["admin"],"expires":"2001-01-01T00:00:00Z"}]}`)); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, body string
		status     int
		user       string
		admin      bool
	}{
		{"JSON", `{"username":"admin","password":"admin-pw"}`, 200, "admin", true},
		{"a form", "username=alice&password=p%40ss%2B1", 200, "alice", false},
		{"a token of an administrator", `{"sid":"tok-admin"}`, 200, "admin", true},
		{"a token of a reader", `{"sid":"tok-limited"}`, 200, "alice", false},
		{"a wrong password", `{"username":"admin","password":"admin-p"}`, 401, "", false},
		{"an unknown user", `{"username":"nobody","password":"x"}`, 401, "", false},
		{"an unknown token", `{"sid":"tok"}`, 401, "", false},
		{"a token that has expired", `{"sid":"old"}`, 401, "", false},
		{"a second factor", `{"username":"two","password":"factors"}`, 403, "", false},
		{"a wrong password where a second factor is needed", `{"username":"two","password":"x"}`, 401, "", false},
		{"no password", `{"username":"admin"}`, 400, "", false},
		{"no body", ``, 400, "", false},
		{"broken JSON", `{"username"`, 400, "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := b.do("POST", "/api/v1/login", row.body, "Content-Type", "application/x-www-form-urlencoded")
			if row.status != 200 {
				wantError(t, row.name, got, row.status)
				if len(got.header.Values("Set-Cookie")) != 0 {
					t.Error("a refused login sets a cookie")
				}
				return
			}
			diffs := matchJSON([]byte(`{"anonymous":false,"isAdmin":`+map[bool]string{true: "true", false: "false"}[row.admin]+
				`,"logintime":"@recent","username":"`+row.user+`"}`), got.body, false)
			if got.status != 200 || diffs != nil {
				t.Errorf("login = %d %s: %v", got.status, got.body, diffs)
			}
			cookies := got.header.Values("Set-Cookie")
			if len(cookies) != 1 || !regexp.MustCompile(`^CS_SESS_ID=[A-Za-z0-9_-]{32,}; Path=/; HttpOnly; SameSite=Lax$`).MatchString(cookies[0]) {
				t.Errorf("Set-Cookie = %q", cookies)
			}
		})
	}
	unknown, wrong := b.do("POST", "/api/v1/login", "username=x&password=y"), b.do("POST", "/api/v1/login", "username=admin&password=y")
	if unknown.body != wrong.body {
		t.Errorf("an unknown user is told %q, a wrong password %q, want the same", unknown.body, wrong.body)
	}
}

func TestRefreshAndLogout(t *testing.T) {
	b := newBox(t, "", nil)
	first, second := b.cookie("admin"), b.cookie("admin")
	login := b.do("GET", "/api/v1/login_refresh", "", "Cookie", first)
	time.Sleep(1100 * time.Millisecond)
	if again := b.do("GET", "/containerstation/api/v1/login_refresh", "", "Cookie", first); again.body != login.body || again.status != 200 {
		t.Errorf("refresh = %s, want the same logintime as %s", again.body, login.body)
	}
	out := b.do("PUT", "/api/v1/logout", "", "Cookie", first)
	if out.status != 200 || out.body != "{\n  \"username\": \"admin\"\n}\n" || !strings.Contains(out.header.Get("Set-Cookie"), "CS_SESS_ID=; Path=/; Max-Age=0") {
		t.Errorf("logout = %d %s %s", out.status, out.body, out.header.Get("Set-Cookie"))
	}
	if b.sessionStatus(first) != 401 || b.sessionStatus(second) != 200 {
		t.Errorf("after logout: its session %d, the other %d, want 401 and 200", b.sessionStatus(first), b.sessionStatus(second))
	}
	if got := b.do("GET", "/api/v1/login_refresh", "", "Cookie", "CS_SESS_ID=stale; "+second); got.status != 200 {
		t.Errorf("a live cookie beside a stale one = %d, want 200", got.status)
	}
}

func TestSessionsEndWithWhatTheyReliedOn(t *testing.T) {
	b := newBox(t, "", nil)
	a := b.accounts()
	admin, alice := b.cookie("admin"), b.cookie("alice")
	byToken, _, _ := strings.Cut(b.do("POST", "/api/v1/login", "sid=tok-reader-p1").header.Get("Set-Cookie"), ";")
	if err := a.SetPassword("admin", "new"); err != nil {
		t.Fatal(err)
	}
	if b.sessionStatus(admin) != 401 || b.sessionStatus(alice) != 200 || b.sessionStatus(byToken) != 200 {
		t.Errorf("after admin's password changed: %d %d %d, want 401 200 200", b.sessionStatus(admin), b.sessionStatus(alice), b.sessionStatus(byToken))
	}
	if err := a.RemoveUser("alice"); err != nil {
		t.Fatal(err)
	}
	if b.sessionStatus(alice) != 401 || b.sessionStatus(byToken) != 401 {
		t.Errorf("after alice was removed: %d, by token %d, want 401", b.sessionStatus(alice), b.sessionStatus(byToken))
	}
}

func quickRefusals(o *Options) { o.limits.delay = time.Millisecond }

func TestGuessingIsRefused(t *testing.T) {
	b := newBox(t, "", quickRefusals)
	var wg sync.WaitGroup
	var mu sync.Mutex
	tried := map[int]int{}
	for range 30 { // at once: the count must not be fooled
		wg.Go(func() {
			got := b.do("POST", "/api/v1/login", `{"sid":"guess"}`)
			mu.Lock()
			defer mu.Unlock()
			tried[got.status]++
		})
	}
	wg.Wait()
	if tried[401] > 11 || tried[429] < 19 {
		t.Errorf("30 guesses = %v, want no more than 11 tried", tried)
	}
	got := b.do("POST", "/api/v1/login", `{"username":"admin","password":"admin-pw"}`)
	wantError(t, "the right password from the address that guessed", got, 429)
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	b.client.Transport = &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	began := time.Now()
	if got := b.do("POST", "/api/v1/login", `{"username":"admin","password":"admin-pw"}`); got.status != 200 {
		t.Errorf("the right password from another address = %d, want 200", got.status)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v, want no delay", took)
	}
}

func TestPasswordGuessesAtOnceAreCountedBeforeTheyAreTried(t *testing.T) {
	b := newBox(t, "", quickRefusals)
	var wg sync.WaitGroup
	var mu sync.Mutex
	tried := map[int]int{}
	for range 16 {
		wg.Go(func() {
			got := b.do("POST", "/api/v1/login", "username=alice&password=x")
			mu.Lock()
			defer mu.Unlock()
			tried[got.status]++
		})
	}
	wg.Wait()
	if tried[401] > 11 || tried[429] < 5 {
		t.Errorf("16 guesses = %v, want no more than 11 tried", tried)
	}
}

func TestAuthRecordsAreBounded(t *testing.T) {
	n := 0
	o := Options{Append: func(_ context.Context, recs ...*format.Record) error { n += len(recs); return errors.New("disk full") }}
	o.Logger = discardLogger()
	a := newAuthLog(&o)
	r, _ := http.NewRequest("POST", "/", nil)
	for range 10 * authBurst {
		a.login(r, strings.Repeat("x\xff", 10_000), errCredentials)
	}
	if n > authBurst+2 {
		t.Errorf("%d records at once, want at most %d", n, authBurst)
	}
	if a.others.skipped < 10*authBurst-authBurst-2 {
		t.Errorf("%d counted as left out", a.others.skipped)
	}
	guesses := n
	a.login(r, "admin", nil)
	a.logout(r, "admin")
	if n != guesses+2 {
		t.Errorf("%d records of a login and a logout after a flood of guesses, want both", n-guesses)
	}
}

func TestASecondFactorThatIsMissingIsRecorded(t *testing.T) {
	b := newBox(t, "", quickRefusals)
	if _, err := b.accounts().Apply(strings.NewReader(`{"qnap_users":[{"name":"two","password":"factors","second_factor":true}]}`)); err != nil {
		t.Fatal(err)
	}
	wantError(t, "login", b.do("POST", "/api/v1/login", "username=two&password=factors"), 403)
	rows := b.list("category=auth&user=two", b.cookie("admin"))
	if len(rows) != 1 || rows[0].Level != "WARN" || !strings.HasPrefix(rows[0].Message, "Login failed: two (the password is right") {
		t.Errorf("auth records = %v, want the refusal", rows)
	}
}

func TestVisibilityOfEvents(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", nil)
	b.append(&format.Record{Stream: format.StreamEvent, Eseq: format.NextEseq, Category: "image", Action: "image.delete", Actor: format.Actor{Name: "alice", Type: "user"},
		Obj: format.Object{Name: "mine"}, Engine: "docker"})
	alice := b.do("GET", "/api/v1/event", "", "Cookie", b.cookie("alice"))
	admin := b.do("GET", "/api/v1/event", "", "Cookie", b.cookie("admin"))
	if strings.Contains(alice.body, ":admin:") || !strings.Contains(alice.body, "image:alice:") || !strings.Contains(alice.body, "container:all:") {
		t.Errorf("alice sees %s, want her events and those of all", alice.body)
	}
	if !strings.Contains(admin.body, "image:alice:") || !strings.Contains(admin.body, "image:admin:") {
		t.Errorf("admin sees %s, want all", admin.body)
	}
	for _, got := range []reply{alice, admin} {
		if !strings.Contains(got.body, `"index": 102,`) || !strings.Contains(got.body, `"offset": 122`) {
			t.Errorf("window of %s, want 102..122 for everybody", got.body)
		}
	}
}

func TestRootEventFormat(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", func(o *Options) { o.QNAPRootEventFormat = "v2" })
	if got := b.do("GET", "/api/v1/event?index=120", "", "Cookie", b.cookie("admin")); !strings.Contains(got.body, `"image:admin:1628671995:{`) {
		t.Errorf("events under the root prefix = %s, want the form of version 2", got.body)
	}
}

func discardLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }
