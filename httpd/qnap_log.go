package httpd

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"shiplog/format"
	"shiplog/index"
)

const (
	logLimit     = 20   // records in a list by default
	maxLogLimit  = 1000 // more are not given at once
	authCategory = "auth"
)

// list answers GET log: the newest records first.
func (q qnap) list(w http.ResponseWriter, r *request, _ caller) error {
	query, err := parseLogFilters(r.query, q.start, q.end)
	if err != nil {
		return err
	}
	limit, err := r.query.integer(logLimit, "limit")
	if err == nil && limit < 1 {
		err = failf(http.StatusBadRequest, "Invalid parameter limit: must be 1 or more")
	}
	if err != nil {
		return err
	}
	offset, err := r.query.integer(0, "offset")
	if err == nil && offset < 0 {
		err = failf(http.StatusBadRequest, "Invalid parameter offset: must not be negative")
	}
	if err != nil {
		return err
	}
	query.Limit, query.Offset = int(min(limit, maxLogLimit)), int(min(offset, math.MaxInt))
	page, err := q.s.searchVisible(r.Context(), query)
	if err != nil {
		return fmt.Errorf("list log: %w", err)
	}
	q.s.degraded(w, page.Damaged)
	sendJSON(w, http.StatusOK, appendLogRows(make([]byte, 0, 256*len(page.Hits)+8), page.Hits))
	return nil
}

// degraded tells a reader that damage was met: what is intact was answered, but something is missing.
func (s *Server) degraded(w http.ResponseWriter, damaged int) {
	if damaged > 0 {
		s.metrics.partial.Inc()
		w.Header().Set("X-Shiplog-Degraded", fmt.Sprintf("corrupt=%d", damaged))
	}
}

// damaged is how many damaged lines the index has met.
func (s *Server) damaged() int { return s.opts.Index.Stats().Damaged }

// visibleLog is what /log shows without a filter: operations above the watermark, but no logins.
func visibleLog(watermark uint64) index.Query {
	return index.Query{After: watermark, Stream: format.StreamLog, NotCategories: []string{authCategory}}
}

// logQuery reads the filters of the export, and bounds them to what is visible now.
func (q qnap) logQuery(ctx context.Context, p params) (index.Query, error) {
	query, err := parseLogFilters(p, q.start, q.end)
	if err != nil {
		return query, err
	}
	mark, last, err := q.s.watermark(ctx)
	if err != nil {
		return query, fmt.Errorf("read watermark: %w", err)
	}
	query.After, query.Before = mark, last+1
	return query, nil
}

// parseLogFilters reads the filters; start and end are the names of the time bounds, the preferred one first.
func parseLogFilters(p params, start, end []string) (index.Query, error) {
	query := visibleLog(0)
	from, err := p.integer(0, start...)
	if err != nil {
		return query, err
	}
	to, err := p.integer(0, end...)
	if err != nil {
		return query, err
	}
	if from != 0 && to != 0 && from > to {
		return query, failf(http.StatusBadRequest, "Invalid parameter %s: it is after %s", start[0], end[0])
	}
	timeBounds(&query, from, to)
	query.User, query.Text = p.get("user"), p.get("text")
	query.Categories = p.list("category")
	if slices.ContainsFunc(query.Categories, func(c string) bool { return strings.EqualFold(c, authCategory) }) {
		query.NotCategories = nil
	}
	if levels := p.list("level"); len(levels) > 0 {
		query.Levels = shownAs(levels)
		query.None = query.None || len(query.Levels) == 0
	}
	return query, nil
}

// A store's clock is an int64 of nanoseconds: these are the seconds it can hold.
const (
	minSeconds = math.MinInt64/int64(time.Second) + 1
	maxSeconds = math.MaxInt64/int64(time.Second) - 1
)

// timeBounds keeps from <= ts <= to in whole seconds, both inclusive; 0 is no bound.
func timeBounds(query *index.Query, from, to int64) {
	if from > maxSeconds || (to != 0 && to < minSeconds) {
		query.None = true
		return
	}
	if from != 0 && from >= minSeconds {
		query.From = time.Unix(from, 0)
	}
	if to != 0 && to < maxSeconds {
		query.To = time.Unix(to+1, 0)
	}
}

// shownAs returns the levels that are shown under one of the names; unknown names stand for none.
func shownAs(names []string) []format.Level {
	var levels []format.Level
	for _, name := range names {
		switch strings.ToUpper(name) {
		case "INFO":
			levels = append(levels, format.LevelInfo, format.LevelDebug)
		case "WARN":
			levels = append(levels, format.LevelWarn)
		case "ERROR":
			levels = append(levels, format.LevelError)
		}
	}
	return levels
}
