package httpd

import (
	"errors"
	"strings"
	"time"
)

var errJournalTime = errors.New("not a time like 2018-03-22, 2018-03-22T07:25 or 2018-03-22T07:25:31Z")

// parseJournalTime reads the value of an event_time filter as Unix seconds, what is below them cut off:
// YYYY-MM-DD, or with THH:MM[:SS[.f]] and a space in place of the T; then optionally Z or +hh:mm, else UTC.
func parseJournalTime(s string) (int64, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t.Unix(), nil
	}
	if len(s) < len("2006-01-02T15:04") || s[10] != 'T' && s[10] != ' ' {
		return 0, errJournalTime
	}
	clock, zone := cutZone(s[11:])
	layout := "15:04:05"
	if len(clock) == len("15:04") {
		layout = "15:04"
	}
	if whole, fraction, ok := strings.Cut(clock, "."); ok { // time.Parse would also take a comma and 5:04
		if fraction == "" || strings.Trim(fraction, "0123456789") != "" {
			return 0, errJournalTime
		}
		clock = whole
		if len(clock) == len("15:04") {
			return 0, errJournalTime
		}
	}
	if len(clock) != len(layout) {
		return 0, errJournalTime
	}
	t, err := time.Parse("2006-01-02T"+layout+"Z07:00", s[:10]+"T"+clock+zone)
	if err != nil {
		return 0, errJournalTime
	}
	return t.Unix(), nil
}

// cutZone splits a clock from its zone, which is Z when there is none. A plus that was not escaped in the
// query has become a space.
func cutZone(s string) (clock, zone string) {
	if i := strings.IndexAny(s, "Z+- "); i >= 0 {
		if zone = s[i:]; zone[0] == ' ' {
			zone = "+" + zone[1:]
		}
		if len(zone) != len("+07:00") && zone != "Z" {
			return "", "" // no time at all
		}
		return s[:i], zone
	}
	return s, "Z"
}

// momentText writes Unix seconds as the journal does. Texts of four-digit years have the order of their times;
// a zone can carry a time of the first or last year out of them.
func momentText(seconds int64) (string, error) {
	t := time.Unix(seconds, 0).UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return "", errJournalTime
	}
	return t.Format(journalTime), nil
}
