package httpd

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// quayTime is how the registry writes a time: RFC 2822 in UTC, whose zone is literally -0000.
const quayTime = "Mon, 02 Jan 2006 15:04:05 -0000"

const quayDay = 24 * time.Hour

// quaySpan is the time a request is about: from <= time < to, whole seconds in UTC.
type quaySpan struct{ from, to time.Time }

// parseSpan reads starttime and endtime. The end day is included; without a start the span begins 24 hours
// ago, without an end it ends in 24 hours, so that what happens now is in it. fallback gives what the query
// does not have: the members of an export's body; nil when there is none. The error is a 400 that names the
// parameter.
func parseSpan(p params, fallback func(name string) string, now time.Time) (quaySpan, error) {
	now = now.UTC().Truncate(time.Second)
	span := quaySpan{now.Add(-quayDay), now.Add(quayDay)}
	start, ok, err := spanDay(p, fallback, "starttime")
	if err != nil {
		return quaySpan{}, err
	}
	if ok {
		span.from = start
	}
	end, ok, err := spanDay(p, fallback, "endtime")
	if err != nil {
		return quaySpan{}, err
	}
	if ok {
		span.to = end.Add(quayDay)
	}
	if span.to.Before(span.from) {
		if fallback != nil {
			return quaySpan{}, failf(http.StatusBadRequest, "Invalid time span selected")
		}
		return quaySpan{}, failf(http.StatusBadRequest, "Invalid date range for logs")
	}
	return span, nil
}

// spanDay reads one bound: its day's midnight. It reports false when the bound is absent.
func spanDay(p params, fallback func(name string) string, name string) (t time.Time, there bool, err error) {
	text := p.get(name)
	if text == "" && fallback != nil {
		text = fallback(name)
	}
	if text == "" {
		return time.Time{}, false, nil
	}
	if t, ok := parseDay(text); ok {
		return t, true, nil
	}
	return time.Time{}, true, failf(http.StatusBadRequest, "Invalid %s", name)
}

// parseDay reads MM/DD/YYYY (seed 002, "%m/%d/%Y") or YYYY-MM-DD (its examples) by the rules of C's strptime:
// month and day may have one digit. A day that the calendar does not have is none.
func parseDay(s string) (time.Time, bool) {
	month, rest, ok := strings.Cut(s, "/")
	mday, year, more := strings.Cut(rest, "/")
	if !ok {
		year, rest, ok = strings.Cut(s, "-")
		month, mday, more = strings.Cut(rest, "-")
	}
	if !ok || !more {
		return time.Time{}, false
	}
	y, m, d := dayNumber(year, 4, 4), dayNumber(month, 1, 2), dayNumber(mday, 1, 2)
	if y < 1 || m < 1 || m > 12 || d < 1 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return t, t.Day() == d // 02/30 became a day of March
}

// dayNumber reads least to most digits; -1: s is something else.
func dayNumber(s string, least, most int) int {
	if len(s) < least || len(s) > most || strings.Trim(s, "0123456789") != "" {
		return -1
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}
