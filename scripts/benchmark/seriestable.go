package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// growthRows and kindRows are the rows of the tables of series, by their groups: those in which the runs may differ, out
// of many that the JSON file has.
var growthRows = []string{
	"Q1 latest 20", "Q2 errors of two categories", "Q3 a user in a day, 20", "Q4 rare 12-hex substring", "Q4 7 hex inside of it",
	"Q4 12 hex that a hundred have", "Q4 rare phrase of common parts", "Q5 common substring", "Q6 no hit, letters",
	"Q6 no hit, 12 hex", "Q6 no hit, of common parts", "Q7 count of category and user", "Q8 20 at half of the records",
	"Q10 a user's month by day and action", exportName, csvName,

	"import, CPU per million", "import and columns, CPU per million", "whole cost, CPU per million",

	"peak while importing", "peak while indexing", "peak while answering", "idle", "start to first answer",
	"cold start to first answer", "first text search after it",

	"index and columns", "all on disk",

	"compressing, CPU per million", "peak while compressing", "log, compressed", "all on disk, compressed",
	"verify, CPU per million", "Q1 latest 20, compressed", "Q4 rare 12-hex substring, compressed",
	"Q5 common substring, compressed", "Q8 20 at half of the records, compressed", exportName + ", compressed",
}

var kindRows = []string{
	"Q1 latest 20", "Q4 rare 12-hex substring", "Q4 7 hex inside of it", "Q5 common substring", "Q6 no hit, letters",
	"Q6 no hit, 12 hex", "Q7 count of category and user", exportName,

	"import, CPU per million", "columns, CPU per million", "columns and index, CPU per million", "whole cost, CPU per GB",

	"peak while importing", "peak while indexing", "peak while answering",

	"all on disk", "index and columns, each record", "index and columns",

	"segments without an index of text", "blocks whose text is in no index", "segments without the list of long runs",
	"columns that are not there",
}

// rows are those of the table.
func (s *series) rows() []string {
	if s.Series == hardKinds {
		return kindRows
	}
	return growthRows
}

// flat are the rows that must not grow with the records, as multiples of the floor: from the fewest to the most of them
// by no more than mayGrow, which is what two runs differ by.
var flat = []string{"Q1 latest 20", "Q2 errors of two categories", "Q3 a user in a day, 20", "Q8 20 at half of the records"}

const mayGrow = 1.5

// print writes the runs beside each other. Behind a time stands in brackets what multiple of the floor it is.
func (s *series) print(w io.Writer, markdown bool) error {
	if s.Series == "" {
		return s.Runs[0].print(w, markdown)
	}
	last := s.Runs[len(s.Runs)-1]
	fmt.Fprintf(w, "revision %s, %s\n%s\n\n", last.Revision, last.When.Format("2006-01-02"), last.Machine)
	head := []string{""}
	for _, r := range s.Runs {
		head = append(head, s.title(r))
	}
	if s.Series == growth {
		head = append(head, "grows", "target", "met")
	}
	var figures []*figure
	for _, name := range s.rows() {
		if f := s.figure(name); f != nil {
			figures = append(figures, f)
		}
	}
	rows := append(s.about(len(head)), inGroups(figures, len(head), func(f *figure) []string { return s.row(f.Name) })...)
	if err := writeTable(w, markdown, head, rows); err != nil {
		return err
	}
	for _, n := range s.notes() {
		fmt.Fprintf(w, "- %s\n", n)
	}
	return nil
}

// notes are what is to be said about the rows of the table, once for all runs, and of each run what was left out of it
// and which answers were wrong, in rows that are not in the table too.
func (s *series) notes() (all []string) {
	for _, name := range s.rows() {
		if f := s.figure(name); f != nil && f.Cells[shiplog].Note != "" {
			all = append(all, fmt.Sprintf("%s: %s", name, f.Cells[shiplog].Note))
		}
	}
	for _, r := range s.Runs {
		for _, n := range r.Notes {
			all = append(all, fmt.Sprintf("%s: %s", s.title(r), n))
		}
		for _, f := range r.Figures {
			if c := f.Cells[shiplog]; c != nil && c.Wrong != "" {
				all = append(all, fmt.Sprintf("WARNING: %s: %s: %s", s.title(r), f.Name, c.Wrong))
			}
		}
	}
	return all
}

// title is what the column of a run is called.
func (s *series) title(r *report) string {
	if s.Series == hardKinds {
		return r.Kind
	}
	return thousands(r.Records)
}

// thousands writes n with commas.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// about are the rows that say what the records are.
func (s *series) about(columns int) [][]string {
	counts, sizes := []string{"records"}, []string{"as JSON lines"}
	for _, r := range s.Runs {
		counts = append(counts, thousands(r.Records))
		sizes = append(sizes, short(float64(r.Bytes)/float64(max(r.Records, 1)))+" bytes/record")
	}
	rows := [][]string{sizes}
	if s.Series == hardKinds {
		rows = [][]string{counts, sizes}
	}
	for i := range rows {
		rows[i] = append(rows[i], make([]string, columns-len(rows[i]))...)
	}
	return rows
}

// figure is a row of that name, of the last run that has it.
func (s *series) figure(name string) (f *figure) {
	for _, r := range s.Runs {
		if found := r.find(name); found != nil && found.Cells[shiplog] != nil {
			f = found
		}
	}
	return f
}

// row is a figure of all runs.
func (s *series) row(name string) []string {
	cells := []string{name}
	for _, r := range s.Runs {
		cells = append(cells, valueIn(r.find(name)))
	}
	if s.Series != growth {
		return cells
	}
	target, met := s.judged(name)
	grown := ""
	if g, ok := s.grown(name); ok {
		grown = short(g) + "x"
	}
	return append(cells, grown, target, met)
}

// valueIn is what shiplog reached: the median, and of what is asked over HTTP the multiple of the floor;
// of rare texts also how many records have them.
func valueIn(f *figure) string {
	if f == nil || f.Cells[shiplog] == nil {
		return "-"
	}
	c := f.Cells[shiplog]
	mark := ""
	if c.Wrong != "" {
		mark = "!"
	}
	text := fmt.Sprintf("%s%s %s", short(c.Value), mark, f.Unit)
	if c.Floor > 0 {
		text += fmt.Sprintf(" (%sx)", short(c.Value/c.Floor))
	}
	if c.Hits > 0 && strings.HasPrefix(f.Name, "Q4") {
		text += fmt.Sprintf(" of %d", c.Hits)
	}
	return text
}

// grown is the multiple of the first run that the last one has: of what is asked over HTTP without what the floor grew by.
func (s *series) grown(name string) (float64, bool) {
	a, b := s.Runs[0].find(name), s.Runs[len(s.Runs)-1].find(name)
	if a == b || a == nil || b == nil || a.Cells[shiplog] == nil || b.Cells[shiplog] == nil {
		return 0, false
	}
	from, to := a.Cells[shiplog], b.Cells[shiplog]
	if from.Floor > 0 && to.Floor > 0 {
		return to.Value / to.Floor / (from.Value / from.Floor), from.Value > 0
	}
	return to.Value / from.Value, from.Value > 0
}

// judged is what was promised for the row, and whether all runs kept it, or which did not.
func (s *series) judged(name string) (target, met string) {
	var targets, missed []string
	for _, r := range s.Runs {
		f := r.find(name)
		if f == nil || f.Met == "" {
			continue // nobody promised anything, or who it is compared with was not asked
		}
		if !slices.Contains(targets, f.Target) {
			targets = append(targets, f.Target)
		}
		if f.Met == "no" {
			missed = append(missed, s.title(r))
		}
		met = "yes"
	}
	if slices.Contains(flat, name) {
		targets = append(targets, "does not grow")
		if g, ok := s.grown(name); ok && g > mayGrow {
			missed = append(missed, "it grows")
		}
	}
	if len(missed) > 0 {
		met = "no: " + strings.Join(missed, "; ")
	}
	return strings.Join(targets, "; "), met
}
