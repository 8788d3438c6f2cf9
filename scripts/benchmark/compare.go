package main

import (
	"errors"
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
	if len(older.Runs) == 1 && len(newer.Runs) == 1 {
		return compareRuns(older.Runs[0], newer.Runs[0], w)
	}
	for _, now := range newer.Runs {
		then := older.run(now)
		if then == nil {
			continue
		}
		if err := compareRuns(then, now, w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}

func compareRuns(older, newer *report, w io.Writer) error {
	fmt.Fprintf(w, "old: %s, %d records (%s), %s\nnew: %s, %d records (%s), %s\n\n", older.Revision, older.Records, older.Kind, older.Machine,
		newer.Revision, newer.Records, newer.Kind, newer.Machine)
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

func times(a, b float64) string {
	if b == 0 {
		return ""
	}
	return short(a / b)
}
