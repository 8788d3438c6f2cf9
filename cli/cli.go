package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// What a command ends with.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitDamage = 4 // verify found that the log is not what was written
)

// Program is shiplog as a value: a test starts it as the shell does.
type Program struct {
	Args   []string // without the program's name
	Env    func(string) string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Main runs the program of this process and returns its exit status. The first SIGINT or SIGTERM asks
// it to stop, the second ends it at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // gives the second signal back to the system
	p := &Program{Args: os.Args[1:], Env: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	return p.Run(ctx)
}

// Run runs one command until it is done or ctx ends, and returns its exit status.
func (p *Program) Run(ctx context.Context) int {
	root := p.root()
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	started := false
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := p.fromEnv(cmd.Flags()); err != nil {
			return err
		}
		started = true
		return nil
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(p.Stderr, "shiplog: %v\n", err)
	var usage usageError
	if !started || errors.As(err, &usage) {
		fmt.Fprintf(p.Stderr, "see: %s --help\n", cmd.CommandPath())
		return exitUsage
	}
	if errors.Is(err, errDamage) {
		return exitDamage
	}
	return exitFailed
}

// usageError says that the command line is wrong, not the world.
type usageError string

func (e usageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

func (p *Program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "shiplog",
		Short: "The logbook of a container host",
		Long: `shiplog keeps what Docker and Incus do on a box, and what is done to them, in plain
JSONL files, and answers questions about it as five vendors' log APIs do.

Every flag can be given in the environment: --data as SHIPLOG_DATA, --sync-interval as
SHIPLOG_SYNC_INTERVAL.`,
		Args:              cobra.NoArgs,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("a command is missing")
		},
	}
	root.AddCommand(
		p.runCommand(),
		p.agentCommand(),
		p.serveCommand(),
		p.demoCommand(),
		p.queryCommand(),
		p.exportCommand(),
		p.importCommand(),
		p.recordCommand(),
		p.accountCommand(),
		p.userCommand(),
		p.tokenCommand(),
		p.keyCommand(),
		p.sealCommand(),
		p.verifyCommand(),
		p.versionCommand(),
	)
	return root
}

// group is a command that only holds others.
func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("%s: a command is missing", cmd.CommandPath())
		},
	}
	cmd.AddCommand(sub...)
	return cmd
}
