package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"shiplog/format/seal"
)

// errDamage ends the program with the exit status for damage.
var errDamage = errors.New("the log is not what was written")

// verifyFlags are the flags of verify.
type verifyFlags struct {
	dir, key, at, out, metrics string
	fast                       bool
}

func (p *Program) verifyCommand() *cobra.Command {
	var v verifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare a log with its seals: is it what was written?",
		Long: `Compare a log with its seals, and say what was changed since it was written, by one word for each
kind of change, with the file, the lines, and a shell line that shows them. It works on the directory of a
running shiplog, on a copy and on a read-only mount, and changes nothing.

The key is the line that the first start printed. Without it the one in the log itself is used, which
proves nothing against somebody who signed all of it anew. That the end of a log was not cut can only be told
with a checkpoint that was kept elsewhere (--at): the file log/checkpoint or GET /checkpoint of then, or
the text SIZE:ROOT that stands as at=... in the log lines "checkpoint".

The exit status is 0 when all is as it was written, 4 when it is not, 1 when that cannot be judged.`,
		Example: `  shiplog verify --key shiplog/nas-285d9ceb+5ba9fba8+ARo9...
  shiplog verify --data COPY --at checkpoint.2026-01 -o json | jq .findings`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.verify(cmd.Context(), &v) },
	}
	p.dataFlag(cmd, &v.dir)
	flags := cmd.Flags()
	flags.StringVar(&v.key, "key", "", "`key` of the log, as the first start printed it; default the one in the log itself")
	flags.StringVar(&v.at, "at", "", "earlier checkpoint: a `file`, - for standard input, or SIZE:ROOT")
	flags.BoolVar(&v.fast, "fast", false, "compare sizes, and read the newest segments only")
	choiceFlag(flags, &v.out, "output", "o", "output format", "text", "json")
	flags.StringVar(&v.metrics, "metrics", "", "also write the result to this `file`, for the textfile collector of Prometheus' node exporter")
	flags.SortFlags = false
	return cmd
}

// verify verifies a log and prints the report.
func (p *Program) verify(ctx context.Context, v *verifyFlags) error {
	o := seal.VerifyOptions{Key: v.key, Fast: v.fast}
	var err error
	if v.at != "" {
		if o.At, err = p.earlier(v.at); err != nil {
			return err
		}
	}
	if _, err := openLog(v.dir); err != nil {
		return err
	}
	report, err := seal.Verify(ctx, v.dir, o)
	if v.metrics != "" && ctx.Err() == nil {
		err = errors.Join(err, writeVerifyMetrics(v.metrics, report, time.Now()))
	}
	if errors.Is(err, seal.ErrNotSealed) {
		return fmt.Errorf("%w; shiplog run, shiplog agent and shiplog seal begin to seal it", err)
	}
	if err != nil {
		return err
	}
	if v.out == "json" {
		enc := json.NewEncoder(&visible{w: p.Stdout})
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(report)
	} else {
		err = printReport(p.Stdout, report)
	}
	if err != nil {
		return err
	}
	switch report.Result {
	case seal.ResultDamaged:
		return errDamage
	case seal.ResultUnknown:
		return errors.New("not all of the log can be judged; see above")
	}
	return nil
}

// earlier reads the checkpoint of --at.
func (p *Program) earlier(at string) (c *seal.Checkpoint, err error) {
	text := []byte(at)
	if at == "-" {
		text, err = io.ReadAll(io.LimitReader(p.Stdin, 1<<20))
	} else if f, ferr := os.Open(at); ferr == nil {
		defer f.Close()
		text, err = io.ReadAll(io.LimitReader(f, 1<<20))
	}
	if err == nil {
		c, err = seal.ParseAt(string(text))
	}
	if err != nil {
		return nil, fmt.Errorf("--at %s: %w; give a file that holds a checkpoint, or SIZE:ROOT", appendVisible(nil, []byte(at)), err)
	}
	return c, nil
}

// printReport prints a report for people.
func printReport(to io.Writer, r *seal.Report) error {
	w := &errWriter{w: to}
	w.printf("log         %s, %s\n", appendVisible(nil, []byte(r.Origin)), appendVisible(nil, []byte(r.Dir)))
	w.printf("segments    %d sealed with %d records, %d bytes", r.Segments, r.Records, r.Bytes)
	if r.Hashed < r.Segments {
		w.printf("; %d of them read", r.Hashed)
	}
	if r.Retired > 0 {
		w.printf("; %d more were retired", r.Retired)
	}
	w.printf("\n")
	if !r.Since.IsZero() {
		w.printf("sealed      since %s; what is older is only as good as it was then\n", utc(r.Since))
	}
	if r.Late > 0 {
		w.printf("late        %d segments were sealed by a later start: what happened to them between is not known\n", r.Late)
	}
	if r.Active != "" {
		w.printf("active      %s, %d of %d bytes signed\n", r.Active, min(r.ActiveSigned, r.ActiveBytes), r.ActiveBytes)
	}
	w.printf("checkpoint  %d:%s", r.Size, r.Root)
	if !r.Signed.IsZero() {
		w.printf(" of %s", utc(r.Signed))
	}
	if r.At > 0 {
		w.printf("; compared with an earlier one of size %d", r.At)
	}
	w.printf("\nkey         %s\n", appendVisible(nil, []byte(r.Key)))
	if !r.KeyGiven {
		w.printf("            from the log itself: compare it with the one you noted, or give that with --key\n")
	}
	for _, f := range r.Findings {
		printFinding(w, &f)
	}
	w.printf("%s\n", r.Result)
	return w.err
}

func printFinding(w *errWriter, f *seal.Finding) {
	w.printf("%-11s %s", f.Word, f.File)
	switch {
	case f.FromLine > 0 && f.ToLine > f.FromLine:
		w.printf(" lines %d to %d", f.FromLine, f.ToLine)
	case f.FromLine > 0:
		w.printf(" line %d", f.FromLine)
	}
	w.printf(": %s\n", appendVisible(nil, []byte(f.Text)))
	if f.Look != "" {
		w.printf("            look: %s\n", appendVisible(nil, []byte(f.Look)))
	}
}

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// errWriter keeps the first error.
type errWriter struct {
	w   io.Writer
	err error
}

func (w *errWriter) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.w, format, args...)
	}
}
