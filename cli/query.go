package cli

import (
	"context"

	"github.com/spf13/cobra"

	"shiplog/format"
	"shiplog/index"
)

// followLines is how many old records -f shows first, as tail does.
const followLines = 10

func (p *Program) queryCommand() *cobra.Command {
	var dir, out string
	var f filter
	var follow bool
	var lines int
	cmd := &cobra.Command{
		Use:   "query",
		Short: "Show records, oldest first, read from the files alone",
		Long: `Show records, oldest first. query reads the files of a data directory, of a copy or of
a folder of segments; it needs no server, no index and no lock, and changes nothing.`,
		Example: `  shiplog query -f
  shiplog query -n 20 --level WARN,ERROR
  shiplog query --since yesterday --category container --text nextcloud -o jsonl | jq .`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query()
			switch {
			case err != nil:
				return err
			case follow && out == "json":
				return usagef("-o json is one array and cannot follow; use -o jsonl")
			case cmd.Flags().Changed("lines") && lines < 0:
				return usagef("--lines is negative")
			case follow && lines < 0:
				lines = followLines
			}
			return p.query(cmd.Context(), dir, q, newPrinter(p.Stdout, out), lines, follow)
		},
	}
	p.dataFlag(cmd, &dir)
	flags := cmd.Flags()
	flags.BoolVarP(&follow, "follow", "f", false, "go on with what is appended, until interrupted")
	flags.IntVarP(&lines, "lines", "n", -1, "only the newest `N` records (with -f: first; default 10)")
	f.flags(cmd)
	choiceFlag(flags, &out, "output", "o", "output format", "short", "json", "jsonl", "csv")
	flags.SortFlags = false
	return cmd
}

// query prints what q wants: the newest lines of it, all when lines is negative.
func (p *Program) query(ctx context.Context, dir string, q index.Query, to *printer, lines int, follow bool) error {
	log, err := openLog(dir)
	if err != nil {
		return err
	}
	bad := &damage{w: p.Stderr}
	if lines >= 0 {
		if q.After, q.Before, err = newest(ctx, log, &q, lines); err != nil {
			return err
		}
	}
	if err := to.begin(); err != nil {
		return err
	}
	if follow {
		q.Before = 0
		return p.follow(ctx, log, &q, bad, to)
	}
	if err := each(ctx, log, &q, bad, to.record); err != nil {
		return err
	}
	bad.done()
	return to.end()
}

// newest finds the bounds between which the newest n matches stand. They are found backward and printed
// forward, so that a million of them need no more memory than one.
func newest(ctx context.Context, log *format.Log, q *index.Query, n int) (after, before uint64, err error) {
	for line, err := range log.Backward(0) {
		if ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		if err != nil {
			continue // reported on the way forward, if it lies within the answer
		}
		if before == 0 {
			before = line.Seq + 1
		}
		if n == 0 {
			return line.Seq, before, nil
		}
		if q.Match(line.Fields) {
			if after = line.Seq - 1; n == 1 {
				return after, before, nil
			}
			n--
		}
	}
	return after, before, nil
}

// follow prints what is there after q.After and what comes, until ctx ends.
func (p *Program) follow(ctx context.Context, log *format.Log, q *index.Query, bad *damage, to *printer) error {
	if err := to.w.Flush(); err != nil {
		return err
	}
	for line, err := range log.Follow(ctx, q.After) {
		switch {
		case err != nil && ctx.Err() != nil:
		case err != nil && !bad.passed(err):
			return err
		case err == nil && q.Match(line.Fields):
			if err := to.record(line.Fields); err != nil {
				return err
			}
			if err := to.w.Flush(); err != nil {
				return err
			}
		}
	}
	return to.end()
}
