package httpd

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of secrets that somebody brings along, and of the ids that name a token.
const (
	minSecret  = 16   // bytes
	maxSecret  = 4096 // bytes: it has to fit into a header
	tokenIDLen = 12   // hex digits of a token's hash that a list shows
	minTokenID = 8    // hex digits that name a token
)

// Sentinels of tokens and access keys.
var (
	ErrNoToken     = errors.New("no such token; token list shows the ids")
	ErrTokenExists = errors.New("this secret is a token already; take another one, or remove that token first")
	ErrNoKey       = errors.New("no such access key; key list shows them")
	ErrKeyExists   = errors.New("access key exists already; remove it first, or choose another")
)

// TokenScopes are the scopes of the registry dialect.
func TokenScopes() []string { return []string{"user:admin", "org:admin", "repo:admin", "super:user"} }

// TokenRoles are the roles of the OpenStack dialects.
func TokenRoles() []string { return []string{roleAdmin, roleWriter, roleReader, roleService} }

// ListedToken is a token as a list shows it: never with its secret.
type ListedToken struct {
	ID string // the first digits of the secret's SHA-256
	Token
}

// AddToken makes a token and returns its secret, which is kept nowhere, and the id it is listed under. An
// empty secret makes one of 256 random bits. The user needs no account: programs that only show tokens have
// no password either.
func (a *Accounts) AddToken(t Token, secret string) (made, id string, err error) {
	if secret, err = secretOr(secret); err != nil {
		return "", "", fmt.Errorf("add token: %w", err)
	}
	if err := t.check(); err != nil {
		return "", "", fmt.Errorf("add token: %w", err)
	}
	sum := sha256.Sum256([]byte(secret))
	s := storedToken{SHA256: hex.EncodeToString(sum[:]), User: t.User, UserID: t.UserID, DomainID: t.DomainID, Project: t.Project,
		Roles: nilIfEmpty(t.Roles), Scopes: nilIfEmpty(t.Scopes), Namespaces: nilIfEmpty(t.Namespaces)}
	if !t.Expires.IsZero() {
		end := t.Expires.UTC().Truncate(time.Second)
		s.Expires = &end
	}
	err = a.change(func(f *accountFile) error {
		if slices.ContainsFunc(f.Tokens, func(o storedToken) bool { return o.SHA256 == s.SHA256 }) {
			return fmt.Errorf("add token: %w", ErrTokenExists)
		}
		f.Tokens = append(f.Tokens, s)
		return nil
	})
	if err != nil {
		return "", "", err
	}
	return secret, s.SHA256[:tokenIDLen], nil
}

// Tokens lists the tokens by user, those of one user in the order in which they were made.
func (a *Accounts) Tokens() []ListedToken {
	st := a.current()
	list := make([]ListedToken, 0, len(st.file.Tokens))
	for _, t := range st.file.Tokens {
		list = append(list, ListedToken{strings.ToLower(t.SHA256[:tokenIDLen]), t.public()})
	}
	slices.SortStableFunc(list, func(x, y ListedToken) int { return strings.Compare(x.User, y.User) })
	return list
}

// RemoveToken removes the token whose hash begins with id, of which at least 8 digits must be given. It ends
// the sessions that were opened with the token. ErrNoToken when there is none.
func (a *Accounts) RemoveToken(id string) error {
	id = strings.ToLower(id)
	if len(id) < minTokenID || strings.Trim(id, "0123456789abcdef") != "" {
		return fmt.Errorf("remove token %s: an id is at least %d of the hex digits that token list shows", id, minTokenID)
	}
	return a.change(func(f *accountFile) error {
		n := len(f.Tokens)
		f.Tokens = slices.DeleteFunc(f.Tokens, func(t storedToken) bool { return strings.HasPrefix(strings.ToLower(t.SHA256), id) })
		switch n - len(f.Tokens) {
		case 0:
			return fmt.Errorf("remove token %s: %w", id, ErrNoToken)
		case 1:
			return nil
		}
		return fmt.Errorf("remove token %s: more than one token begins so; give more digits", id)
	})
}

// AddKey stores an access key. An empty AK makes one, an empty SK one of 256 random bits. The answer holds both.
func (a *Accounts) AddKey(k AccessKey) (AccessKey, error) {
	var err error
	if k.SK, err = secretOr(k.SK); err != nil {
		return AccessKey{}, fmt.Errorf("add access key: %w", err)
	}
	if k.AK == "" {
		k.AK = rand.Text()[:20] // 100 bits, as long as the vendor's own
	}
	if err := errors.Join(checkAK(k.AK), checkName(k.User), checkOptional("project", k.Project)); err != nil {
		return AccessKey{}, fmt.Errorf("add access key: %w", err)
	}
	return k, a.change(func(f *accountFile) error {
		if slices.ContainsFunc(f.AccessKeys, func(o storedKey) bool { return o.AK == k.AK }) {
			return fmt.Errorf("add access key %s: %w", k.AK, ErrKeyExists)
		}
		f.AccessKeys = append(f.AccessKeys, storedKey(k))
		return nil
	})
}

// Keys lists the access keys by user, without their secrets.
func (a *Accounts) Keys() []AccessKey {
	st := a.current()
	list := make([]AccessKey, 0, len(st.file.AccessKeys))
	for _, k := range st.file.AccessKeys {
		list = append(list, AccessKey{AK: k.AK, User: k.User, Project: k.Project})
	}
	slices.SortStableFunc(list, func(x, y AccessKey) int { return strings.Compare(x.User, y.User) })
	return list
}

// RemoveKey removes an access key. ErrNoKey when there is none.
func (a *Accounts) RemoveKey(ak string) error {
	return a.change(func(f *accountFile) error {
		n := len(f.AccessKeys)
		f.AccessKeys = slices.DeleteFunc(f.AccessKeys, func(k storedKey) bool { return k.AK == ak })
		if len(f.AccessKeys) == n {
			return fmt.Errorf("remove access key %s: %w", ak, ErrNoKey)
		}
		return nil
	})
}

// secretOr returns a new secret in place of an empty one, and refuses one that is easy to guess or that no
// header can carry.
func secretOr(own string) (string, error) {
	if own == "" {
		var b [32]byte
		rand.Read(b[:]) // never fails
		return base64.RawURLEncoding.EncodeToString(b[:]), nil
	}
	if len(own) < minSecret || len(own) > maxSecret {
		return "", fmt.Errorf("a secret has %d to %d characters; leave it out to have one made", minSecret, maxSecret)
	}
	for i := range len(own) {
		if own[i] <= ' ' || own[i] > '~' {
			return "", errors.New("a secret is made of ASCII letters, digits and signs without spaces, so that a header can carry it")
		}
	}
	return own, nil
}

// check refuses a token that no dialect could make sense of.
func (t Token) check() error {
	if err := checkName(t.User); err != nil {
		return err
	}
	for _, s := range t.Scopes {
		if !slices.Contains(TokenScopes(), s) {
			return fmt.Errorf("scope %q unknown (%s)", s, strings.Join(TokenScopes(), ", "))
		}
	}
	for _, r := range t.Roles {
		if !slices.Contains(TokenRoles(), r) {
			return fmt.Errorf("role %q unknown (%s)", r, strings.Join(TokenRoles(), ", "))
		}
	}
	return errors.Join(checkNamespaces(t.Namespaces), checkOptional("user id", t.UserID), checkOptional("domain id", t.DomainID),
		checkOptional("project", t.Project))
}

func checkOptional(what, name string) error {
	if name == "" {
		return nil
	}
	if err := checkName(name); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// checkAK refuses an access key that the header of a signed request could not name.
func checkAK(ak string) error {
	for i := range len(ak) {
		c := ak[i]
		if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '-' || c == '_') || i >= 128 {
			return fmt.Errorf("access key %q: 1 to 128 letters, digits, - and _", ak)
		}
	}
	return nil
}
