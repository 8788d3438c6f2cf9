package cli

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"shiplog/agent"
	"shiplog/format"
)

func (p *Program) runCommand() daemonCommand {
	d := p.newDaemon()
	c := &d.capture
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Capture what the engines do and serve it, in one process",
		Long: `Capture what Docker and Incus do and serve it over HTTP. It works with no engine too, and
finds one that appears later. The first start makes the account admin and prints its password once.`,
		Args:        cobra.NoArgs,
		Annotations: map[string]string{wholeFile: again},
		PreRunE:     d.prepare(p),
		RunE: func(cmd *cobra.Command, _ []string) error {
			defer d.begin(cmd.Context(), p)()
			if err := c.openWriter(d); err != nil {
				return err
			}
			err := d.openServing()
			if err == nil {
				err = d.openSeals()
			}
			if err == nil {
				err = d.openPruner()
			}
			if err == nil {
				err = d.openCompressor()
			}
			if err == nil {
				err = c.openAgent(d)
			}
			if err != nil {
				return errors.Join(err, d.writer.Close())
			}
			if note := keyNote(d.seals); note != "" {
				d.notes = append(d.notes, note)
			}
			return d.serve(cmd.Context(), p)
		},
	}
	p.dataFlag(cmd, &d.dir)
	d.flags(cmd)
	cmd.Flags().StringVar(&d.indexDir, "index", "", "`directory` of the index, or none; default DATA/index")
	c.add(cmd, p)
	cmd.Flags().SortFlags = false
	return daemonCommand{cmd, d}
}

// captureFlags are the flags of what captures: run and agent.
type captureFlags struct {
	docker, incus string
	syncEvery     time.Duration
	keep          keepFlags
	compressAfter string
}

func (c *captureFlags) add(cmd *cobra.Command, p *Program) {
	flags := cmd.Flags()
	flags.StringVar(&c.docker, "docker", "", "Docker's `socket` or URL, or none; default DOCKER_HOST, else the usual sockets")
	flags.StringVar(&c.incus, "incus", "", "Incus's or LXD's `socket`, or none; default INCUS_SOCKET, else the usual sockets")
	p.defaultFrom(flags.Lookup("docker"), "DOCKER_HOST")
	p.defaultFrom(flags.Lookup("incus"), "INCUS_SOCKET")
	flags.DurationVar(&c.syncEvery, "sync-interval", time.Second, "how long an engine's event may wait to be safe on disk; records of clients never wait")
	c.keep.add(flags)
	reloadable(flags, "keep-age", "keep-bytes", "keep-free", "keep-at-least")
	compressFlag(flags, &c.compressAfter)
}

// openWriter makes this process the one that writes the data directory.
func (c *captureFlags) openWriter(d *daemon) (err error) {
	if c.syncEvery <= 0 {
		return usagef("--sync-interval must be longer than 0")
	}
	d.timings = newTimings()
	d.writer, err = format.Open(d.dir, format.Options{SyncEvery: c.syncEvery, Synced: d.timings.synced, Host: hostname()})
	return locked(err)
}

// openAgent makes what captures. The writer must be open.
func (c *captureFlags) openAgent(d *daemon) error {
	log, err := format.OpenLog(d.dir)
	if err != nil {
		return err
	}
	d.agent = agent.New(agent.Options{Writer: d.writer, Log: log, Host: hostname(), Docker: c.docker, Incus: c.incus, Delay: d.timings.delayed, Changed: d.service.change, Logger: d.log})
	return nil
}

// openServing opens what run and demo serve with.
func (d *daemon) openServing() (err error) {
	switch d.indexDir {
	case "":
		d.indexDir = filepath.Join(d.dir, "index")
	case "none":
		d.indexDir = ""
	}
	if err := d.openIndex(false); err != nil {
		return err
	}
	d.accounts, err = openAccounts(d.dir)
	return err
}
