package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"shiplog/format"
	"shiplog/format/seal"
)

func (p *Program) sealCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "seal",
		Short: "Close the active segment and begin the next",
		Long: `Close the active segment, so that it never changes again, and begin the next. No agent may
run on the data directory; a running one seals by itself when the segment has grown to 32 MiB. What is
sealed gets a signed line in DATA/log/SEALS.jsonl; see shiplog verify.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := openLog(dir); err != nil { // the writer would make one
				return err
			}
			w, err := format.Open(dir, format.Options{Host: hostname()})
			if err != nil {
				return locked(err)
			}
			k, err := seal.Open(dir, w, seal.Options{Host: hostname(), Logger: p.warnings()})
			if err != nil {
				return errors.Join(err, w.Close())
			}
			sealed, err := w.Seal()
			if err == nil {
				err = k.CatchUp(cmd.Context())
			}
			last := w.LastSeq()
			if err := errors.Join(err, w.Close()); err != nil {
				return err
			}
			if note := keyNote(k); note != "" {
				fmt.Fprintln(p.Stderr, note)
			}
			if !sealed {
				_, err = fmt.Fprintln(p.Stdout, "nothing to seal: the active segment is empty")
				return err
			}
			_, err = fmt.Fprintf(p.Stdout, "sealed up to record %d\n", last)
			return err
		},
	}
	p.dataFlag(cmd, &dir)
	return cmd
}
