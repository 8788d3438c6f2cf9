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
	"github.com/spf13/pflag"
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
	Config string // configuration file that is read when none is named; "": none
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	hangups chan os.Signal // SIGHUP, of a command that reads its configuration again; nil: it ends the process
}

// Main runs the program of this process and returns its exit status. The first SIGINT or SIGTERM asks
// it to stop, the second ends it at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // gives the second signal back to the system
	p := &Program{Args: os.Args[1:], Env: os.Getenv, Config: DefaultConfig, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	return p.Run(ctx)
}

// Run runs one command until it is done or ctx ends, and returns its exit status.
func (p *Program) Run(ctx context.Context) int {
	root := p.Command()
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	started := false
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := p.configure(cmd); err != nil {
			return err
		}
		started = true
		return nil
	}
	cmd, err := root.ExecuteContextC(ctx)
	if p.hangups != nil {
		signal.Stop(p.hangups)
	}
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(p.Stderr, "shiplog: %v\n", err)
	var usage usageError
	if _, wrong := errors.AsType[configError](err); wrong { // it says itself what to look at
		return exitUsage
	}
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

// Error implements error.
func (e usageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// Command returns shiplog with all its commands, for Run and for what documents them. Defaults that depend on the
// machine are those of p.Env.
func (p *Program) Command() *cobra.Command {
	root := &cobra.Command{
		Use:   "shiplog",
		Short: "The logbook of a container host",
		Long: `shiplog keeps what Docker and Incus do on a box, and what is done to them, in plain
JSONL files, and answers questions about it as five vendors' log APIs do.

Every flag can be given in the environment: --data as SHIPLOG_DATA, --sync-interval as
SHIPLOG_SYNC_INTERVAL. Those of run, agent and serve, and --data of all, can also stand in
/etc/shiplog/shiplog.yaml, as sync-interval: 2s. A flag wins over the environment, which wins
over the file.`,
		Args:              cobra.NoArgs,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("a command is missing")
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
			f := wrong.GetFlag()
			return fmt.Errorf("--%s: %w", f.Name, plainly(f, wrong.GetValue(), wrong.Unwrap()))
		}
		return err
	})
	root.AddCommand(
		p.runCommand().Command,
		p.agentCommand().Command,
		p.serveCommand().Command,
		p.demoCommand(),
		p.queryCommand(),
		p.exportCommand(),
		p.importCommand(),
		p.recordCommand(),
		p.accountCommand(),
		p.userCommand(),
		p.tokenCommand(),
		p.keyCommand(),
		p.tlsCommand(),
		p.sealCommand(),
		p.verifyCommand(),
		p.pruneCommand(),
		p.statusCommand(),
		p.healthCommand(),
		p.configCommand(),
		p.versionCommand(),
		p.completionCommand(),
	)
	completions(root)
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
