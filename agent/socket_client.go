package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoAgent says that no agent serves a socket; the caller may write to the data directory itself.
var ErrNoAgent = errors.New("no agent is running")

// sendLimit bounds SendRecord when its context has no deadline.
const sendLimit = time.Minute

// maxReply bounds an answer.
const maxReply = 64 << 10

// SendRecord gives one record, as JSON text, to the agent that serves path and returns the number it got.
// It returns after the record is on the disk. ErrNoAgent when nobody serves path; format.ErrFull and the other
// errors of the writer as there.
func SendRecord(ctx context.Context, path string, line []byte) (uint64, error) {
	line = bytes.TrimSpace(line)
	if bytes.IndexByte(line, '\n') >= 0 {
		var one bytes.Buffer
		if err := json.Compact(&one, line); err != nil {
			return 0, fmt.Errorf("record is no JSON: %w", err)
		}
		line = one.Bytes()
	}
	if _, ok := ctx.Deadline(); !ok {
		limited, cancel := context.WithTimeout(ctx, sendLimit)
		defer cancel()
		ctx = limited
	}
	reply, err := talk(ctx, path, append(bytes.Clone(line), '\n'), maxReply)
	if err != nil {
		return 0, fmt.Errorf("send record: %w", err)
	}
	var answer struct {
		Seq   uint64 `json:"seq"`
		Error string `json:"error"`
		Code  string `json:"code"`
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return 0, fmt.Errorf("send record to %s: answer not understood: %w", path, err)
	}
	if err := answeredError(answer.Error, answer.Code); err != nil {
		return 0, err
	}
	return answer.Seq, nil
}

// dialSocket connects to path. ErrNoAgent when nobody listens there.
func dialSocket(ctx context.Context, path string) (*net.UnixConn, error) {
	dir, done, err := shortDir(filepath.Dir(path))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNoAgent, err)
	}
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(dir, filepath.Base(path)))
	if reason, ok := errors.AsType[syscall.Errno](err); ok {
		err = reason // the text around it names path again, or its short form
	}
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w: connect to %s: %w", ErrNoAgent, path, err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("connect to %s: %w; run as a user of the group that owns it", path, err)
	case err != nil:
		return nil, fmt.Errorf("connect to %s: %w", path, err)
	}
	return conn.(*net.UnixConn), nil
}

// peerUID is the user at the other end, or -1.
func peerUID(conn *net.UnixConn) int {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1
	}
	uid := -1
	_ = raw.Control(func(fd uintptr) {
		if c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = int(c.Uid)
		}
	})
	return uid
}
