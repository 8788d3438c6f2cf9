package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// compare prints what of two reports' figures of shiplog changed, and by how much beside the floor of its own run:
// that is what is left when one of the two machines was busier.
func compare(files []string, w io.Writer) error {
	if len(files) != 2 {
		return errors.New("compare wants two files: scripts/bench compare OLD.json NEW.json")
	}
	older, err := load(files[0])
	if err != nil {
		return err
	}
	newer, err := load(files[1])
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "old: %s, %d records, %s\nnew: %s, %d records, %s\n\n", older.Revision, older.Records, older.Machine,
		newer.Revision, newer.Records, newer.Machine)
	head := []string{"", "old", "new", "new/old", "old x floor", "new x floor", "met"}
	var rows [][]string
	for _, now := range newer.Figures {
		then := older.find(now.Name)
		if then == nil || then.Cells[shiplog] == nil || now.Cells[shiplog] == nil {
			continue
		}
		a, b := then.Cells[shiplog], now.Cells[shiplog]
		rows = append(rows, []string{now.Name, a.text(then.Unit), b.text(now.Unit), times(b.Value, a.Value),
			times(a.Value, a.Floor), times(b.Value, b.Floor), then.Met + " > " + now.Met})
	}
	return writeText(w, head, rows)
}

// show prints the table of a run that is over.
func show(args []string, w io.Writer) error {
	flags := flag.NewFlagSet("show", flag.ContinueOnError)
	markdown := flags.Bool("markdown", false, "print the table as Markdown, for README.md")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("show wants a file: scripts/bench show [-markdown] FILE.json")
	}
	r, err := load(flags.Arg(0))
	if err != nil {
		return err
	}
	return r.print(w, *markdown)
}

func times(a, b float64) string {
	if b == 0 {
		return ""
	}
	return short(a / b)
}
