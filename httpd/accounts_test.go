package httpd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func emptyAccounts(t *testing.T) (*Accounts, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accounts.json")
	a, err := LoadAccounts(path)
	if err != nil {
		t.Fatal(err)
	}
	return a, path
}

func TestApplyContractAccounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.json")
	if err := os.WriteFile(path, contractAccounts(t), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := LoadAccounts(path)
	if err != nil {
		t.Fatal(err)
	}
	users := a.Users()
	if len(users) != 2 || users[0] != (User{Name: "admin", Admin: true}) || users[1] != (User{Name: "alice"}) {
		t.Errorf("Users() = %v, want admin (an administrator) and alice", users)
	}
	tok, ok := a.Token("tok-limited", time.Now())
	if !ok || tok.User != "alice" || tok.Project != "p2" || len(tok.Scopes) != 1 || tok.Scopes[0] != "user:admin" {
		t.Errorf("Token(tok-limited) = %+v %v, want alice's with scope user:admin", tok, ok)
	}
	if _, ok := a.Token("tok-limite", time.Now()); ok {
		t.Error("Token(tok-limite) is known, want it unknown")
	}
	key, ok := a.AccessKey("AKTESTEXAMPLE")
	if !ok || key.SK != "SKTESTEXAMPLESECRET" {
		t.Errorf("AccessKey = %+v %v, want its secret", key, ok)
	}
	if a.KeystoneURI() != "http://127.0.0.1:5000/v3" {
		t.Errorf("KeystoneURI() = %q", a.KeystoneURI())
	}
}

func TestAccountsFileHoldsNoSecretsInPlainText(t *testing.T) {
	a, path := emptyAccounts(t)
	doc, err := os.ReadFile(filepath.Join("testdata", "contract", "accounts.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(bytes.NewReader(doc)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"admin-pw", "p@ss+1", "tok-admin", "tok-limited"} {
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("accounts file holds %q in plain text", secret)
		}
	}
	if !bytes.Contains(data, []byte("$argon2id$v=19$m=19456,t=2,p=1$")) {
		t.Error("accounts file holds no argon2id hash with m=19456,t=2,p=1")
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v %v, want 0600", fi.Mode(), err)
	}
}

func TestApplyTwiceChangesNothing(t *testing.T) {
	a, path := emptyAccounts(t)
	doc, err := os.ReadFile(filepath.Join("testdata", "contract", "accounts.json"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := a.Apply(bytes.NewReader(doc))
	if err != nil || !first.Changed || first.Users != 2 || first.Tokens != 3 || first.AccessKeys != 1 {
		t.Fatalf("Apply = %+v %v, want 2 users, 3 tokens, 1 key, changed", first, err)
	}
	before, _ := os.ReadFile(path)
	second, err := a.Apply(bytes.NewReader(doc))
	if err != nil || second.Changed {
		t.Errorf("second Apply = %+v %v, want nothing changed", second, err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("second Apply wrote the file anew")
	}
}

func TestApplyKeepsWhatItDoesNotName(t *testing.T) {
	a, _ := emptyAccounts(t)
	if err := a.AddUser(User{Name: "bob"}, "bob-pw"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(strings.NewReader(`{"qnap_users":[{"name":"eve","password":"x"}]}`)); err != nil {
		t.Fatal(err)
	}
	if got := a.Users(); len(got) != 2 {
		t.Errorf("Users() = %v, want bob and eve", got)
	}
}

func TestApplyRefuses(t *testing.T) {
	for name, row := range map[string]struct{ doc, want string }{
		"a member it does not know":        {`{"qnap_user":[]}`, "qnap_user"},
		"an unknown member inside a user":  {`{"qnap_users":[{"name":"a","password":"b","passwort":"c"}]}`, "passwort"},
		"a user without a password":        {`{"qnap_users":[{"name":"a"}]}`, "no password"},
		"a user without a name":            {`{"qnap_users":[{"password":"a"}]}`, "1 to 256 bytes"},
		"a user that is there twice":       {`{"qnap_users":[{"name":"a","password":"b"},{"name":"a","password":"c"}]}`, "twice"},
		"a name with a line break":         {`{"qnap_users":[{"name":"a\nb","password":"b"}]}`, "control"},
		"a token without text":             {`{"tokens":[{"user":"a"}]}`, "empty"},
		"an access key without a secret":   {`{"access_keys":[{"ak":"a","user":"u"}]}`, "no sk"},
		"text after the object":            {`{} {}`, "after the end"},
		"an empty file":                    {``, "empty"},
		"half a file, with the line of it": {"{\n\"tokens\": [\n", "line 3"},
		"a wrong type, with its member":    {`{"tokens": 5}`, "tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			a, path := emptyAccounts(t)
			_, err := a.Apply(strings.NewReader(row.doc))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("Apply error = %v, want it to name %q", err, row.want)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Error("a refused file was written")
			}
		})
	}
}

func TestUserLife(t *testing.T) {
	a, path := emptyAccounts(t)
	if err := a.AddUser(User{Name: "bob", Admin: true, Email: "bob@example.org"}, "one"); err != nil {
		t.Fatal(err)
	}
	if err := a.AddUser(User{Name: "bob"}, "two"); !errors.Is(err, ErrUserExists) {
		t.Errorf("AddUser again = %v, want ErrUserExists", err)
	}
	if err := a.AddUser(User{Name: "eve"}, ""); err == nil {
		t.Error("AddUser without a password = nil, want an error")
	}
	if err := a.SetPassword("eve", "x"); !errors.Is(err, ErrNoUser) {
		t.Errorf("SetPassword(eve) = %v, want ErrNoUser", err)
	}
	if err := a.SetPassword("bob", "three"); err != nil {
		t.Error(err)
	}
	again, err := LoadAccounts(path)
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := again.User("bob"); !ok || u != (User{Name: "bob", Admin: true, Email: "bob@example.org"}) {
		t.Errorf("User(bob) = %+v %v after reading again", u, ok)
	}
	if st := again.current(); !st.hashes[0].verify("three") || st.hashes[0].verify("one") {
		t.Error("the new password does not verify, or the old one does")
	}
	if err := a.RemoveUser("bob"); err != nil {
		t.Error(err)
	}
	if err := a.RemoveUser("bob"); !errors.Is(err, ErrNoUser) {
		t.Errorf("RemoveUser again = %v, want ErrNoUser", err)
	}
	if len(again.Users()) != 0 {
		t.Errorf("Users() of another reader = %v, want it to see the removal", again.Users())
	}
}

func TestRemovedUserLosesTokens(t *testing.T) {
	a, _ := emptyAccounts(t)
	doc := `{"qnap_users":[{"name":"a","password":"b"}],"tokens":[{"token":"t","user":"a"}],"access_keys":[{"ak":"k","sk":"s","user":"a"}]}`
	if _, err := a.Apply(strings.NewReader(doc)); err != nil {
		t.Fatal(err)
	}
	if err := a.RemoveUser("a"); err != nil {
		t.Fatal(err)
	}
	_, token := a.Token("t", time.Now())
	_, key := a.AccessKey("k")
	if token || key {
		t.Errorf("after RemoveUser: token known %v, key known %v, want neither", token, key)
	}
}

func TestTokenExpires(t *testing.T) {
	a, _ := emptyAccounts(t)
	if _, err := a.Apply(strings.NewReader(`{"tokens":[{"token":"t","user":"a","expires":"2030-01-01T00:00:00Z"}]}`)); err != nil {
		t.Fatal(err)
	}
	end := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, ok := a.Token("t", end.Add(-time.Second)); !ok {
		t.Error("token is refused before its end")
	}
	if _, ok := a.Token("t", end); ok {
		t.Error("token is taken at its end")
	}
}

func TestDamagedAccountsFile(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"not JSON":                 {"{\n  \"version\": 1,\n  oops\n}", "line 3"},
		"empty":                    {"", "empty"},
		"a later version":          {`{"version":2}`, "version 2"},
		"an unknown member":        {`{"version":1,"user":[]}`, "user"},
		"a password in plain text": {`{"version":1,"users":[{"name":"a","password":"b"}]}`, `user "a"`},
		"a hash that wants 1 TiB":  {`{"version":1,"users":[{"name":"a","password":"$argon2id$v=19$m=1073741824,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`, `user "a"`},
		"a token that is no hash":  {`{"version":1,"tokens":[{"sha256":"abc","user":"u"}]}`, "64 hex digits"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "accounts.json")
			if err := os.WriteFile(path, []byte(row.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadAccounts(path)
			if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("LoadAccounts = %v, want an error that names %q and the file", err, row.want)
			}
		})
	}
}

func TestDamageWhileRunningKeepsTheLastGoodState(t *testing.T) {
	a, path := emptyAccounts(t)
	if err := a.AddUser(User{Name: "bob"}, "pw"); err != nil {
		t.Fatal(err)
	}
	good, _ := os.ReadFile(path)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.User("bob"); !ok || a.Err() == nil {
		t.Errorf("User(bob) known %v, Err() = %v, want bob and the damage", ok, a.Err())
	}
	if err := a.AddUser(User{Name: "eve"}, "pw"); err == nil {
		t.Error("AddUser over a damaged file = nil, want an error: it would lose what can be repaired")
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.User("bob"); !ok || a.Err() != nil {
		t.Errorf("after the repair: User(bob) known %v, Err() = %v", ok, a.Err())
	}
}

func TestTwoProcessesAddUsers(t *testing.T) {
	_, path := emptyAccounts(t)
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			a, err := LoadAccounts(path)
			if err != nil {
				t.Error(err)
				return
			}
			for n := range 4 {
				if err := a.AddUser(User{Name: fmt.Sprintf("u%d-%d", i, n)}, "pw"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	a, err := LoadAccounts(path)
	if err != nil || len(a.Users()) != 8 {
		t.Errorf("%d users, %v, want 8: none lost", len(a.Users()), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".accounts-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=1,t=1,p=255$$")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parsePHC(s); err == nil && (p.memory > maxArgonMemory || p.time > maxArgonTime) {
			t.Errorf("parsePHC(%q) allows %d KiB and %d passes", s, p.memory, p.time)
		}
	})
}
