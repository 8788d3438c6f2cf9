package httpd

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// User is one account.
type User struct {
	Name         string
	Email        string
	Admin        bool
	SecondFactor bool // logins by password are refused: this server cannot ask for a second factor
}

// Token is one pre-issued token, without its secret.
type Token struct {
	User       string    // name of the account it belongs to
	UserID     string    // id of the user in the OpenStack dialects
	DomainID   string    // domain of the user there
	Project    string    // project the token is scoped to
	Roles      []string  // admin, writer, reader
	Scopes     []string  // scopes of the registry dialect, as super:user
	Namespaces []string  // namespaces (ns) and repositories (ns/repo) it administers there, besides its user's own
	Expires    time.Time // zero: never
}

// AccessKey is one access key of the signing dialect. The secret cannot be hashed: signatures are made with it.
type AccessKey struct {
	AK, SK        string
	User, Project string
}

// Sentinels of the accounts.
var (
	ErrNoUser     = errors.New("no such user")
	ErrUserExists = errors.New("user exists already")
)

// Accounts is the identities all dialects share: users, tokens and access keys, kept in one file. A change of
// the file on disk is seen at the next request. Safe for concurrent use, also by several processes.
type Accounts struct {
	path   string
	hasher *hasher
	nobody phc

	mu    sync.Mutex
	state *accountState // guarded by mu; replaced as a whole, never changed
	stamp fileStamp     // guarded by mu; of the file state was read from
	bad   error         // guarded by mu; the file as it is now cannot be read, state is the last good one
}

// accountState is one reading of the file.
type accountState struct {
	file   accountFile
	users  map[string]int // name -> index in file.Users
	tokens map[[sha256.Size]byte]int
	keys   map[string]int // access key -> index in file.AccessKeys
	hashes []phc          // by index in file.Users
}

// LoadAccounts reads the accounts file at path. A file that does not exist is an empty one; a damaged one is
// an error that says where.
func LoadAccounts(path string) (*Accounts, error) {
	a := &Accounts{path: path, hasher: newHasher(), nobody: nobody()}
	st, stamp, err := readAccounts(path)
	if err != nil {
		return nil, err
	}
	a.state, a.stamp = st, stamp
	return a, nil
}

// current returns the accounts as the file has them now. When the file was damaged meanwhile it goes on with
// the last good state; Err tells.
func (a *Accounts) current() *accountState {
	stamp, err := stampOf(a.path)
	a.mu.Lock()
	st, same := a.state, err == nil && stamp == a.stamp
	a.mu.Unlock()
	if same {
		return st
	}
	var read *accountState
	if err == nil {
		read, stamp, err = readAccounts(a.path)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bad = err; err == nil {
		a.state = read
	}
	a.stamp = stamp // a damaged file is not parsed again until it changes
	return a.state
}

// Err says why the accounts file as it is on disk now cannot be used; nil when it can.
func (a *Accounts) Err() error {
	a.current()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bad
}

// Users lists the accounts by name.
func (a *Accounts) Users() []User {
	st := a.current()
	users := make([]User, 0, len(st.file.Users))
	for _, u := range st.file.Users {
		users = append(users, u.public())
	}
	slices.SortFunc(users, func(x, y User) int { return strings.Compare(x.Name, y.Name) })
	return users
}

// User returns the account called name.
func (a *Accounts) User(name string) (User, bool) {
	st := a.current()
	i, ok := st.users[name]
	if !ok {
		return User{}, false
	}
	return st.file.Users[i].public(), true
}

// Token returns what the secret stands for; false when it is unknown or expired at now.
func (a *Accounts) Token(secret string, now time.Time) (Token, bool) {
	return a.tokenBySum(sha256.Sum256([]byte(secret)), now)
}

func (a *Accounts) tokenBySum(sum [sha256.Size]byte, now time.Time) (Token, bool) {
	st := a.current()
	i, ok := st.tokens[sum]
	if !ok {
		return Token{}, false
	}
	t := &st.file.Tokens[i]
	want, err := hex.DecodeString(t.SHA256)
	if err != nil || subtle.ConstantTimeCompare(want, sum[:]) != 1 {
		return Token{}, false
	}
	if t.Expires != nil && !now.Before(*t.Expires) {
		return Token{}, false
	}
	return t.public(), true
}

// namesNamespace tells whether a namespace, or when repo is not "" a repository in it, is in the accounts: each
// user has the namespace of that name, and tokens list others.
func (a *Accounts) namesNamespace(ns, repo string) bool {
	st := a.current()
	if _, ok := st.users[ns]; ok && repo == "" {
		return true
	}
	full := ns
	if repo != "" {
		full += "/" + repo
	}
	return slices.ContainsFunc(st.file.Tokens, func(t storedToken) bool {
		return repo == "" && t.User == ns || slices.ContainsFunc(t.Namespaces, func(n string) bool {
			return n == full || repo == "" && strings.HasPrefix(n, ns+"/")
		})
	})
}

// AccessKey returns the key named ak.
func (a *Accounts) AccessKey(ak string) (AccessKey, bool) {
	st := a.current()
	i, ok := st.keys[ak]
	if !ok {
		return AccessKey{}, false
	}
	return AccessKey(st.file.AccessKeys[i]), true
}

// KeystoneURI is the identity service named in refusals of the OpenStack dialects; may be empty.
func (a *Accounts) KeystoneURI() string { return a.current().file.KeystoneURI }

// AddUser makes an account. ErrUserExists when the name is taken.
func (a *Accounts) AddUser(u User, password string) error {
	hash, err := a.hasher.hash(password)
	if err != nil {
		return fmt.Errorf("add user %s: %w", u.Name, err)
	}
	return a.change(func(f *accountFile) error {
		if slices.ContainsFunc(f.Users, func(s storedUser) bool { return s.Name == u.Name }) {
			return fmt.Errorf("add user %s: %w", u.Name, ErrUserExists)
		}
		f.Users = append(f.Users, storedUser{Name: u.Name, Password: hash, Admin: u.Admin, SecondFactor: u.SecondFactor, Email: u.Email})
		return nil
	})
}

// SetPassword gives the user a new password. It ends the sessions that were opened with the old one.
func (a *Accounts) SetPassword(name, password string) error {
	hash, err := a.hasher.hash(password)
	if err != nil {
		return fmt.Errorf("set password of %s: %w", name, err)
	}
	return a.change(func(f *accountFile) error {
		i := slices.IndexFunc(f.Users, func(s storedUser) bool { return s.Name == name })
		if i < 0 {
			return fmt.Errorf("set password of %s: %w", name, ErrNoUser)
		}
		f.Users[i].Password = hash
		return nil
	})
}

// RemoveUser removes the account with its tokens and access keys, and ends its sessions.
func (a *Accounts) RemoveUser(name string) error {
	return a.change(func(f *accountFile) error {
		n := len(f.Users)
		f.Users = slices.DeleteFunc(f.Users, func(s storedUser) bool { return s.Name == name })
		if len(f.Users) == n {
			return fmt.Errorf("remove user %s: %w", name, ErrNoUser)
		}
		f.Tokens = slices.DeleteFunc(f.Tokens, func(t storedToken) bool { return t.User == name })
		f.AccessKeys = slices.DeleteFunc(f.AccessKeys, func(k storedKey) bool { return k.User == name })
		return nil
	})
}

// change reads the file again, lets edit change it and writes it, with other processes kept out.
func (a *Accounts) change(edit func(*accountFile) error) error {
	unlock, err := lockAccounts(a.path)
	if err != nil {
		return err
	}
	defer unlock()
	st, _, err := readAccounts(a.path)
	if err != nil {
		return err
	}
	f := st.file.clone()
	if err := edit(&f); err != nil {
		return err
	}
	if _, err := f.check(a.path); err != nil {
		return err
	}
	if err := writeAccounts(a.path, &f); err != nil {
		return err
	}
	if st, stamp, err := readAccounts(a.path); err == nil {
		a.mu.Lock()
		a.state, a.stamp, a.bad = st, stamp, nil
		a.mu.Unlock()
	}
	return nil
}

// fileStamp tells one version of a file from another; the zero stamp is a file that does not exist.
type fileStamp struct {
	size  int64
	mtime int64
	ino   uint64
}

func stampOf(path string) (fileStamp, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fileStamp{}, nil
	}
	if err != nil {
		return fileStamp{}, fmt.Errorf("read accounts: %w", err)
	}
	return fileStamp{size: fi.Size(), mtime: fi.ModTime().UnixNano(), ino: inode(fi)}, nil
}
