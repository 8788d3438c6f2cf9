package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"shiplog/format"
)

// maxQNAPAnswer bounds one answer: a log of a million lines is some 200 MB, an API answer has at most 1000.
const maxQNAPAnswer = 512 << 20

// ReadQNAPJSON yields the records of answers of Container Station's /log and /event (both forms), oldest
// first although the answers are newest first. The file may hold several answers, one after the other.
//
// A log record carries the answer's id as Seq and in data.qnap.id, an event its position as Eseq; the
// caller keeps these numbers or replaces them. Events of the v1 form have no time. An entry that is not a
// record is yielded as a *LineError that counts entries within all answers; any other error ends the reading.
func ReadQNAPJSON(r io.Reader) iter.Seq2[*format.Record, error] {
	return func(yield func(*format.Record, error) bool) {
		dec := json.NewDecoder(&limitedReader{r, maxQNAPAnswer})
		for n := 0; ; {
			var answer json.RawMessage
			if err := dec.Decode(&answer); err == io.EOF {
				return
			} else if err != nil {
				yield(nil, fmt.Errorf("not an answer of /log or /event: %w", err))
				return
			}
			records, err := qnapAnswer(answer)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range records {
				n++
				if e.err != nil {
					e.err = &LineError{n, e.err}
				}
				if !yield(e.rec, e.err) {
					return
				}
			}
		}
	}
}

type qnapEntry struct {
	rec *format.Record
	err error
}

// qnapAnswer takes one answer apart: an array is /log's, an object with messages /event's.
func qnapAnswer(answer json.RawMessage) ([]qnapEntry, error) {
	var events struct {
		Index    uint64
		Messages *[]string
	}
	switch {
	case answer[0] == '[':
		return qnapLogAnswer(answer)
	case answer[0] != '{':
	case json.Unmarshal(answer, &events) == nil && events.Messages != nil:
		entries := make([]qnapEntry, 0, len(*events.Messages))
		for i, msg := range slices.Backward(*events.Messages) {
			rec, err := qnapEvent(msg)
			if err == nil {
				rec.Eseq = events.Index + uint64(len(*events.Messages)-i)
			}
			entries = append(entries, qnapEntry{rec, err})
		}
		return entries, nil
	}
	return nil, errors.New(`not an answer of /log ([...]) or /event ({"index":..,"messages":[..],"offset":..})`)
}

func qnapLogAnswer(answer json.RawMessage) ([]qnapEntry, error) {
	var lines []struct {
		Category, Level, Message, User string
		ID                             uint64
		TS                             json.Number
	}
	if err := json.Unmarshal(answer, &lines); err != nil {
		return nil, fmt.Errorf("not an answer of /log: %w", err)
	}
	if n := len(lines); n > 1 && lines[0].ID > lines[n-1].ID {
		slices.Reverse(lines)
	}
	entries := make([]qnapEntry, len(lines))
	for i, l := range lines {
		t, err := epoch(l.TS)
		if err != nil {
			entries[i].err = err
			continue
		}
		rec, err := qnapLog(t, l.Level, l.Category, l.User, l.Message)
		if err == nil && l.ID > 0 {
			rec.Seq = l.ID
			rec.Data = json.RawMessage(fmt.Sprintf(`{"qnap":{"id":%d}}`, l.ID))
		}
		entries[i] = qnapEntry{rec, err}
	}
	return entries, nil
}

// limitedReader fails when more than left bytes are read, where io.LimitReader would end the text early.
type limitedReader struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("longer than %d MiB; split it", maxQNAPAnswer>>20)
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	return n, err
}
