package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shiplog/agent"
	"shiplog/format"
	"shiplog/httpd"
)

// server makes the HTTP server.
func (d *daemon) server() (*httpd.Server, error) {
	version, revision := buildVersion()
	o := httpd.Options{
		Index:      d.index,
		Accounts:   d.accounts,
		Append:     d.appendFunc(),
		Inspect:    d.inspectFunc(),
		List:       d.listFunc(),
		Ready:      d.notReady,
		Checkpoint: d.checkpointText,
		Keys:       d.keysDir(),
		Collectors: d.collectors(),
		Gatherer:   d.remoteMetrics(),
		Version:    version,
		Revision:   revision,
		Logger:     d.log,

		AnswerTimeout: d.answerIn,
	}
	if d.pair != nil {
		o.Certificate = d.pair.certificate
	}
	var err error
	if o.Settings, err = d.settings(); err != nil {
		return nil, err
	}
	if o.Append != nil {
		o.Exports = filepath.Join(d.stateDir(), "exports")
		o.ClaimExports = func() error { return d.exporting.claim(o.Exports) }
	}
	server, err := httpd.New(o)
	if d.reload != nil {
		d.reload.server = server
	}
	return server, err
}

// appendFunc writes records of clients, without what looks like a secret; nil: nothing can be written.
func (d *daemon) appendFunc() func(context.Context, ...*format.Record) error {
	var write func(context.Context, ...*format.Record) error
	switch {
	case d.writer != nil:
		write = d.writer.Append
	case d.remote != nil:
		write = d.remote.Append
	default:
		return nil
	}
	return func(ctx context.Context, recs ...*format.Record) error {
		for _, r := range recs {
			agent.Redact(r)
		}
		return write(ctx, recs...)
	}
}

// stateDir is where the server keeps what is its own: accounts, keys, exports, and the index.
func (d *daemon) stateDir() string {
	if d.state != "" {
		return d.state
	}
	return d.dir
}

// keysDir is where the keys are that page tokens are sealed with, so that they outlive the process: the
// writer's, or those of the writer beside which this process serves. Nothing is made in a copy.
func (d *daemon) keysDir() string {
	dir := filepath.Join(d.stateDir(), "keys")
	if d.writer != nil {
		return dir
	}
	if d.remote == nil && d.state == "" {
		return ""
	}
	if keys, err := os.ReadDir(dir); err == nil && len(keys) > 0 {
		return dir
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = writable(dir)
	}
	if err != nil {
		d.log.Info("page tokens last as long as this process", "err", err)
		return ""
	}
	return dir
}

// exportLock is the lock on the directory of exports. Of the processes that share it one works on it, and the
// next one when that has ended.
type exportLock struct {
	mu   sync.Mutex
	held io.Closer // guarded by mu, as the next; nil: not held
	over bool      // it is not taken any more
}

// claim takes the lock on dir.
func (l *exportLock) claim(dir string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return os.ErrClosed
	}
	if l.held != nil {
		return nil
	}
	held, err := format.LockDir(dir)
	if err == nil {
		l.held = held
	}
	return err
}

// release lets another process work on the exports, for good.
func (l *exportLock) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over = true; l.held != nil {
		l.held.Close()
		l.held = nil
	}
}

func (d *daemon) inspectFunc() func(context.Context, string, string) (format.Container, error) {
	switch {
	case d.agent != nil:
		return d.agent.Inspect
	case d.demo != nil:
		return d.demo.inspect
	case d.remote != nil:
		return d.remote.Inspect
	}
	return nil
}

func (d *daemon) listFunc() func(context.Context) ([]format.Container, error) {
	switch {
	case d.agent != nil:
		return d.agent.List
	case d.demo != nil:
		return d.demo.list
	case d.remote != nil:
		return d.remote.List
	}
	return nil
}

// readyLimit is how long the agent in another process may take to say how it is.
const readyLimit = 2 * time.Second

// notReady gives the writer's reasons why what happens now is not in the answers, wherever it is.
func (d *daemon) notReady() []string { return d.notReadyWithin(readyLimit) }

func (d *daemon) notReadyWithin(limit time.Duration) []string {
	if d.remote != nil {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		reasons, err := d.remote.Ready(ctx)
		if err != nil {
			reasons = []string{"nothing can be written: " + err.Error()}
		}
		if _, err := os.Stat(d.logDir); errors.Is(err, fs.ErrNotExist) {
			reasons = append(reasons, fmt.Sprintf("there is no log in %s yet; its agent makes it", d.dir))
		}
		return reasons
	}
	if d.writer == nil {
		return nil
	}
	if s := d.writer.Stats(); s.State != format.StateOK {
		return []string{fmt.Sprintf("nothing can be written (%s): %s", s.State, s.Reason)}
	}
	return nil
}
