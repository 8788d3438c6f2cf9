package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

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
		Hosts:               d.hosts,
		Keys:                d.keysDir(),
		Project:             d.project,
		QNAPRootEventFormat: d.rootForm,
		Collectors:          d.collectors(),
		Version:             version,
		Revision:            revision,
		Logger:              d.log,
	}
	if err := d.exports.apply(&o, d.dir, d.writer != nil); err != nil {
		return nil, err
	}
	return httpd.New(o)
}

func (d *daemon) appendFunc() func(context.Context, ...*format.Record) error {
	switch {
	case d.writer != nil:
		return d.writer.Append
	case d.remote != "":
		return func(ctx context.Context, recs ...*format.Record) error {
			for _, r := range recs {
				seq, err := agent.SendRecord(ctx, d.remote, format.AppendLine(nil, r))
				if err != nil {
					return err
				}
				r.Seq = seq
			}
			return nil
		}
	}
	return nil
}

// keysDir is where the keys are that page tokens are sealed with, so that they outlive the process: the
// writer's, or those of the writer beside which this process serves. Nothing is made in a copy.
func (d *daemon) keysDir() string {
	dir := filepath.Join(d.dir, "keys")
	if d.writer != nil {
		return dir
	}
	if _, err := os.ReadDir(dir); err == nil && d.remote != "" {
		return dir
	}
	return ""
}

func (d *daemon) inspectFunc() func(context.Context, string, string) (format.Container, error) {
	switch {
	case d.agent != nil:
		return d.agent.Inspect
	case d.demo != nil:
		return d.demo.inspect
	}
	return nil
}

func (d *daemon) listFunc() func(context.Context) ([]format.Container, error) {
	switch {
	case d.agent != nil:
		return d.agent.List
	case d.demo != nil:
		return d.demo.list
	}
	return nil
}

// notReady gives the writer's reasons why what happens now is not in the answers.
func (d *daemon) notReady() []string {
	if d.writer == nil {
		return nil
	}
	if s := d.writer.Stats(); s.State != format.StateOK {
		return []string{fmt.Sprintf("nothing can be written (%s): %s", s.State, s.Reason)}
	}
	return nil
}
