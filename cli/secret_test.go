package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// secretFile writes a file below dir.
func secretFile(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFirstAccountOfTwoServers starts two servers at once over one directory that has no account yet: none fails, and
// one tells the password.
func TestFirstAccountOfTwoServers(t *testing.T) {
	dir := t.TempDir()
	var both [2]*daemon
	for i := range both {
		accounts, err := openAccounts(dir)
		if err != nil {
			t.Fatal(err)
		}
		both[i] = &daemon{state: dir, accounts: accounts}
	}
	var all sync.WaitGroup
	for _, d := range both {
		all.Go(func() { // to hash a password takes so long that both have looked before one has made the account
			if err := d.firstAccount(); err != nil {
				t.Errorf("firstAccount() = %v, want nil", err)
			}
		})
	}
	all.Wait()
	if n := len(both[0].notes) + len(both[1].notes); n != 1 {
		t.Errorf("%d passwords were told, want 1: %q %q", n, both[0].notes, both[1].notes)
	}
}

func TestSecrets(t *testing.T) {
	dir, credentials := t.TempDir(), t.TempDir()
	file := secretFile(t, dir, "file", "of the file\nno more\n", 0o600)
	open := secretFile(t, dir, "open", "seen by all\n", 0o644)
	group := secretFile(t, dir, "group", "seen by some\n", 0o640)
	empty := secretFile(t, dir, "empty", "\n", 0o600)
	secretFile(t, credentials, "smtp-password", "of the manager\n", 0o400)
	tests := []struct {
		name              string
		file, credentials string
		want, err, log    string
	}{
		{"a file", file, "", "of the file", "", ""},
		{"a file wins over a credential", file, credentials, "of the file", "", ""},
		{"a credential", "", credentials, "of the manager", "", ""},
		{"neither", "", "", "", "", ""},
		{"a manager with other credentials", "", dir, "", "", ""},
		{"a file that all may read", open, "", "seen by all", "", "mode 0600"},
		{"a file that a group may read", group, "", "seen by some", "", ""},
		{"an empty file", empty, "", "", "--smtp-password-file: the password is empty", ""},
		{"a file that is not there", filepath.Join(dir, "none"), credentials, "", "--smtp-password-file: ", ""},
		{"a directory", dir, "", "", "is a directory", ""},
	}
	for _, tt := range tests {
		var log bytes.Buffer
		d := &daemon{credentials: tt.credentials, log: slog.New(slog.NewTextHandler(&log, nil))}
		got, err := d.secret("smtp-password", tt.file)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: secret() = %q, %v, want %q %s", tt.name, got, err, tt.want, tt.err)
		}
		if (tt.log == "") != (log.Len() == 0) || !strings.Contains(log.String(), tt.log) {
			t.Errorf("%s: logged %q, want %q", tt.name, log.String(), tt.log)
		}
	}
}

func TestSecretOfAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	d := &daemon{log: slog.New(slog.DiscardHandler)}
	read := make(chan error, 1)
	go func() {
		_, err := d.secret("smtp-password", pipe)
		read <- err
	}()
	select {
	case err := <-read:
		if err == nil || !strings.Contains(err.Error(), "the password is empty") {
			t.Errorf("secret() of a pipe that nobody writes to = %v, want that it is empty", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("secret() waits for ever for a pipe that nobody writes to")
	}
	w, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.WriteString("from a pipe\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := d.secret("smtp-password", pipe); got != "from a pipe" || err != nil {
		t.Errorf("secret() of a pipe = %q, %v, want its line", got, err)
	}
	if _, err := d.secret("smtp-password", pipe); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("secret() of a pipe that says nothing = %v, want that its time is over", err)
	}
}

func TestCredentialReachesTheMailServer(t *testing.T) {
	credentials := t.TempDir()
	secretFile(t, credentials, "smtp-password", "hush\n", 0o400)
	d := &daemon{credentials: credentials}
	d.exports.smtp.Addr, d.exports.smtp.From, d.exports.smtp.Username = "mail.example.com:587", "box@example.com", "box"
	if set, err := d.settings(); err != nil || set.SMTP.Password != "hush" {
		t.Errorf("settings() = %+v, %v, want the password of the credential", set.SMTP, err)
	}
	d.exports.smtp.Username = ""
	if set, err := d.settings(); err != nil || set.SMTP.Password != "" {
		t.Errorf("settings() without a user = %+v, %v, want no password", set.SMTP, err)
	}
}

func TestFirstPasswordThatIsGiven(t *testing.T) {
	given := secretFile(t, t.TempDir(), "admin", "chosen by hand\n", 0o600)
	for name, args := range map[string][]string{
		"of a file":       {"--admin-password-file", given},
		"of a credential": nil,
	} {
		credentials := t.TempDir()
		env := ""
		if args == nil {
			secretFile(t, credentials, "admin-password", "chosen by hand\n", 0o400)
			env = credentials
		}
		dir := t.TempDir()
		var lines []string
		if args != nil {
			lines = []string{"admin-password-file: " + given}
		}
		t.Setenv("CREDENTIALS_DIRECTORY", env)
		r := startReloaded(t, dir, "run", lines...)
		if resp := r.login("admin", "chosen by hand"); resp.StatusCode != 200 {
			t.Errorf("%s: login = %d, want 200", name, resp.StatusCode)
		}
		r.wait("line about the account", func() bool { return strings.Contains(r.printed(), "user admin") })
		if out := r.printed(); strings.Contains(out, "chosen") || !strings.Contains(out, "user admin, with the password that was given") {
			t.Errorf("%s: run printed %q, want no password", name, out)
		}
	}
}
