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
	"os/user"
	"path/filepath"
	"reflect"
	"strconv"
	"syscall"
	"time"

	"shiplog/format"

	"golang.org/x/sys/unix"
)

// ErrNoAgent says that no agent serves a socket; the caller may write to the data directory itself.
var ErrNoAgent = errors.New("no agent is running")

// sendLimit bounds SendRecord when its context has no deadline.
const sendLimit = time.Minute

// maxReply bounds an answer.
const maxReply = 64 << 10

// SendRecord gives one record, as JSON text, to the agent that serves path and returns the number it got.
// It returns after the record is on the disk. ErrNoAgent when nobody serves path.
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
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return 0, fmt.Errorf("send record to %s: answer not understood: %w", path, err)
	}
	if answer.Error != "" {
		return 0, errors.New(answer.Error)
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

// defaultActor names the user at the other end where the client named nobody. A client may speak for
// somebody else, as a backup program does; then src.agent keeps who really sent it.
func defaultActor(r *format.Record, uid int) {
	if uid < 0 {
		return
	}
	id := strconv.Itoa(uid)
	name := id
	if u, err := user.LookupId(id); err == nil {
		name = u.Username
	}
	if r.Actor.Name == "" && r.Actor.ID == "" && (r.Actor.Type == "" || r.Actor.Type == format.ActorUser) {
		r.Actor.Name, r.Actor.ID = name, id
		if r.Actor.Type == "" {
			r.Actor.Type = format.ActorUser
		}
		return
	}
	if r.Actor.Type == "" && r.Actor.Name != "" {
		r.Actor.Type = format.ActorUser
	}
	if r.Src.Agent == "" && r.Actor.Name != name {
		r.Src.Agent = "sent by " + name + " (uid " + id + ")"
	}
}

// redactSame redacts JSON text, or any other. Text without a secret keeps its bytes.
func redactSame(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	out := redactJSON(b)
	var plain bytes.Buffer
	if err := json.Compact(&plain, b); err != nil || !json.Valid(out) {
		return out
	}
	if sameJSON(plain.Bytes(), out) {
		return b
	}
	return out
}

// sameJSON compares two texts by what they say, numbers by their text.
func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	for _, t := range []struct {
		text []byte
		to   *any
	}{{a, &x}, {b, &y}} {
		d := json.NewDecoder(bytes.NewReader(t.text))
		d.UseNumber()
		if d.Decode(t.to) != nil {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}
