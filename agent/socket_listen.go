package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// socketListener is a listener whose file goes with it.
type socketListener struct {
	*net.UnixListener
	path string
	once sync.Once
}

// listenSocket makes the socket under another name, so that nobody can open it before its mode is right,
// and puts it in place. The data directory's lock keeps two servers from doing so at once.
func listenSocket(path string) (*socketListener, error) {
	if err := freeSocket(path); err != nil {
		return nil, err
	}
	dir, done, err := shortDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	defer done()
	tmp := fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid())
	_ = os.Remove(filepath.Join(dir, tmp))
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, tmp), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	ln.SetUnlinkOnClose(false)
	tmp = filepath.Join(filepath.Dir(path), tmp)
	if err = shareSocket(tmp); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		ln.Close()
		os.Remove(tmp)
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &socketListener{UnixListener: ln, path: path}, nil
}

// shareSocket gives the socket to the group of its directory. Who may not do that, as a user outside of that
// group, keeps it in a group of his own.
func shareSocket(path string) error {
	var dir unix.Stat_t
	if err := unix.Stat(filepath.Dir(path), &dir); err != nil {
		return err
	}
	if err := os.Lchown(path, -1, int(dir.Gid)); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return os.Chmod(path, 0o660)
}

func (l *socketListener) close() {
	l.once.Do(func() {
		os.Remove(l.path)
		l.Close()
	})
}

// freeSocket fails when path is served by a living process or is no socket.
func freeSocket(path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s is no socket; move it away", path)
	}
	conn, err := dialSocket(context.Background(), path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("%s is served by another process; stop it or choose another --data", path)
	}
	return nil
}

// shortDir returns a name for dir that leaves room in a socket's address, which the kernel limits to 107
// bytes. done releases it.
func shortDir(dir string) (short string, done func(), err error) {
	if len(dir) < 64 {
		return dir, func() {}, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())), func() { f.Close() }, nil
}
