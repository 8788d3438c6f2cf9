package httpd

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestARunningServerSeesTokensAtOnce changes the accounts file as another process does.
func TestARunningServerSeesTokensAtOnce(t *testing.T) {
	b := newBox(t, "", nil)
	other, err := LoadAccounts(filepath.Join(b.dir, "accounts.json"))
	if err != nil {
		t.Fatal(err)
	}
	secret, id, err := other.AddToken(Token{User: "robot", Roles: []string{"reader"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(secret) || !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("AddToken = %q, %q, want 256 bits and 12 digits", secret, id)
	}
	login := b.do("POST", "/api/v1/login", `{"sid":"`+secret+`"}`)
	if login.status != 200 {
		t.Fatalf("login with the new token = %d %s, want 200", login.status, login.body)
	}
	cookie, _, _ := strings.Cut(login.header.Get("Set-Cookie"), ";")
	if got := b.do("GET", "/api/v1/log", "", "Cookie", cookie); got.status != 200 {
		t.Errorf("list in its session = %d, want 200", got.status)
	}
	if err := other.RemoveToken(id[:8]); err != nil {
		t.Fatal(err)
	}
	wantError(t, "its session after the token was removed", b.do("GET", "/api/v1/log", "", "Cookie", cookie), 401)
	wantError(t, "login with the removed token", b.do("POST", "/api/v1/login", `{"sid":"`+secret+`"}`), 401)
}

func TestAddTokenKeepsWhatItWasGiven(t *testing.T) {
	a, path := emptyAccounts(t)
	end := time.Now().Add(time.Hour)
	want := Token{User: "u", UserID: "i", DomainID: "d", Project: "p", Roles: []string{"writer"}, Scopes: []string{"org:admin"},
		Namespaces: []string{"library", "team/web"}, Expires: end}
	if _, _, err := a.AddToken(want, "a secret of mine"); err == nil {
		t.Error("a secret with spaces is taken")
	}
	if _, _, err := a.AddToken(want, "a-secret-of-mine"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.AddToken(Token{User: "v"}, "a-secret-of-mine"); !errors.Is(err, ErrTokenExists) {
		t.Errorf("the same secret again = %v, want ErrTokenExists", err)
	}
	again, err := LoadAccounts(path)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := again.Token("a-secret-of-mine", time.Now())
	if !ok || got.User != "u" || got.UserID != "i" || got.DomainID != "d" || got.Project != "p" || strings.Join(got.Roles, ",") != "writer" ||
		strings.Join(got.Scopes, ",") != "org:admin" || strings.Join(got.Namespaces, ",") != "library,team/web" {
		t.Errorf("Token = %+v %v, want %+v", got, ok, want)
	}
	if _, ok := again.Token("a-secret-of-mine", end); ok {
		t.Error("the token is taken at its end")
	}
}

func TestTokensAndKeysRefuse(t *testing.T) {
	a, _ := emptyAccounts(t)
	for _, row := range []struct {
		name, want string
		err        error
	}{
		{"an unknown scope", "super:user", second(a.AddToken(Token{User: "u", Scopes: []string{"root"}}, ""))},
		{"an unknown role", "service", second(a.AddToken(Token{User: "u", Roles: []string{"root"}}, ""))},
		{"nobody's token", "1 to 256", second(a.AddToken(Token{}, ""))},
		{"a short secret", "16 to 4096", second(a.AddToken(Token{User: "u"}, "fifteen-letters"))},
		{"a namespace that is half there", "namespace/repository", second(a.AddToken(Token{User: "u", Namespaces: []string{"a/"}}, ""))},
		{"a removal by too little", "at least 8", a.RemoveToken("0123456")},
		{"a removal of what is not there", "token list", a.RemoveToken("0123456789ab")},
		{"a removal of a key that is not there", "key list", a.RemoveKey("AK")},
	} {
		if row.err == nil || !strings.Contains(row.err.Error(), row.want) {
			t.Errorf("%s: %v, want an error with %q", row.name, row.err, row.want)
		}
	}
	if len(a.Tokens()) != 0 {
		t.Errorf("%d tokens were stored, want none", len(a.Tokens()))
	}
}

func second(_, _ string, err error) error { return err }

// TestRemoveTokenNeedsItsIDToBeUnique gives two tokens hashes that begin alike.
func TestRemoveTokenNeedsItsIDToBeUnique(t *testing.T) {
	a, _ := emptyAccounts(t)
	err := a.change(func(f *accountFile) error {
		for _, end := range []string{"0", "1"} {
			f.Tokens = append(f.Tokens, storedToken{SHA256: "0123456789" + strings.Repeat(end, 54), User: "u"})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.RemoveToken("01234567"); err == nil || !strings.Contains(err.Error(), "more digits") || len(a.Tokens()) != 2 {
		t.Errorf("RemoveToken = %v, %d tokens left, want it to ask for more digits", err, len(a.Tokens()))
	}
	if err := a.RemoveToken("01234567890"); err != nil || len(a.Tokens()) != 1 {
		t.Errorf("RemoveToken = %v, %d tokens left, want one", err, len(a.Tokens()))
	}
}
