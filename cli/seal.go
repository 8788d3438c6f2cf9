package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"shiplog/format"
)

func (p *Program) sealCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "seal",
		Short: "Close the active segment and begin the next",
		Long: `Close the active segment, so that it never changes again, and begin the next. No agent may
run on the data directory; a running one seals by itself when the segment has grown to 32 MiB.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := openLog(dir); err != nil { // the writer would make one
				return err
			}
			w, err := format.Open(dir, format.Options{Host: hostname()})
			if err != nil {
				return locked(err)
			}
			sealed, err := w.Seal()
			last, _ := w.Last()
			if err := errors.Join(err, w.Close()); err != nil {
				return err
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
