package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"shiplog/agent"
	"shiplog/format"
	"shiplog/httpd"
)

// server makes the HTTP server.
func (d *daemon) server() (*httpd.Server, error) {
	version, revision := buildVersion()
	o := httpd.Options{
		Index:               d.index,
		Accounts:            d.accounts,
		Append:              d.appendFunc(),
		Inspect:             d.inspectFunc(),
		List:                d.listFunc(),
		Ready:               d.notReady,
		Checkpoint:          d.checkpointText,
		Hosts:               d.hosts,
		Keys:                d.keysDir(),
		Project:             d.project,
		QNAPRootEventFormat: d.rootForm,
		Collectors:          d.collectors(),
		Version:             version,
		Revision:            revision,
		Logger:              d.log,
	}
	if err := d.exports.apply(&o); err != nil {
		return nil, err
	}
	if o.Append != nil {
		o.Exports = d.claimExports()
	}
	return httpd.New(o)
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

// keysDir is where the keys are that page tokens are sealed with, so that they outlive the process: the
// writer's, or those of the writer beside which this process serves. Nothing is made in a copy.
func (d *daemon) keysDir() string {
	dir := filepath.Join(d.dir, "keys")
	if d.writer != nil {
		return dir
	}
	if d.remote == nil {
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

// claimExports returns the directory of exports when this process may work on it. Of the processes beside one
// writer the first does; the others have exports off.
func (d *daemon) claimExports() string {
	dir := filepath.Join(d.dir, "exports")
	lock, err := format.LockDir(dir)
	if err != nil {
		d.log.Warn("exports are off in this process", "dir", dir, "err", err)
		return ""
	}
	d.exporting = lock
	return dir
}

// releaseExports lets another process work on the exports.
func (d *daemon) releaseExports() {
	if d.exporting != nil {
		d.exporting.Close()
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
func (d *daemon) notReady() []string {
	if d.remote != nil {
		ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
		defer cancel()
		reasons, err := d.remote.Ready(ctx)
		if err != nil {
			return []string{"nothing can be written: " + err.Error()}
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
