package httpd

import (
	"fmt"
	"net/http"

	"shiplog/index"
)

const (
	eventLatest = 20   // events in an answer without an index
	eventWindow = 1000 // most events in one answer
)

// eventList is the answer to GET event: exactly the events with Index < position <= Offset, newest first.
type eventList struct {
	Index    uint64   `json:"index"`
	Messages []string `json:"messages"`
	Offset   uint64   `json:"offset"`
}

func (q qnap) events(w http.ResponseWriter, r *request, who caller) error {
	asked, err := parseWindow(r.query)
	if err != nil {
		return err
	}
	_, newest, err := q.s.opts.Index.Last(r.Context())
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	_, oldest, err := q.s.opts.Index.First(r.Context())
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	pruned := max(oldest, 1) - 1
	out := eventList{Messages: []string{}}
	out.Index, out.Offset = asked.resolve(newest, pruned)
	if out.Index == out.Offset {
		return writeJSON(w, http.StatusOK, out)
	}
	page, err := q.s.search(r.Context(), index.Query{Numbered: true, AfterEseq: out.Index, UptoEseq: out.Offset})
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	for i := range page.Hits {
		m := newEvent(&page.Hits[i].Fields)
		if who.admin || m.user == "all" || m.user == who.name {
			out.Messages = append(out.Messages, m.render(q.v1Events(r)))
		}
	}
	q.s.degraded(w, page.Damaged)
	return writeJSON(w, http.StatusOK, out)
}

// window is what a request for events asked: after position index, up to position offset.
type window struct {
	index, offset       uint64
	hasIndex, hasOffset bool
}

func parseWindow(p params) (window, error) {
	var asked window
	for _, one := range []struct {
		name  string
		value *uint64
		has   *bool
	}{{"index", &asked.index, &asked.hasIndex}, {"offset", &asked.offset, &asked.hasOffset}} {
		n, there, err := p.lookupInteger(0, one.name)
		if err != nil {
			return window{}, err
		}
		if !there {
			continue
		}
		if n < 0 {
			return window{}, failf(http.StatusBadRequest, "Invalid parameter %s: must not be negative", one.name)
		}
		*one.value, *one.has = uint64(n), true
	}
	if asked.hasIndex && asked.hasOffset && asked.index > asked.offset {
		return window{}, failf(http.StatusBadRequest, "Invalid parameter index: it is after offset")
	}
	return asked, nil
}

// resolve returns the positions that bound the answer, when newest is the highest position there is and
// pruned the highest that retention has removed.
func (a window) resolve(newest, pruned uint64) (index, offset uint64) {
	if a.hasIndex && a.index > newest {
		return newest, newest // the store was begun anew
	}
	offset = newest
	if a.hasOffset {
		offset = min(a.offset, newest)
	}
	switch {
	case a.hasIndex:
		index = min(max(a.index, pruned), offset)
		offset = min(offset, index+eventWindow) // the oldest ones, so that a follower loses nothing
	default:
		index = min(max(pruned, offset-min(offset, eventLatest)), offset)
	}
	return index, offset
}
