package agent

import (
	"bufio"
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

	"shiplog/format"
)

// ErrNoAgent says that no agent serves a socket; the caller may write to the data directory itself.
var ErrNoAgent = errors.New("no agent is running")

// ErrBusy says that an agent takes nothing now, but soon may.
var ErrBusy = errors.New("the agent is busy")

// passing are the states in a refusal that end by themselves, and the errors they stand for on both sides.
var passing = map[string]error{"busy": ErrBusy, format.StateFull: format.ErrFull, format.StateReadOnly: format.ErrReadOnly}

// refusal is an agent's error, word for word.
type refusal struct {
	text  string
	cause error // one of passing, or nil
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.cause }

// sendLimit bounds SendRecord when its context has no deadline.
const sendLimit = time.Minute

// maxReply bounds an answer.
const maxReply = 64 << 10

// SendRecord gives one record, as JSON text, to the agent that serves path and returns the number it got.
// It returns after the record is on the disk. ErrNoAgent when nobody serves path; ErrBusy, format.ErrFull and
// format.ErrReadOnly when the agent can take nothing now.
func SendRecord(ctx context.Context, path string, line []byte) (uint64, error) {
	line = bytes.TrimSpace(line)
	if bytes.IndexByte(line, '\n') >= 0 {
		var one bytes.Buffer
		if err := json.Compact(&one, line); err != nil {
			return 0, fmt.Errorf("record is no JSON: %w", err)
		}
		line = one.Bytes()
	}
	conn, err := dialSocket(ctx, path)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(sendLimit)
	}
	if err := conn.SetDeadline(until); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	// The agent may refuse and hang up before it has read a long line: its answer counts, not the error.
	_, sendErr := conn.Write(append(bytes.Clone(line), '\n'))
	reply, err := bufio.NewReaderSize(conn, maxReply).ReadSlice('\n')
	if err != nil {
		return 0, fmt.Errorf("send record to %s: %w", path, errors.Join(sendErr, err))
	}
	var answer struct {
		Seq   uint64 `json:"seq"`
		Error string `json:"error"`
		State string `json:"state"`
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return 0, fmt.Errorf("send record to %s: answer not understood: %w", path, err)
	}
	if answer.Error != "" {
		return 0, &refusal{answer.Error, passing[answer.State]}
	}
	return answer.Seq, nil
}

// Serves tells whether an agent serves path.
func Serves(ctx context.Context, path string) bool {
	conn, err := dialSocket(ctx, path)
	if err != nil {
		return false
	}
	conn.Close()
	return true
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
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w: connect to %s: %w", ErrNoAgent, path, err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("connect to %s: permission denied; run as a user of the group that owns it: %w", path, err)
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
