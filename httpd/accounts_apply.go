package httpd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"
)

// applyFile is what Apply takes: secrets in plain text, as an administrator writes them.
type applyFile struct {
	Users []struct {
		Name         string  `json:"name"`
		Password     string  `json:"password"`
		Admin        bool    `json:"admin"`
		SecondFactor bool    `json:"second_factor"`
		Email        *string `json:"email"`
	} `json:"qnap_users"`
	Tokens []struct {
		Token      string     `json:"token"`
		User       string     `json:"user"`
		UserID     string     `json:"user_id"`
		DomainID   string     `json:"domain_id"`
		Project    string     `json:"project"`
		Roles      []string   `json:"roles"`
		Scopes     []string   `json:"scopes"`
		Namespaces []string   `json:"namespaces"` // ns or ns/repo
		Expires    *time.Time `json:"expires"`
	} `json:"tokens"`
	AccessKeys  []storedKey `json:"access_keys"`
	KeystoneURI *string     `json:"keystone_uri"`
}

// Applied counts what an applied file held.
type Applied struct {
	Users, Tokens, AccessKeys int
	Changed                   bool // false: everything was there already and nothing was written
}

// Apply adds or replaces the users, tokens and access keys of the JSON document in r; what it does not name
// stays as it is. Passwords and tokens are stored hashed. A member it does not know is an error that names it.
func (a *Accounts) Apply(r io.Reader) (Applied, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxAccountsFile+1))
	if err != nil {
		return Applied{}, fmt.Errorf("read accounts: %w", err)
	}
	if len(b) > maxAccountsFile {
		return Applied{}, fmt.Errorf("accounts: more than %d bytes", maxAccountsFile)
	}
	var in applyFile
	if err := decodeStrict(b, &in); err != nil {
		return Applied{}, fmt.Errorf("accounts: %w", err)
	}
	if err := in.check(); err != nil {
		return Applied{}, fmt.Errorf("accounts: %w", err)
	}
	done := Applied{Users: len(in.Users), Tokens: len(in.Tokens), AccessKeys: len(in.AccessKeys)}
	err = a.change(func(f *accountFile) error {
		before := f.clone()
		if err := in.users(f, a.hasher); err != nil {
			return err
		}
		in.tokens(f)
		for _, k := range in.AccessKeys {
			f.AccessKeys = put(f.AccessKeys, k, func(o storedKey) bool { return o.AK == k.AK })
		}
		if in.KeystoneURI != nil {
			f.KeystoneURI = *in.KeystoneURI
		}
		done.Changed = !reflect.DeepEqual(before, *f)
		if !done.Changed {
			return errUnchanged
		}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	return done, err
}

// errUnchanged ends a change without a write.
var errUnchanged = errors.New("nothing to change")

// check refuses entries without a key and keys that are there twice.
func (in *applyFile) check() error {
	seen := map[string]bool{}
	once := func(kind, key string) error {
		if key == "" {
			return fmt.Errorf("a %s is empty", kind)
		}
		if seen[kind+"\x00"+key] {
			return fmt.Errorf("a %s is there twice", kind)
		}
		seen[kind+"\x00"+key] = true
		return nil
	}
	for _, u := range in.Users {
		if err := errors.Join(checkName(u.Name), once("qnap_users name", u.Name)); err != nil {
			return err
		}
		if u.Password == "" {
			return fmt.Errorf("user %q has no password", u.Name)
		}
	}
	for _, t := range in.Tokens {
		if err := errors.Join(once("tokens token", t.Token), checkName(t.User), checkNamespaces(t.Namespaces)); err != nil {
			return err
		}
	}
	for _, k := range in.AccessKeys {
		if err := once("access_keys ak", k.AK); err != nil {
			return err
		}
		if k.SK == "" {
			return fmt.Errorf("access key %q has no sk", k.AK)
		}
	}
	return nil
}

// users puts the users into f. A password that is right already keeps its hash, so that applying the same
// file again changes nothing and ends no session.
func (in *applyFile) users(f *accountFile, h *hasher) error {
	for _, u := range in.Users {
		s := storedUser{Name: u.Name, Admin: u.Admin, SecondFactor: u.SecondFactor}
		if u.Email != nil {
			s.Email = *u.Email
		}
		same := func(o storedUser) bool { return o.Name == u.Name }
		if i := slices.IndexFunc(f.Users, same); i >= 0 {
			if old, err := parsePHC(f.Users[i].Password); err == nil && old.verify(u.Password) {
				s.Password = f.Users[i].Password
			}
		}
		if s.Password == "" {
			var err error
			if s.Password, err = h.hash(u.Password); err != nil {
				return fmt.Errorf("user %q: %w", u.Name, err)
			}
		}
		f.Users = put(f.Users, s, same)
	}
	return nil
}

func (in *applyFile) tokens(f *accountFile) {
	for _, t := range in.Tokens {
		sum := sha256.Sum256([]byte(t.Token))
		s := storedToken{SHA256: hex.EncodeToString(sum[:]), User: t.User, UserID: t.UserID, DomainID: t.DomainID,
			Project: t.Project, Roles: nilIfEmpty(t.Roles), Scopes: nilIfEmpty(t.Scopes), Namespaces: nilIfEmpty(t.Namespaces),
			Expires: t.Expires}
		f.Tokens = put(f.Tokens, s, func(o storedToken) bool { return o.SHA256 == s.SHA256 })
	}
}

// nilIfEmpty makes a list read from the administrator's file equal to the same list read back from ours.
func nilIfEmpty(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

// put replaces the element for which same is true, or appends.
func put[T any](list []T, v T, same func(T) bool) []T {
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = v
		return list
	}
	return append(list, v)
}
