package httpd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"shiplog/format"
)

// maxAccountsFile bounds the accounts file, in bytes.
const maxAccountsFile = 16 << 20

// accountFile is DIR/accounts.json.
type accountFile struct {
	Version     int           `json:"version"`
	Users       []storedUser  `json:"users"`
	Tokens      []storedToken `json:"tokens"`
	AccessKeys  []storedKey   `json:"access_keys"`
	KeystoneURI string        `json:"keystone_uri,omitempty"`
}

type storedUser struct {
	Name         string `json:"name"`
	Password     string `json:"password"` // PHC string
	Admin        bool   `json:"admin"`
	SecondFactor bool   `json:"second_factor,omitempty"`
	Email        string `json:"email,omitempty"`
}

type storedToken struct {
	SHA256     string     `json:"sha256"` // of the token, hex
	User       string     `json:"user"`
	UserID     string     `json:"user_id,omitempty"`
	DomainID   string     `json:"domain_id,omitempty"`
	Project    string     `json:"project,omitempty"`
	Roles      []string   `json:"roles,omitempty"`
	Scopes     []string   `json:"scopes,omitempty"`
	Namespaces []string   `json:"namespaces,omitempty"`
	Expires    *time.Time `json:"expires,omitempty"`
}

type storedKey struct {
	AK      string `json:"ak"`
	SK      string `json:"sk"`
	User    string `json:"user"`
	Project string `json:"project,omitempty"`
}

func (u storedUser) public() User {
	return User{Name: u.Name, Email: u.Email, Admin: u.Admin, SecondFactor: u.SecondFactor}
}

func (t storedToken) public() Token {
	p := Token{User: t.User, UserID: t.UserID, DomainID: t.DomainID, Project: t.Project, Roles: t.Roles, Scopes: t.Scopes,
		Namespaces: t.Namespaces}
	if t.Expires != nil {
		p.Expires = *t.Expires
	}
	return p
}

func (f *accountFile) clone() accountFile {
	c := *f
	c.Users, c.Tokens, c.AccessKeys = slices.Clone(f.Users), slices.Clone(f.Tokens), slices.Clone(f.AccessKeys)
	return c
}

// readAccounts reads and checks the file.
func readAccounts(path string) (*accountState, fileStamp, error) {
	stamp, err := stampOf(path)
	if err != nil {
		return nil, stamp, err
	}
	b, err := readBounded(path, maxAccountsFile)
	if errors.Is(err, fs.ErrNotExist) {
		st, err := (&accountFile{Version: 1}).check(path)
		return st, fileStamp{}, err
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, stamp, fmt.Errorf("read accounts: %w; let this user read it, or leave it out of a copy", err)
	}
	if err != nil {
		return nil, stamp, fmt.Errorf("read accounts: %w", err)
	}
	var f accountFile
	if err := decodeStrict(b, &f); err != nil {
		return nil, stamp, fmt.Errorf("read accounts %s: %w; repair it or put a backup in its place", path, err)
	}
	if f.Version != 1 {
		return nil, stamp, fmt.Errorf("read accounts %s: version %d is not known to this program (it knows 1)", path, f.Version)
	}
	st, err := f.check(path)
	return st, stamp, err
}

// readBounded reads a file of at most so many bytes. What is no file is not waited for, as a pipe would be.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := format.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return b, err
}

// decodeStrict decodes exactly one JSON value and refuses members it does not know. Errors name the line.
func decodeStrict(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("the file is empty")
		}
		at := dec.InputOffset()
		if errors.Is(err, io.ErrUnexpectedEOF) {
			at = int64(len(b))
		}
		if syn, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = syn.Offset
		} else if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			at = typ.Offset
		}
		return fmt.Errorf("line %d: %w", 1+bytes.Count(b[:min(max(at, 0), int64(len(b)))], []byte("\n")), err)
	}
	if rest := bytes.TrimSpace(b[dec.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("line %d: text after the end of the JSON object", 1+bytes.Count(b[:dec.InputOffset()], []byte("\n")))
	}
	return nil
}

// check builds the lookup tables and refuses what could not be served.
func (f *accountFile) check(path string) (*accountState, error) {
	st := &accountState{file: *f, users: map[string]int{}, tokens: map[[sha256.Size]byte]int{}, keys: map[string]int{}}
	bad := func(format string, args ...any) (*accountState, error) {
		return nil, fmt.Errorf("accounts %s: %w", path, fmt.Errorf(format, args...))
	}
	for i, u := range f.Users {
		if err := checkName(u.Name); err != nil {
			return bad("user %d: %w", i+1, err)
		}
		if _, twice := st.users[u.Name]; twice {
			return bad("user %q is there twice", u.Name)
		}
		hash, err := parsePHC(u.Password)
		if err != nil {
			return bad("user %q: %w", u.Name, err)
		}
		st.users[u.Name], st.hashes = i, append(st.hashes, hash)
	}
	for i, t := range f.Tokens {
		sum, err := hex.DecodeString(t.SHA256)
		if err != nil || len(sum) != sha256.Size {
			return bad("token %d of user %q: sha256 is not 64 hex digits", i+1, t.User)
		}
		if _, twice := st.tokens[[sha256.Size]byte(sum)]; twice {
			return bad("token %d of user %q is there twice", i+1, t.User)
		}
		if err := checkNamespaces(t.Namespaces); err != nil {
			return bad("token %d of user %q: %w", i+1, t.User, err)
		}
		st.tokens[[sha256.Size]byte(sum)] = i
	}
	for i, k := range f.AccessKeys {
		if _, twice := st.keys[k.AK]; twice || k.AK == "" || k.SK == "" {
			return bad("access key %d (%q): ak and sk must be there and ak only once", i+1, k.AK)
		}
		st.keys[k.AK] = i
	}
	return st, nil
}

// checkName refuses names that could not be told apart in an answer or a log line.
func checkName(name string) error {
	if name == "" || len(name) > 256 {
		return errors.New("a name has 1 to 256 bytes")
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == '�' {
			return fmt.Errorf("name %q holds a control or damaged character", name)
		}
	}
	return nil
}

// checkNamespaces refuses what names no namespace and no repository in one.
func checkNamespaces(names []string) error {
	for _, name := range names {
		ns, repo, isRepo := strings.Cut(name, "/")
		if ns == "" || isRepo && repo == "" || strings.HasSuffix(repo, "/") {
			return fmt.Errorf("namespace %q must be a namespace, or namespace/repository", name)
		}
	}
	return nil
}

// writeAccounts replaces the file at once: a crash leaves the old one or the new one.
func writeAccounts(path string, f *accountFile) error {
	f.Version = 1
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".accounts-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	defer os.Remove(tmp.Name()) // fails after the rename, as it should
	defer tmp.Close()
	if _, err := tmp.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	keepOwner(dir, tmp)
	if err := tmp.Sync(); err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	return nil
}

// keepOwner gives a file that root writes into a service's directory to that directory's owner, so that
// `sudo shiplog user add` does not lock the service out. A failure shows when the service cannot read it.
func keepOwner(dir string, f *os.File) {
	if os.Geteuid() != 0 {
		return
	}
	if fi, err := os.Stat(dir); err == nil {
		if st, ok := fi.Sys().(*syscall.Stat_t); ok {
			_ = f.Chown(int(st.Uid), int(st.Gid))
		}
	}
}

func inode(fi fs.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// lockAccounts keeps other processes from changing the file next to path until unlock is called. The lock is
// on the directory itself, so that no file is left behind.
func lockAccounts(path string) (unlock func(), err error) {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("lock accounts: %w", err)
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		d.Close()
		return nil, fmt.Errorf("lock accounts: %w", err)
	}
	return func() { d.Close() }, nil
}
