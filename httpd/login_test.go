package httpd

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestSessionSlidesAndExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions(time.Now)
		id, _ := s.open(session{user: "a"})
		for range 3 {
			time.Sleep(59 * time.Minute)
			if _, ok := s.find(id); !ok {
				t.Fatal("session ended although it was used every 59 minutes")
			}
		}
		time.Sleep(61 * time.Minute)
		if _, ok := s.find(id); ok {
			t.Error("session lives after 61 idle minutes")
		}
		if s.count() != 0 || len(s.all) != 0 {
			t.Errorf("%d sessions remembered, want 0", len(s.all))
		}
	})
}

func TestSessionsPerUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions(time.Now)
		other, _ := s.open(session{user: "b"})
		var ids []string
		for range sessionsPerUser + 2 {
			time.Sleep(time.Second)
			id, _ := s.open(session{user: "a"})
			ids = append(ids, id)
		}
		for i, id := range ids {
			if _, ok := s.find(id); ok != (i >= 2) {
				t.Errorf("session %d lives: %v, want only the newest %d to live", i, ok, sessionsPerUser)
			}
		}
		if _, ok := s.find(other); !ok {
			t.Error("another user's session was dropped")
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	s := newSessions(time.Now)
	for i := range sessionsTotal {
		o := session{sum: sha256.Sum256([]byte(fmt.Sprint(i))), user: fmt.Sprint(i), login: s.now(), seen: s.now()}
		s.all[o.sum] = &o
	}
	id, _ := s.open(session{user: "new"})
	if _, ok := s.find(id); !ok {
		t.Error("the new session gave way, want the oldest to")
	}
	if len(s.all) > sessionsTotal {
		t.Errorf("%d sessions, want at most %d", len(s.all), sessionsTotal)
	}
}

func TestLimiterRefusesAnAddressAfterTenFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(time.Now, 250*time.Millisecond)
		for i := range failuresPerMinute {
			if wait := l.blocked("10.0.0.1"); wait != 0 {
				t.Fatalf("blocked after %d failures", i)
			}
			l.failed("10.0.0.1", fmt.Sprint(i))
			time.Sleep(time.Second)
		}
		if wait := l.blocked("10.0.0.1"); wait != 50*time.Second {
			t.Errorf("blocked for %v, want 50s: until the first failure is a minute old", wait)
		}
		if wait := l.blocked("10.0.0.2"); wait != 0 {
			t.Errorf("another address is blocked for %v", wait)
		}
		time.Sleep(50 * time.Second)
		if wait := l.blocked("10.0.0.1"); wait != 0 {
			t.Errorf("blocked for %v after a minute", wait)
		}
	})
}

func TestLimiterHoldsBackWrongAnswersOfOneAccount(t *testing.T) {
	l := newLimiter(time.Now, 250*time.Millisecond)
	want := []time.Duration{0, 0, 0, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second}
	for i, d := range want {
		if got := l.failed(fmt.Sprintf("10.0.0.%d", i), "admin"); got != d {
			t.Errorf("failure %d is held back for %v, want %v", i+1, got, d)
		}
	}
	if got := l.failed("10.0.1.1", "alice"); got != 0 {
		t.Errorf("another account's failure is held back for %v", got)
	}
}

func TestLimiterIsBounded(t *testing.T) {
	l := newLimiter(time.Now, 250*time.Millisecond)
	for i := range limiterKeys + 50 {
		l.failed(fmt.Sprintf("10.0.%d.%d", i/256, i%256), fmt.Sprint(i))
	}
	if len(l.addresses) > limiterKeys || len(l.accounts) > limiterKeys {
		t.Errorf("%d addresses and %d accounts remembered, want at most %d", len(l.addresses), len(l.accounts), limiterKeys)
	}
}

func TestSourceKey(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:4711":               "192.0.2.7",
		"[::ffff:192.0.2.7]:4711":      "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:80":    "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":            "fe80::/64",
		"@":                            "@",
		"[2001:db8:1:2:ffff::1]:12345": "2001:db8:1:2::/64",
	} {
		if got := sourceKey(remote); got != want {
			t.Errorf("sourceKey(%s) = %s, want %s", remote, got, want)
		}
	}
}

func TestParseLogin(t *testing.T) {
	for name, row := range map[string]struct {
		body string
		want credentials
		bad  bool
	}{
		"JSON":                                  {`{"username": "admin", "password": "x"}`, credentials{name: "admin", password: "x"}, false},
		"JSON after spaces":                     {" \r\n\t{\"username\":\"a\",\"password\":\"b\"}\n", credentials{name: "a", password: "b"}, false},
		"a form":                                {"username=admin&password=p%40ss%2B1", credentials{name: "admin", password: "p@ss+1"}, false},
		"a form in the other order":             {"password=b+c&username=a", credentials{name: "a", password: "b c"}, false},
		"a form with a broken escape":           {"username=a&password=100%", credentials{name: "a", password: "100%"}, false},
		"a token":                               {`{"sid":"tok"}`, credentials{token: "tok"}, false},
		"a token in a form":                     {"sid=tok", credentials{token: "tok"}, false},
		"a name without a password but a token": {`{"username":"a","sid":"tok"}`, credentials{token: "tok"}, false},
		"names are case-sensitive":              {`{"Username":"a","Password":"b"}`, credentials{}, true},
		"nothing":                               {"", credentials{}, true},
		"no password":                           {"username=a", credentials{}, true},
		"a password that is a number":           {`{"username":"a","password":5}`, credentials{}, true},
		"broken JSON":                           {`{"username":"a",`, credentials{}, true},
		"two objects":                           {`{"username":"a","password":"b"}{}`, credentials{}, true},
		"an array":                              {`[]`, credentials{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseLogin([]byte(row.body))
			if got != row.want || (err != nil) != row.bad {
				t.Errorf("parseLogin(%q) = %+v, %v, want %+v, error %v", row.body, got, err, row.want, row.bad)
			}
			if err != nil && asStatus(err).status != 400 {
				t.Errorf("status %d, want 400", asStatus(err).status)
			}
		})
	}
}

func FuzzParseLogin(f *testing.F) {
	f.Add([]byte(`{"username":"a","password":"b"}`))
	f.Add([]byte("username=a&password=b"))
	f.Add([]byte(" \x00{"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseLogin(body)
		whole := (c.name != "" && c.password != "") != (c.token != "")
		if (err == nil) != whole {
			t.Errorf("parseLogin(%q) = %+v, %v", body, c, err)
		}
	})
}
