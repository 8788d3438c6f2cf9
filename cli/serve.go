package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"shiplog/agent"
	"shiplog/format"
)

func (p *Program) serveCommand() daemonCommand {
	d := p.newDaemon()
	var socket string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a data directory without capturing",
		Long: `Serve a data directory: that of a running shiplog, or a copy, also on a read-only mount.

With an agent (shiplog agent, or run) it does all that run does: it reads the files, and writes and asks for
containers over the agent's socket. The agent may stop and start again meanwhile; what needs it answers 503
until it is back. There is an agent when one listens on DATA/agent.sock at the start, or when --agent names
a socket, then also when nobody listens on it yet and there is no log: the agent makes it. Name it where both
start by themselves.

What the server itself keeps is in the directory --state: accounts, keys, exports and the index. A server that
runs as a user of its own gets one of its own, and needs no right to write in DATA. The account commands
work on it too: shiplog user add --data STATE NAME.

Without an agent the server is read-only: requests that write answer 405, and nothing changes in DATA but
the index; without --state, accounts that are not there are made for this run only.`,
		Args:        cobra.NoArgs,
		Annotations: map[string]string{wholeFile: again},
		PreRunE:     d.prepare(p),
		RunE: func(cmd *cobra.Command, _ []string) error {
			defer d.begin(cmd.Context(), p)()
			own, err := d.attach(cmd.Context(), socket)
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
	cmd.Flags().StringVar(&d.state, "state", "", "`directory` of what the server itself keeps: accounts, keys, exports, and the index without --index; default DATA")
	cmd.Flags().StringVar(&d.indexDir, "index", "", "`directory` of the index, or none; default STATE/index, in memory where that cannot be written")
	cmd.Flags().StringVar(&socket, "agent", "", "`socket` of the agent, or none; default DATA/agent.sock when an agent is there at the start")
	cmd.Flags().SortFlags = false
	return daemonCommand{cmd, d}
}

// attach opens what serve works on. own is a directory for the accounts of this process alone, to be
// removed at its end; empty when it needs none.
func (d *daemon) attach(ctx context.Context, socket string) (own string, err error) {
	d.findAgent(ctx, socket)
	open := openLog
	if d.remote != nil {
		open = format.AwaitLog
	}
	log, err := open(d.dir)
	if err != nil {
		return "", err
	}
	d.logDir = log.Dir()
	switch d.indexDir {
	case "":
		d.indexDir = filepath.Join(d.stateDir(), "index")
	case "none":
		d.indexDir = ""
	}
	if err := d.openIndex(false); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(d.dir, "accounts.json")); err == nil || d.remote != nil || d.state != "" {
		d.accounts, err = openAccounts(d.stateDir())
		return "", err
	}
	if own, err = os.MkdirTemp("", "shiplog-serve-"); err != nil {
		return "", err
	}
	d.brief = true
	d.accounts, err = openAccounts(own)
	return own, err
}

// findAgent decides for the whole run whether there is an agent; socket is what --agent says.
func (d *daemon) findAgent(ctx context.Context, socket string) {
	if socket == "none" {
		return
	}
	remote := &agent.Remote{Path: socket}
	if socket == "" {
		remote.Path = filepath.Join(d.dir, agent.SocketName)
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	_, err := remote.Ready(ctx)
	switch {
	case socket == "" && errors.Is(err, agent.ErrNoAgent):
		return
	case socket == "" && errors.Is(err, os.ErrPermission): // as from a backup's or a guest's view
		d.log.Warn("the agent's socket cannot be opened; serving read-only", "err", err)
		return
	case errors.Is(err, format.ErrAgentDown):
		d.log.Warn("agent not reachable; what needs it answers 503 until it is", "socket", remote.Path, "err", err)
	}
	d.remote = remote
}
