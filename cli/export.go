package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"shiplog/index"
)

func (p *Program) exportCommand() *cobra.Command {
	var dir, out, file string
	var f filter
	var sheet bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write records as CSV or JSONL, oldest first",
		Long: `Write records, oldest first, read from the files alone. csv is the Container Station log
export: Date (UTC), Level, Category, User, Message. jsonl is the records as they are stored.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query()
			if err != nil {
				return err
			}
			if sheet && out != "csv" {
				return usagef("--spreadsheet is for -o csv")
			}
			return p.export(cmd.Context(), dir, q, out, file, sheet)
		},
	}
	p.dataFlag(cmd, &dir)
	f.flags(cmd)
	flags := cmd.Flags()
	choiceFlag(flags, &out, "output", "o", "output format", "csv", "jsonl")
	flags.StringVar(&file, "out", "", "write to this `file`, whole or not at all; default is standard output")
	flags.BoolVar(&sheet, "spreadsheet", false, "csv: put ' before a field that a spreadsheet would take for a formula")
	flags.SortFlags = false
	return cmd
}

func (p *Program) export(ctx context.Context, dir string, q index.Query, format, file string, sheet bool) error {
	log, err := openLog(dir)
	if err != nil {
		return err
	}
	bad := &damage{w: p.Stderr}
	write := func(w io.Writer) error {
		to := newPrinter(w, format)
		to.sheet = sheet
		if err := to.begin(); err != nil {
			return err
		}
		if err := each(ctx, log, &q, bad, to.record); err != nil {
			return err
		}
		return to.end()
	}
	if file == "" || file == "-" {
		err = write(p.Stdout)
	} else {
		err = writeFile(file, write)
	}
	if err == nil {
		bad.done()
	}
	return err
}

// writeFile fills file, whole or not at all. What is no ordinary file (/dev/stdout, a pipe) is written as
// it is.
func writeFile(file string, write func(io.Writer) error) error {
	if fi, err := os.Stat(file); err == nil && !fi.Mode().IsRegular() {
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return write(f)
	}
	f, err := renameio.NewPendingFile(file, renameio.WithTempDir(filepath.Dir(file)), renameio.WithPermissions(0o640))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if err := write(f); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return f.CloseAtomicallyReplace()
}
