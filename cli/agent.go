package cli

import (
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func (p *Program) agentCommand() daemonCommand {
	d := p.newDaemon()
	c := &d.capture
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Capture what the engines do, without a network",
		Long: `Capture what Docker and Incus do, and serve nothing but DATA/agent.sock. It is the half of run
that needs the engines' sockets; shiplog serve is the other half, which needs the network. It writes and
asks for containers over that socket, which the group of DATA may open.`,
		Args:        cobra.NoArgs,
		Annotations: map[string]string{wholeFile: again},
		PreRunE:     d.prepare(p),
		RunE: func(cmd *cobra.Command, _ []string) error {
			defer d.begin(cmd.Context(), p)()
			if err := c.openWriter(d); err != nil {
				return err
			}
			err := d.openSeals()
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
			signal.Ignore(syscall.SIGPIPE) // whoever read the messages may go; the work goes on
			fmt.Fprintf(p.Stdout, "capturing into %s, socket %s\n", d.dir, d.socketPath())
			if note := keyNote(d.seals); note != "" {
				fmt.Fprintln(p.Stdout, note)
			}
			return d.runStages(cmd.Context(), d.captureStages())
		},
	}
	p.dataFlag(cmd, &d.dir)
	c.add(cmd, p)
	d.logs.add(cmd)
	cmd.Flags().SortFlags = false
	return daemonCommand{cmd, d}
}
