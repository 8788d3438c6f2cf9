package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// print writes the table; as Markdown without the rows that say little to who did not measure. What stands in brackets behind a peer's value is that value as a multiple of shiplog's.
func (r *report) print(w io.Writer, markdown bool) error {
	peers := r.columns()
	fmt.Fprintf(w, "%d records (%s), %d bytes as JSON lines; revision %s, %s\n%s\n\n", r.Records, r.Kind, r.Bytes, r.Revision,
		r.When.Format("2006-01-02"), r.Machine)
	head := append([]string{"", shiplog, "x floor", "target", "met"}, peers...)
	figures := r.sorted()
	if markdown {
		figures = slices.DeleteFunc(figures, (*figure).alone)
	}
	rows := inGroups(figures, len(head), func(f *figure) []string { return f.row(peers) })
	if err := writeTable(w, markdown, head, rows); err != nil {
		return err
	}
	for _, n := range append(r.Notes, r.wrong()...) {
		fmt.Fprintf(w, "- %s\n", n)
	}
	return nil
}

// inGroups are the rows of the figures, each group below a row with its name.
func inGroups(figures []*figure, columns int, row func(*figure) []string) (rows [][]string) {
	group := ""
	for _, f := range figures {
		if f.Group != group {
			group = f.Group
			rows = append(rows, make([]string, columns))
			rows[len(rows)-1][0] = strings.ToUpper(group)
		}
		rows = append(rows, row(f))
	}
	return rows
}

// groups of rows, in the order of the table.
var groups = []string{"answers", crowded, "writing", "memory", "space", compressed, left}

const crowded = "with 16 clients and 1,000 records/s"

// sorted are the rows by groups, else in the order in which they were measured.
func (r *report) sorted() []*figure {
	all := slices.Clone(r.Figures)
	slices.SortStableFunc(all, func(a, b *figure) int { return slices.Index(groups, a.Group) - slices.Index(groups, b.Group) })
	return all
}

// columns are those who were measured beside shiplog.
func (r *report) columns() (peers []string) {
	for _, who := range []string{bare, sqlite, grep, journald, victoria} {
		for _, f := range r.Figures {
			if f.Cells[who] != nil {
				peers = append(peers, who)
				break
			}
		}
	}
	return peers
}

// wrong names the answers that are not what is in the records.
func (r *report) wrong() (lines []string) {
	for _, f := range r.Figures {
		for _, who := range append([]string{shiplog}, r.columns()...) {
			if c := f.Cells[who]; c != nil && c.Wrong != "" {
				lines = append(lines, fmt.Sprintf("WARNING: %s, %s: %s", f.Name, who, c.Wrong))
			}
			if c := f.Cells[who]; c != nil && c.Note != "" {
				lines = append(lines, fmt.Sprintf("%s, %s: %s", f.Name, who, c.Note))
			}
		}
	}
	return lines
}

// alone tells that nobody is compared in the row, and nothing was promised.
func (f *figure) alone() bool {
	return f.Target == "" && len(f.Cells) == 1 && f.Cells[shiplog] != nil && f.Group != crowded && f.Group != compressed
}

func (f *figure) row(peers []string) []string {
	own := f.Cells[shiplog]
	cells := []string{f.Name, "-", "", f.Target, f.Met}
	if own != nil {
		cells[1] = own.text(f.Unit)
		if own.Floor > 0 {
			cells[2] = fmt.Sprintf("%.1f", own.Value/own.Floor)
		}
	}
	for _, who := range peers {
		c := f.Cells[who]
		switch {
		case c == nil:
			cells = append(cells, "-")
		case own == nil || own.Value == 0 || who == bare && own.Floor > 0:
			cells = append(cells, c.text(f.Unit))
		default:
			cells = append(cells, fmt.Sprintf("%s (%sx)", c.text(f.Unit), short(c.Value/own.Value)))
		}
	}
	return cells
}

func (c *cell) text(unit string) string {
	s := short(c.Value)
	if c.P99 > 0 {
		s += ".." + short(c.P99)
	}
	if c.Wrong != "" {
		s += "!"
	}
	return s + " " + unit
}

// short writes three digits or so.
func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v == 0:
		return "0"
	}
	return fmt.Sprintf("%.2f", v)
}

// writeTable writes a table and an empty line.
func writeTable(w io.Writer, markdown bool, head []string, rows [][]string) error {
	write := writeText
	if markdown {
		write = writeMarkdown
	}
	err := write(w, head, rows)
	if err == nil {
		_, err = fmt.Fprintln(w)
	}
	return err
}

func writeText(w io.Writer, head []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func writeMarkdown(w io.Writer, head []string, rows [][]string) error {
	line := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	line(strings.Fields(strings.Repeat("--- ", len(head))))
	for _, row := range rows {
		line(row)
	}
	return nil
}
