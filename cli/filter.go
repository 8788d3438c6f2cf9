package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shiplog/format"
	"shiplog/index"
)

// filter is the flags that choose records, the same for query and export.
type filter struct {
	since, until       time.Time
	user, text, stream string
	levels, categories []string
}

func (f *filter) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(when{&f.since, time.Now}, "since", "records of this `time` and later: 2026-01-31, \"2026-01-31 14:00\", RFC 3339, @seconds, -1h, 7d, yesterday")
	flags.Var(when{&f.until, time.Now}, "until", "records before this `time`")
	flags.StringVar(&f.user, "user", "", "who did it, exactly")
	flags.StringSliceVar(&f.levels, "level", nil, "DEBUG, INFO, WARN, ERROR (comma list)")
	flags.StringSliceVar(&f.categories, "category", nil, "container, image, export, import, backup, system, ... (comma list)")
	flags.StringVar(&f.text, "text", "", "part of the message, in any case")
	choiceFlag(flags, &f.stream, "stream", "", "which stream", "both", "log", "event")
	completeWords(cmd, "level", "DEBUG", "INFO", "WARN", "ERROR")
	completeWords(cmd, "category", "container", "image", "export", "import", "backup", "system")
}

// query turns the flags into the query they mean.
func (f *filter) query() (index.Query, error) {
	q := index.Query{From: f.since, To: f.until, User: f.user, Text: f.text, Ascending: true}
	if f.stream != "both" {
		q.Stream = format.Stream(f.stream)
	}
	for _, l := range f.levels {
		level := format.Level(strings.ToUpper(strings.TrimSpace(l)))
		switch level {
		case format.LevelDebug, format.LevelInfo, format.LevelWarn, format.LevelError:
			q.Levels = append(q.Levels, level)
		default:
			return q, usagef("level %q unknown (DEBUG, INFO, WARN, ERROR)", l)
		}
	}
	for _, c := range f.categories {
		if c = strings.TrimSpace(c); c != "" {
			q.Categories = append(q.Categories, c)
		}
	}
	if !f.since.IsZero() && !f.until.IsZero() && f.until.Before(f.since) {
		return q, usagef("--until is before --since")
	}
	return q, nil
}

// openLog opens the log of a data directory for reading; nothing in it is touched.
func openLog(dir string) (*format.Log, error) {
	log, err := format.OpenLog(dir)
	if err != nil {
		return nil, fmt.Errorf("%w; choose a data directory with --data", err)
	}
	return log, nil
}

// damage reports the places that could not be read: the first ones by name, in the end all by number.
type damage struct {
	w      io.Writer
	n      int
	pruned int // segments that were removed meanwhile
}

const damageShown = 10

// passed tells whether err is a damaged place, and reports it; any other error ends the reading.
func (d *damage) passed(err error) bool {
	var place *format.Damage
	if !errors.As(err, &place) {
		return false
	}
	if errors.Is(err, format.ErrPruned) {
		d.pruned++
		return true
	}
	if d.n++; d.n <= damageShown {
		fmt.Fprintf(d.w, "shiplog: damaged: %v\n", place)
	}
	return true
}

// done says how much was left out, once the reading is over.
func (d *damage) done() {
	if d.pruned > 0 {
		fmt.Fprintf(d.w, "shiplog: %d segments were removed by retention while the log was read; the answer has a hole between what was older and what is left\n", d.pruned)
	}
	if d.n > 0 {
		fmt.Fprintf(d.w, "shiplog: %d damaged lines were left out; all others are in the answer\n", d.n)
	}
}

// each calls print with every record that q wants, in the order of seq, in constant memory.
func each(ctx context.Context, log *format.Log, q *index.Query, d *damage, print func(*format.Fields) error) error {
	n := 0
	for line, err := range log.Forward(q.After) {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if d.passed(err) {
				continue
			}
			return err
		}
		if q.Before > 0 && line.Seq >= q.Before {
			break
		}
		if q.Match(line.Fields) {
			if err := print(line.Fields); err != nil {
				return err
			}
		}
	}
	return nil
}
