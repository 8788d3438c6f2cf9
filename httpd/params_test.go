package httpd

import (
	"slices"
	"testing"
	"time"

	"shiplog/format"
)

func TestParams(t *testing.T) {
	p := params("a=1&b=&c&a=2&d=x+y%20z&e%20f=g&h=100%&=lost&i=%zz;j=k&l==m")
	for name, want := range map[string]string{
		"a": "1", "b": "", "c": "", "d": "x y z", "e f": "g", "h": "100%", "i": "%zz;j=k", "j": "", "l": "=m", "nope": "",
	} {
		if got := p.get(name); got != want {
			t.Errorf("get(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestParseInteger(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "5": 5, "+5": 5, "-5": -5, "007": 7, "9223372036854775807": 1<<63 - 1} {
		if got, err := parseInteger(text); err != nil || got != want {
			t.Errorf("parseInteger(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "+", "1e3", "0x10", "5.0", "1_000", "++1", "-+1", "5 5", "9223372036854775808", "٣", "1,2"} {
		if got, err := parseInteger(text); err == nil {
			t.Errorf("parseInteger(%q) = %d, want an error", text, got)
		}
	}
}

func TestIntegerParameter(t *testing.T) {
	for query, want := range map[string]int64{
		"": 7, "limit=": 7, "limit": 7, "limit=+": 7, "limit=%20%20": 7, "limit=+3+": 3, "limit=%2B3": 3, "limit=3&limit=x": 3, "limit=&limit=x": 7,
	} {
		if got, err := params(query).integer(7, "limit"); err != nil || got != want {
			t.Errorf("integer(%q) = %d, %v, want %d", query, got, err, want)
		}
	}
	if _, err := params("limit=abc").integer(7, "limit"); err == nil || err.Error() != "Invalid parameter limit: not an integer" {
		t.Errorf("error = %v, want it to name the parameter", err)
	}
	if got, err := params("time_start=x&start=5").integer(0, "start", "time_start"); err != nil || got != 5 {
		t.Errorf("own name and alias = %d, %v, want 5: the alias is not looked at", got, err)
	}
}

func TestLogFilters(t *testing.T) {
	start, end := []string{"start", "time_start"}, []string{"end", "time_end"}
	parse := func(t *testing.T, query string) (q logFilter) {
		t.Helper()
		got, err := parseLogFilters(params(query), start, end)
		if err != nil {
			t.Fatalf("parseLogFilters(%q) = %v", query, err)
		}
		return logFilter{got.From, got.To, got.Levels, got.Categories, got.NotCategories, got.None}
	}
	auth := []string{"auth"}
	for name, row := range map[string]struct {
		query string
		want  logFilter
	}{
		"nothing":                           {"", logFilter{not: auth}},
		"zero bounds":                       {"start=0&end=0", logFilter{not: auth}},
		"both bounds include their seconds": {"start=10&end=20", logFilter{from: time.Unix(10, 0), to: time.Unix(21, 0), not: auth}},
		"aliases":                           {"time_start=10&time_end=20", logFilter{from: time.Unix(10, 0), to: time.Unix(21, 0), not: auth}},
		"the own name wins":                 {"time_start=1&start=10", logFilter{from: time.Unix(10, 0), not: auth}},
		"an end that no clock reaches":      {"end=9223372036854775807", logFilter{not: auth}},
		"a start that no clock reaches":     {"start=9223372036854775807", logFilter{not: auth, none: true}},
		"an end before all time":            {"end=-9223372036854775808", logFilter{not: auth, none: true}},
		"a start before all time":           {"start=-9223372036854775808", logFilter{not: auth}},
		"levels in any case with spaces":    {"level=+info+,,error", logFilter{levels: []format.Level{"INFO", "DEBUG", "ERROR"}, not: auth}},
		"only unknown levels":               {"level=TRACE,x", logFilter{not: auth, none: true}},
		"one unknown level":                 {"level=x,WARN", logFilter{levels: []format.Level{"WARN"}, not: auth}},
		"an empty level":                    {"level=", logFilter{not: auth}},
		"categories":                        {"category=image,+export", logFilter{categories: []string{"image", "export"}, not: auth}},
		"the category of logins":            {"category=system,AUTH", logFilter{categories: []string{"system", "AUTH"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parse(t, row.query); !got.equal(row.want) {
				t.Errorf("filters of %q = %+v, want %+v", row.query, got, row.want)
			}
		})
	}
	for _, query := range []string{"start=20&end=10", "start=x", "end=1.5", "time_end=1e3", "start=99999999999999999999"} {
		if _, err := parseLogFilters(params(query), start, end); err == nil || asStatus(err).status != 400 {
			t.Errorf("filters of %q: error %v, want status 400", query, err)
		}
	}
}

// logFilter is what a query string leads to.
type logFilter struct {
	from, to        time.Time
	levels          []format.Level
	categories, not []string
	none            bool
}

func (a logFilter) equal(b logFilter) bool {
	return a.from.Equal(b.from) && a.to.Equal(b.to) && slices.Equal(a.levels, b.levels) &&
		slices.Equal(a.categories, b.categories) && slices.Equal(a.not, b.not) && a.none == b.none
}

func FuzzLogFilters(f *testing.F) {
	f.Add("start=1&end=2&level=INFO,ERROR&category=image&user=a&text=b")
	f.Add("level=%&category=%2C%2c;&start=+&&==")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := parseLogFilters(params(query), []string{"start", "time_start"}, []string{"end", "time_end"})
		if err != nil && asStatus(err).status != 400 {
			t.Errorf("status %d, want 400", asStatus(err).status)
		}
		if err == nil && !q.From.IsZero() && !q.To.IsZero() && q.To.Before(q.From) {
			t.Errorf("bounds %v to %v", q.From, q.To)
		}
		if q.Stream != format.StreamLog {
			t.Errorf("stream = %q, want only operations", q.Stream)
		}
	})
}
