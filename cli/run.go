package cli

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"shiplog/agent"
	"shiplog/format"
)

func (p *Program) runCommand() *cobra.Command {
	d := &daemon{}
	var docker, incus string
	var syncEvery time.Duration
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Capture what the engines do and serve it, in one process",
		Long: `Capture what Docker and Incus do and serve it over HTTP. It works with no engine too, and
finds one that appears later. The first start makes the account admin and prints its password once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if syncEvery <= 0 {
				return usagef("--sync-interval must be longer than 0")
			}
			d.log, d.timings = p.logger(), newTimings()
			if d.writer, err = format.Open(d.dir, format.Options{SyncEvery: syncEvery, Synced: d.timings.synced, Host: hostname()}); err != nil {
				return locked(err)
			}
			if err := d.capture(docker, incus); err != nil {
				return errors.Join(err, d.writer.Close())
			}
			return d.serve(cmd.Context(), p)
		},
	}
	p.dataFlag(cmd, &d.dir)
	d.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&d.indexDir, "index", "", "`directory` of the index, or none; default DATA/index")
	flags.StringVar(&docker, "docker", p.Env("DOCKER_HOST"), "Docker's `socket` or URL, or none; default DOCKER_HOST, else the usual sockets")
	flags.StringVar(&incus, "incus", p.Env("INCUS_SOCKET"), "Incus's or LXD's `socket`, or none; default INCUS_SOCKET, else the usual sockets")
	flags.DurationVar(&syncEvery, "sync-interval", time.Second, "how long an engine's event may wait to be safe on disk; records of clients never wait")
	flags.SortFlags = false
	return cmd
}

// capture opens what run and demo have besides the writer.
func (d *daemon) capture(docker, incus string) error {
	switch d.indexDir {
	case "":
		d.indexDir = filepath.Join(d.dir, "index")
	case "none":
		d.indexDir = ""
	}
	if err := d.openIndex(false); err != nil {
		return err
	}
	var err error
	if d.accounts, err = openAccounts(d.dir); err != nil {
		return err
	}
	log, err := format.OpenLog(d.dir)
	if err != nil {
		return err
	}
	d.agent = agent.New(agent.Options{Writer: d.writer, Log: log, Host: hostname(), Docker: docker, Incus: incus, Delay: d.timings.delayed, Logger: d.log})
	return nil
}
