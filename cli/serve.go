package cli

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"shiplog/agent"
)

func (p *Program) serveCommand() *cobra.Command {
	d := &daemon{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a data directory without capturing",
		Long: `Serve a data directory: that of a running shiplog, or a copy, also on a read-only mount.
Without an agent on the directory the server is read-only and changes nothing in it but the index;
accounts that are not there are made for this run only.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.log = p.logger()
			own, err := d.attach(cmd.Context())
			if own != "" {
				defer os.RemoveAll(own)
			}
			if err != nil {
				return err
			}
			return d.serve(cmd.Context(), p)
		},
	}
	p.dataFlag(cmd, &d.dir)
	d.flags(cmd)
	cmd.Flags().StringVar(&d.indexDir, "index", "", "`directory` of the index, or none; default DATA/index, in memory where that cannot be written")
	cmd.Flags().SortFlags = false
	return cmd
}

// attach opens what serve works on. own is a directory for the accounts of this process alone, to be
// removed at its end; empty when it needs none.
func (d *daemon) attach(ctx context.Context) (own string, err error) {
	if _, err := openLog(d.dir); err != nil {
		return "", err
	}
	socket := filepath.Join(d.dir, agent.SocketName)
	live := serves(ctx, socket)
	if live {
		d.remote = socket
	}
	elsewhere := d.indexDir != ""
	switch d.indexDir {
	case "":
		d.indexDir = filepath.Join(d.dir, "index")
	case "none":
		d.indexDir = ""
	}
	// The index of a live directory is kept by the process that writes it.
	if err := d.openIndex(live && !elsewhere); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(d.dir, "accounts.json")); err == nil || live {
		d.accounts, err = openAccounts(d.dir)
		return "", err
	}
	if own, err = os.MkdirTemp("", "shiplog-serve-"); err != nil {
		return "", err
	}
	d.brief = true
	d.accounts, err = openAccounts(own)
	return own, err
}

// serves tells whether an agent takes records on socket.
func serves(ctx context.Context, socket string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return agent.Serves(ctx, socket)
}
