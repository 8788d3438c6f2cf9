package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"shiplog/httpd"
)

// secret returns the first line of a file that --NAME-file gave, or else of the credential NAME of the service
// manager; "" when there is neither. A secret is never a flag's value, where every process of the box could
// read it.
func (d *daemon) secret(name, file string) (string, error) {
	given := file != ""
	if !given {
		if d.credentials == "" {
			return "", nil
		}
		file = filepath.Join(d.credentials, name)
	}
	fi, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !given:
		return "", nil
	case err == nil && fi.IsDir():
		err = fmt.Errorf("%s is a directory", file)
	case err == nil && fi.Mode().Perm()&0o004 != 0:
		d.log.Warn("every user of this machine may read a secret; make it mode 0600", "file", file)
	}
	var line string
	if err == nil {
		line, err = secretLine(file)
	}
	switch {
	case err != nil && given:
		return "", fmt.Errorf("--%s-file: %w", name, err)
	case err != nil:
		return "", fmt.Errorf("credential %s: %w", name, err)
	}
	return line, nil
}

// secretWait is how long what stands behind a pipe may take.
const secretWait = 5 * time.Second

// secretLine reads the first line of a file, or of a pipe that somebody writes to, as a shell makes one for <(...).
// It waits for nobody who does not come: a reload must end.
func secretLine(file string) (string, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	_ = f.SetReadDeadline(time.Now().Add(secretWait)) // fails for a plain file, which needs none
	return firstLine(f, "password")
}

// firstAccount makes the first account and tells its password, once, unless the administrator gave it. It is
// called when the server has its address: a start that fails must not use up the password.
func (d *daemon) firstAccount() error {
	if len(d.accounts.Users()) > 0 {
		return nil
	}
	password, err := d.secret("admin-password", d.adminPassword)
	if err != nil {
		return err
	}
	given := password != ""
	if !given {
		password = strings.ToLower(rand.Text()[:20])
	}
	switch err := d.accounts.AddUser(httpd.User{Name: "admin", Admin: true}, password); {
	case errors.Is(err, httpd.ErrUserExists): // another server with this directory was faster, and told the password
		return nil
	case err != nil:
		return fmt.Errorf("make the first account: %w", err)
	}
	note := fmt.Sprintf("user admin, password %s (shown this once; change it with: shiplog user passwd --data %s admin)", password, d.stateDir())
	switch {
	case given:
		note = "user admin, with the password that was given"
	case d.brief:
		note = fmt.Sprintf("user admin, password %s (of this run only)", password)
	}
	d.notes = append([]string{note}, d.notes...)
	return nil
}
