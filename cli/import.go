package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"shiplog/format"
	"shiplog/format/seal"
)

func (p *Program) importCommand() *cobra.Command {
	var dir, from string
	cmd := &cobra.Command{
		Use:   "import [FILE|-]",
		Short: "Append records from a file",
		Long: `Append records from a file or standard input. No agent may run on the data directory.

  native     records as shiplog stores and exports them (jsonl); an empty data directory keeps
             their numbers and ids
  docker     events as "docker events --format '{{json .}}'" prints them
  incus      events as "incus monitor --format=json" prints them; lxd likewise
  qnap-csv   a log export of Container Station
  qnap-json  answers of its /log and /event; an empty data directory keeps their numbers

Prints one line: {"read":lines or entries,"stored":records,"rejected":lines or entries}. What was
rejected is named on standard error.`,
		Example: "  shiplog import --format qnap-csv container-station-log.csv",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if from == "" {
				return usagef("--format is missing (native, docker, incus, lxd, qnap-csv, qnap-json)")
			}
			in, size, err := p.openInput(args)
			if err != nil {
				return err
			}
			defer in.Close()
			return p.importFrom(cmd.Context(), dir, from, in, size)
		},
	}
	p.dataFlag(cmd, &dir)
	choiceFlag(cmd.Flags(), &from, "format", "", "what the file holds", "", "native", "docker", "incus", "lxd", "qnap-csv", "qnap-json")
	return cmd
}

// openInput opens the named file, or standard input for none or "-". The size is -1 when it is unknown.
func (p *Program) openInput(args []string) (io.ReadCloser, int64, error) {
	if len(args) == 0 || args[0] == "-" {
		return io.NopCloser(p.Stdin), -1, nil
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	switch {
	case err != nil:
		f.Close()
		return nil, 0, err
	case fi.IsDir():
		f.Close()
		return nil, 0, fmt.Errorf("%s is a directory; name a file", args[0])
	case fi.Mode().IsRegular():
		return f, fi.Size(), nil
	}
	return f, -1, nil
}

// importFrom appends what in holds to the data directory dir.
func (p *Program) importFrom(ctx context.Context, dir, from string, in io.Reader, size int64) (err error) {
	w, err := format.Open(dir, format.Options{}) // no host: this box did not observe what is imported
	if err != nil {
		return locked(err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if isTerminal(p.Stderr) {
		shown := &progress{in: in, to: p.Stderr, size: size}
		defer shown.done()
		in = shown
	}
	seals, err := p.openImportSeals(dir, w)
	if err != nil {
		return err
	}
	take := newIntake(w, p.Stderr)
	err = take.all(ctx, from, in)
	err = errors.Join(err, take.flush(), closeImportSeals(ctx, seals))
	fmt.Fprintf(p.Stdout, "{\"read\":%d,\"stored\":%d,\"rejected\":%d}\n", take.read, take.stored, take.rejected)
	if take.rejected > rejectedShown {
		fmt.Fprintf(p.Stderr, "shiplog: %d more rejected\n", take.rejected-rejectedShown)
	}
	if err == nil && take.stored == 0 && take.rejected > 0 {
		err = fmt.Errorf("nothing was imported; is this really --format %s?", from)
	}
	return err
}

// openImportSeals makes ready to seal what an import fills; nil when the log is not sealed at all: a running shiplog
// begins that.
func (p *Program) openImportSeals(dir string, w *format.Writer) (*seal.Keeper, error) {
	if _, err := seal.ReadCheckpoint(dir); errors.Is(err, seal.ErrNoCheckpoint) {
		return nil, nil
	}
	return seal.Open(dir, w, seal.Options{Host: hostname(), Logger: p.warnings()})
}

// closeImportSeals seals it.
func closeImportSeals(ctx context.Context, k *seal.Keeper) error {
	if k == nil {
		return nil
	}
	return k.CatchUp(ctx)
}

// hostname is the name records of this box carry; empty when it has none.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// locked says what to do about a data directory that another process writes.
func locked(err error) error {
	if errors.Is(err, format.ErrLocked) {
		return fmt.Errorf("%w (a running shiplog is the only writer of its directory; reading needs no lock)", err)
	}
	return err
}
