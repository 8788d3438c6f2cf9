package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"shiplog/format"
)

const (
	serverFile    = "server.json" // in the directory of what the server itself keeps
	maxServerFile = 4 << 10
)

// serverNote is what a server beside an agent leaves for shiplog status: the agent does not know it.
type serverNote struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
}

// leaveNote says where this server is, and returns what takes that back. Where it cannot be written nothing is lost but a
// line of status.
func (d *daemon) leaveNote() (back func()) {
	path := filepath.Join(d.stateDir(), serverFile)
	if d.remote == nil {
		return func() {}
	}
	b, err := json.Marshal(serverNote{d.url, os.Getpid()})
	if err == nil {
		err = replaceFile(path, append(b, '\n'), 0o640)
	}
	if err != nil {
		d.log.Warn("shiplog status will not find this server", "err", err)
		return func() {}
	}
	return func() {
		if n, err := readNote(path); err == nil && n.PID == os.Getpid() {
			_ = os.Remove(path)
		}
	}
}

func readNote(path string) (n serverNote, err error) {
	f, err := format.OpenRegular(path)
	if err != nil {
		return n, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxServerFile))
	if err == nil {
		err = json.Unmarshal(b, &n)
	}
	return n, err
}

// askServer asks the server beside an agent how it is. One that was stopped left no note, and is not missed.
func (r *report) askServer(ctx context.Context, state string) {
	if r.Agent == nil || r.Agent.URL != "" {
		return
	}
	n, err := readNote(filepath.Join(state, serverFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return
	}
	at, uerr := url.Parse(n.URL)
	if err = errors.Join(err, uerr); err == nil && at.Host == "" {
		err = errors.New("it names no address")
	}
	if err != nil {
		r.unwell("where the server is cannot be read from %s; start shiplog serve again: %v", filepath.Join(state, serverFile), err)
		return
	}
	r.Server = n.URL
	if at.Scheme != "http" {
		return // its certificate is known to shiplog health alone
	}
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	h := health{listen: at.Host}
	base, err := h.base()
	if err != nil {
		r.unwell("the server cannot be asked: %v", err)
		return
	}
	_, reasons, err := h.askServer(ctx, base)
	for _, reason := range reasons {
		r.unwell("the server is not ready: %s", reason)
	}
	if err != nil && len(reasons) == 0 {
		r.unwell("the server, process %d, does not answer as it should: %v", n.PID, fmt.Errorf("%w; start shiplog serve again, or remove %s when there is to be none", err, filepath.Join(state, serverFile)))
	}
}
