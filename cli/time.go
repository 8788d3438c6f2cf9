package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// when is a point in time on the command line. It is read when the command begins: "-1h" is an hour
// before that.
type when struct {
	t   *time.Time
	now func() time.Time
}

// String implements pflag.Value.
func (w when) String() string {
	if w.t == nil || w.t.IsZero() {
		return ""
	}
	return w.t.Format(time.RFC3339)
}

// Type implements pflag.Value.
func (w when) Type() string { return "time" }

// Set implements pflag.Value.
func (w when) Set(s string) error {
	t, err := parseTime(s, w.now())
	if err != nil {
		return err
	}
	*w.t = t
	return nil
}

// timeLayouts are the absolute forms; those without a zone are in the zone of now.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006-01-02",
}

// parseTime reads RFC 3339, a date with or without a time, seconds since 1970 (also as @1628700802),
// now, today, yesterday, and spans before now: -1h, 90m, "2h ago", 7d, 2w.
func parseTime(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch s {
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	if t, ok := parseDate(s, now.Location()); ok {
		return t, nil
	}
	if t, ok := parseEpoch(strings.TrimPrefix(s, "@")); ok {
		return t, nil
	}
	span, ago := strings.CutSuffix(s, "ago")
	span = strings.ReplaceAll(span, " ", "")
	if d, ok := parseSpan(strings.TrimPrefix(span, "-")); ok && !(ago && strings.HasPrefix(span, "-")) {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("time %q not understood (2026-01-31, \"2026-01-31 14:00\", RFC 3339, @seconds, -1h, 7d, \"2h ago\", yesterday)", s)
}

func parseEpoch(s string) (time.Time, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 1<<38 {
		return time.Time{}, false
	}
	return time.Unix(n, 0), true
}

// parseSpan reads a duration of Go with days and weeks before it: 1h30m, 2d, 1w2d12h. Longer than 200
// years is none.
func parseSpan(s string) (time.Duration, bool) {
	var sum time.Duration
	for _, u := range []struct {
		unit string
		size time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		digits, rest, ok := strings.Cut(s, u.unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil {
			return 0, false
		}
		sum, s = sum+time.Duration(n)*u.size, rest
		if s == "" {
			return sum, sum < 200*365*24*time.Hour
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || strings.HasPrefix(s, "+") {
		return 0, false
	}
	return sum + d, true
}

// until is a point in time to come on the command line: a span from now, or a date.
type until struct {
	t   *time.Time
	now func() time.Time
}

// String implements pflag.Value.
func (u until) String() string { return when(u).String() }

// Type implements pflag.Value.
func (u until) Type() string { return "time" }

// Set implements pflag.Value.
func (u until) Set(s string) error {
	now := u.now()
	t := now
	if d, ok := parseSpan(strings.TrimSpace(s)); ok {
		t = now.Add(d)
	} else if t, ok = parseDate(s, now.Location()); !ok {
		return fmt.Errorf("time %q not understood (90d, 12h, 2027-01-31, \"2027-01-31 14:00\", RFC 3339)", s)
	}
	if !t.After(now) {
		return fmt.Errorf("time %q is not in the future", s)
	}
	*u.t = t
	return nil
}

// parseDate reads one of timeLayouts, in the zone loc when it names none.
func parseDate(s string, loc *time.Location) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, strings.TrimSpace(s), loc); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
