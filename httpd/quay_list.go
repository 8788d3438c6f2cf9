package httpd

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"shiplog/index"
)

const (
	quayPageSize = 20           // records of a page
	maxAggregate = 31 * quayDay // the longest span that is counted
)

// quayList is the answer of a list.
type quayList struct {
	StartTime string    `json:"start_time"` // quayTime
	EndTime   string    `json:"end_time"`   // the first moment that is not in it
	Logs      []quayLog `json:"logs"`
	NextPage  string    `json:"next_page,omitempty"` // absent on the last page
}

// list answers GET logs: a page of records, the newest first. What takes too long to find is left to the next page:
// a page may have fewer records than others, or none, as long as it names another one.
func (q quay) list(family string) handlerFunc {
	return func(w http.ResponseWriter, r *request) error {
		scope, caller, err := q.admit(r, family)
		if err != nil {
			return err
		}
		ask, err := q.question(r, family, scope, caller.User)
		if err != nil {
			return err
		}
		span := ask.span()
		query := q.query(scope, span, ask.Performer)
		query.ByTime, query.Past, query.Limit = true, ask.place(), quayPageSize
		query.Budget.Time = q.s.limits.page
		page, err := q.s.search(r.Context(), query)
		if err != nil {
			return fmt.Errorf("list logs: %w", err)
		}
		out := quayList{StartTime: span.from.Format(quayTime), EndTime: span.to.Format(quayTime),
			Logs: make([]quayLog, 0, len(page.Hits))}
		for i := range page.Hits {
			out.Logs = append(out.Logs, q.render(&page.Hits[i].Fields))
		}
		if last, more := quayLast(&page); more {
			ask.Time, ask.Seq = last.Time, last.Seq
			out.NextPage = q.sealPage(ask, scope, caller.User)
		}
		q.s.degraded(w, page.Damaged)
		return writeCompact(w, http.StatusOK, out)
	}
}

// quayLast is the place behind which the next page begins, if there is one.
func quayLast(page *index.Page) (last index.Place, more bool) {
	if page.Rest != nil {
		return page.Rest.Past, true
	}
	if page.More {
		f := &page.Hits[len(page.Hits)-1]
		last = index.Place{Time: f.Time, Seq: f.Seq}
	}
	return last, page.More
}

// question reads what a list is asked for, from a page token if there is one.
func (q quay) question(r *request, family string, scope quayScope, subject string) (quayPage, error) {
	performer := quayPerformerOf(r, family)
	if token := r.query.get("next_page"); token != "" {
		page, err := q.openPage(token, scope, subject)
		if err == nil {
			err = page.agrees(r.query, performer)
		}
		return page, err
	}
	span, err := parseSpan(r.query, nil, q.s.opts.Now())
	if err != nil {
		return quayPage{}, err
	}
	return quayPage{Performer: performer, From: span.from.Unix(), To: span.to.Unix()}, nil
}

// quayPerformerOf is the performer asked for; a repository's log does not know that filter (seed 002, 7.7, 7.9).
func quayPerformerOf(r *request, family string) string {
	if family == quayRepository {
		return ""
	}
	return r.query.get("performer")
}

// aggregate answers GET aggregatelogs: counts by day and kind.
func (q quay) aggregate(family string) handlerFunc {
	return func(w http.ResponseWriter, r *request) error {
		scope, err := q.scope(r, family)
		if err != nil {
			return err
		}
		span, err := parseSpan(r.query, nil, q.s.opts.Now())
		if err != nil {
			return err
		}
		if span.to.Sub(span.from) > maxAggregate {
			return failf(http.StatusBadRequest, "Invalid date range for logs")
		}
		query := q.query(scope, span, quayPerformerOf(r, family))
		groups, err := q.s.opts.Index.GroupBy(r.Context(), query, func(f *index.Facets) string { return quayKind(f.Action, f.Outcome) })
		if err != nil {
			return fmt.Errorf("count logs: %w", err)
		}
		q.s.degraded(w, q.s.damaged())
		sendJSON(w, http.StatusOK, appendQuayCounts(make([]byte, 0, 96*len(groups)+32), groups))
		return nil
	}
}

// appendQuayCounts appends the answer: for each day and kind how often there was something, and the day's midnight. It is
// written by hand because a month has some thousand of them.
func appendQuayCounts(dst []byte, groups []index.Group) []byte {
	dst = append(dst, `{"aggregated":[`...)
	var day time.Time
	var midnight []byte // day as it is written
	for i, g := range groups {
		if i == 0 || !g.Day.Equal(day) {
			day, midnight = g.Day, g.Day.AppendFormat(midnight[:0], quayTime)
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONText(append(dst, `{"kind":`...), []byte(g.Value))
		dst = strconv.AppendInt(append(dst, `,"count":`...), int64(g.Count), 10)
		dst = append(append(append(dst, `,"datetime":"`...), midnight...), `"}`...)
	}
	return append(dst, "]}\n"...)
}
