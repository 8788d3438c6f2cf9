package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// expectation is what a damaged log may be answered with, found without a line of the program that is tested.
type expectation struct {
	lines  map[string]bool   // every line of its segments, without what editors put around them
	intact map[uint64]string // what was written and is still there, by number
	other  map[uint64]bool   // numbers that a line has which was not written so
	broken int               // lines that are no JSON object
	odd    []string          // what is called like a segment and is no file
}

var segmentPattern = regexp.MustCompile(`^\d{20}\.jsonl$`)

// maxExpected bounds what the oracle itself takes of a file.
const maxExpected = 64 << 20

// expect reads the segments of a directory; written are the records that once were.
func expect(d *damaged, written map[uint64]string) *expectation {
	e := &expectation{lines: map[string]bool{}, intact: map[uint64]string{}, other: map[uint64]bool{}}
	ents, err := os.ReadDir(filepath.Join(d.dir, "log"))
	d.must(err)
	for i, ent := range ents {
		switch {
		case !segmentPattern.MatchString(ent.Name()) || ent.Name()[0] == '9':
		case !ent.Type().IsRegular():
			e.odd = append(e.odd, ent.Name())
		default:
			f, err := os.Open(filepath.Join(d.dir, "log", ent.Name()))
			d.must(err)
			b, err := io.ReadAll(io.LimitReader(f, maxExpected))
			f.Close()
			d.must(err)
			newest := !slices.ContainsFunc(ents[i+1:], func(o os.DirEntry) bool { return segmentPattern.MatchString(o.Name()) && o.Type().IsRegular() })
			e.take(b, written, newest)
		}
	}
	return e
}

// take adds the lines of one segment. The end of the newest is not a line yet when it has no newline.
func (e *expectation) take(b []byte, written map[uint64]string, newest bool) {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	for raw := range bytes.SplitAfterSeq(b, []byte("\n")) {
		text := string(bytes.TrimRight(bytes.TrimLeft(raw, "\x00"), "\r\n\t "))
		whole := bytes.HasSuffix(raw, []byte("\n"))
		switch {
		case text == "" && (whole || len(raw) == 0 || newest):
			continue
		case !whole:
			if !newest {
				e.broken++
			}
			continue
		}
		var doc map[string]json.RawMessage
		var seq uint64
		err := json.Unmarshal([]byte(text), &doc)
		if err == nil {
			err = json.Unmarshal(doc["seq"], &seq)
		}
		switch {
		case err != nil || seq == 0:
			e.broken++
		case written[seq] == text:
			e.intact[seq] = text
		default:
			e.other[seq] = true
		}
		e.lines[text] = true
	}
}

// check holds what was printed as JSONL to what is expected; said is what stood on standard error.
func (e *expectation) check(out, said string) (wrong []string) {
	served := map[uint64]string{}
	last := uint64(0)
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		var r struct{ Seq uint64 }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			wrong = append(wrong, fmt.Sprintf("%.120q is served and is no JSON: %v", line, err))
			continue
		}
		if r.Seq <= last {
			wrong = append(wrong, fmt.Sprintf("record %d is served after %d", r.Seq, last))
		}
		if last = r.Seq; !e.lines[line] {
			wrong = append(wrong, fmt.Sprintf("record %d is served as %.120q, which is no line of the log", r.Seq, line))
		}
		served[r.Seq] = line
	}
	for seq, text := range e.intact {
		got, ok := served[seq]
		switch {
		case ok && (got == text || e.other[seq]):
		case !ok && strings.Contains(said, fmt.Sprintf("record %d was moved here", seq)):
		default:
			wrong = append(wrong, fmt.Sprintf("record %d is intact and is served as %.120q", seq, got))
		}
	}
	if e.broken > 0 && !strings.Contains(said, "damaged: segment ") {
		wrong = append(wrong, fmt.Sprintf("%d lines are no records, and nobody says so: %q", e.broken, said))
	}
	for _, name := range e.odd {
		if !strings.Contains(said, name) {
			wrong = append(wrong, fmt.Sprintf("%s is no file, and nobody says so: %q", name, said))
		}
	}
	return wrong
}
