package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"shiplog/format"
)

// maxQNAPField bounds one row of a CSV and one answer's text, so that a wrong file cannot take the memory.
const maxQNAPField = 4 << 20

// qnapHead is the first line of every Container Station log export.
const qnapHead = "Date,Level,Category,User,Message"

// A LineError says that one line of an import could not become a record. The reading goes on after it.
type LineError struct {
	Line int // from 1
	Err  error
}

// Error implements error.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what was wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// ReadQNAPCSV yields the records of a Container Station log export, in the order of the file (oldest
// first). Times are UTC (contracts: the CSV row 16:53:22 is the JSON's ts 1628700802). A row that is not
// one is yielded as a *LineError with a nil record, and the reading goes on; any other error ends it.
func ReadQNAPCSV(r io.Reader) iter.Seq2[*format.Record, error] {
	return func(yield func(*format.Record, error) bool) {
		rows := csvRows{in: bufio.NewReaderSize(r, 64<<10), line: 1}
		for first := true; ; first = false {
			at := rows.line
			row, err := rows.next()
			if err == io.EOF {
				return
			}
			var bad *LineError
			if err != nil && !errors.As(err, &bad) {
				yield(nil, err)
				return
			}
			if bad != nil {
				if !yield(nil, bad) {
					return
				}
				continue
			}
			if first && strings.TrimPrefix(strings.Join(row, ","), "\ufeff") == qnapHead {
				continue
			}
			rec, err := csvRecord(row)
			if err != nil {
				rec, err = nil, &LineError{at, err}
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

func csvRecord(row []string) (*format.Record, error) {
	if len(row) != 5 {
		return nil, fmt.Errorf("%d fields, want 5 (%s)", len(row), qnapHead)
	}
	t, err := time.Parse("2006-01-02 15:04:05.999999999", row[0])
	if err != nil {
		return nil, fmt.Errorf("date %q, want YYYY-MM-DD HH:MM:SS.ffffff", short(row[0]))
	}
	return qnapLog(t, row[1], row[2], row[3], row[4])
}

// csvRows splits a CSV into rows and keeps every byte of a field. encoding/csv would turn CR LF inside a
// quoted field into LF, and the log exported again would not be the log imported.
type csvRows struct {
	in   *bufio.Reader
	line int // of the next row
}

// next returns the next row, io.EOF at the end, a *LineError for a row with a stray quote or beyond the
// limit (the rest of its line is skipped).
func (c *csvRows) next() ([]string, error) {
	for {
		start := c.line
		row, err := c.row()
		if err == nil && len(row) == 1 && row[0] == "" {
			continue // an empty line
		}
		if err != nil && err != io.EOF && errors.Is(err, errCSV) {
			return nil, &LineError{start, err}
		}
		return row, err
	}
}

var errCSV = errors.New("not a CSV row")

func (c *csvRows) row() ([]string, error) {
	var row []string
	var field []byte
	quoted, total := false, 0
	for {
		b, err := c.in.ReadByte()
		if err == io.EOF {
			switch {
			case quoted:
				return nil, fmt.Errorf("%w: the file ends inside a quoted field", errCSV)
			case len(row) == 0 && len(field) == 0:
				return nil, io.EOF
			}
			return append(row, string(field)), nil
		}
		if err != nil {
			return nil, err
		}
		if b == '\n' {
			c.line++
		}
		if total++; total > maxQNAPField {
			return nil, c.skip(fmt.Errorf("%w: longer than %d bytes", errCSV, maxQNAPField), b)
		}
		switch {
		case quoted && b == '"':
			if c.peek() == '"' {
				c.in.Discard(1)
				field = append(field, '"')
				continue
			}
			quoted = false
			if p := c.peek(); p != ',' && p != '\n' && p != '\r' && p >= 0 {
				return nil, c.skip(fmt.Errorf("%w: text after a closing quote", errCSV), b)
			}
		case quoted:
			field = append(field, b)
		case b == '"' && len(field) == 0:
			quoted = true
		case b == ',':
			row, field = append(row, string(field)), nil
		case b == '\n':
			return append(row, string(field)), nil
		case b == '\r' && (c.peek() == '\n' || c.peek() < 0):
			// the first half of the line end
		default:
			field = append(field, b)
		}
	}
}

// peek returns the next byte, -1 at the end.
func (c *csvRows) peek() int {
	b, err := c.in.Peek(1)
	if err != nil {
		return -1
	}
	return int(b[0])
}

// skip reads to the end of the line whose last read byte is b, and returns err.
func (c *csvRows) skip(err error, b byte) error {
	for b != '\n' {
		var e error
		if b, e = c.in.ReadByte(); e != nil {
			return err
		}
		if b == '\n' {
			c.line++
		}
	}
	return err
}

// short cuts a text for an error message.
func short(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
