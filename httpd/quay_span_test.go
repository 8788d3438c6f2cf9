package httpd

import (
	"strings"
	"testing"
	"time"
)

func TestParseDay(t *testing.T) {
	for text, want := range map[string]string{
		"03/06/2025": "2025-03-06", "3/6/2025": "2025-03-06", "2025-03-06": "2025-03-06", "2025-3-6": "2025-03-06", "12/31/9999": "9999-12-31",
		"02/29/2024": "2024-02-29", "01/01/0001": "0001-01-01", "10/9/2025": "2025-10-09",
		"02/29/2025": "", "02/30/2024": "", "13/01/2025": "", "00/01/2025": "", "01/00/2025": "", "01/32/2025": "", "04/31/2025": "", "01/01/0000": "",
		"1/1/25": "", "01/01/20255": "", "003/01/2025": "", "03/06": "", "03/06/2025/1": "", "03-06-2025": "", "2025/03/06": "", " 03/06/2025": "",
		"03/06/2025 ": "", "03/ 6/2025": "", "+3/6/2025": "", "-3/6/2025": "", "٣/٦/٢٠٢٥": "", "03/06/2025T00:00": "", "2025-03-06T00:00:00": "",
		"x": "", "/": "", "//": "", "-": "", "--": "", "2025-03": "", "03/06-2025": "", "1741219200": "",
	} {
		got, ok := parseDay(text)
		if ok != (want != "") || ok && got.Format("2006-01-02") != want {
			t.Errorf("parseDay(%q) = %v %v, want %q", text, got, ok, want)
		}
	}
}

func TestParseSpan(t *testing.T) {
	now := time.Date(2025, 3, 6, 15, 4, 5, 999, time.FixedZone("", 3600))
	body := func(name string) string {
		return map[string]string{"starttime": "03/01/2025", "endtime": "2025-03-02"}[name]
	}
	for name, row := range map[string]struct {
		query    string
		body     func(string) string
		from, to string // "": to is the message
	}{
		"nothing is a day back and a day on":     {"", nil, "2025-03-05T14:04:05Z", "2025-03-07T14:04:05Z"},
		"empty is nothing":                       {"starttime=&endtime", nil, "2025-03-05T14:04:05Z", "2025-03-07T14:04:05Z"},
		"both":                                   {"starttime=03/04/2025&endtime=03%2F07%2F2025", nil, "2025-03-04T00:00:00Z", "2025-03-08T00:00:00Z"},
		"the same day":                           {"starttime=3/4/2025&endtime=3/4/2025", nil, "2025-03-04T00:00:00Z", "2025-03-05T00:00:00Z"},
		"an end one day before is empty":         {"starttime=03/04/2025&endtime=03/03/2025", nil, "2025-03-04T00:00:00Z", "2025-03-04T00:00:00Z"},
		"an end two days before":                 {"starttime=03/04/2025&endtime=03/02/2025", nil, "", "Invalid date range for logs"},
		"the same in an export":                  {"starttime=03/04/2025&endtime=03/02/2025", func(string) string { return "" }, "", "Invalid time span selected"},
		"only a start":                           {"starttime=03/04/2025", nil, "2025-03-04T00:00:00Z", "2025-03-07T14:04:05Z"},
		"only an end":                            {"endtime=03/06/2025", nil, "2025-03-05T14:04:05Z", "2025-03-07T00:00:00Z"},
		"only an end before the default's start": {"endtime=03/01/2025", nil, "", "Invalid date range for logs"},
		"a start in the far future":              {"starttime=03/09/2025", nil, "", "Invalid date range for logs"},
		"a bad start":                            {"starttime=yesterday", nil, "", "Invalid starttime"},
		"a bad end":                              {"endtime=31/12/2025", nil, "", "Invalid endtime"},
		"the body has both":                      {"", body, "2025-03-01T00:00:00Z", "2025-03-03T00:00:00Z"},
		"the query goes before the body":         {"endtime=03/08/2025", body, "2025-03-01T00:00:00Z", "2025-03-09T00:00:00Z"},
		"the body is bad":                        {"", func(string) string { return "x" }, "", "Invalid starttime"},
	} {
		t.Run(name, func(t *testing.T) {
			span, err := parseSpan(params(row.query), row.body, now)
			if row.from == "" {
				if e := asStatus(err); err == nil || e.status != 400 || e.message != row.to {
					t.Errorf("parseSpan(%q) = %v %v, want 400 %s", row.query, span, err, row.to)
				}
				return
			}
			if err != nil || span.from.Format(time.RFC3339Nano) != row.from || span.to.Format(time.RFC3339Nano) != row.to {
				t.Errorf("parseSpan(%q) = %v %v, want %s %s", row.query, span, err, row.from, row.to)
			}
		})
	}
}

func TestQuaySpanInAnswers(t *testing.T) {
	now := time.Date(2025, 3, 6, 12, 0, 0, 5e8, time.UTC)
	b := quayBox(t, "fixture-quay.jsonl", func(o *Options) { o.Now = func() time.Time { return now } })
	page := b.quayPage("tok-admin", "/api/v1/organization/admin/logs")
	if page.StartTime != "Wed, 05 Mar 2025 12:00:00 -0000" || page.EndTime != "Fri, 07 Mar 2025 12:00:00 -0000" || len(page.Logs) != 20 {
		t.Errorf("default span %s to %s with %d records, want 24 hours back and on, and 20", page.StartTime, page.EndTime, len(page.Logs))
	}
	page = b.quayPage("tok-admin", "/api/v1/organization/admin/logs?starttime=03/05/2025&endtime=03/04/2025")
	if len(page.Logs) != 0 || page.NextPage != "" {
		t.Errorf("an empty span holds %d records", len(page.Logs))
	}
	for query, want := range map[string]int{"starttime=03/01/2025&endtime=03/31/2025": 200, "starttime=03/01/2025&endtime=04/01/2025": 400,
		"starttime=01/01/0001&endtime=12/31/9999": 400, "": 200} {
		r := b.bearer("tok-admin", "/api/v1/organization/admin/aggregatelogs?"+query)
		if r.status != want || want == 400 && !strings.Contains(r.body, "Invalid date range for logs") {
			t.Errorf("aggregatelogs?%s = %d %s, want %d", query, r.status, r.body, want)
		}
	}
	page = b.quayPage("tok-admin", "/api/v1/organization/admin/logs?starttime=01/01/0001&endtime=12/31/9999")
	if len(page.Logs) != 20 || page.NextPage == "" {
		t.Errorf("all times hold %d records, want a full page and more", len(page.Logs))
	}
	all := b.quayAll("tok-admin", "/api/v1/organization/admin/logs", "?starttime=01/01/0001&endtime=12/31/9999")
	if len(all) != 60 {
		t.Errorf("all times hold %d records, want 60", len(all))
	}
}

func FuzzParseSpan(f *testing.F) {
	f.Add("starttime=03/04/2025&endtime=2025-03-07", "")
	f.Add("starttime=%30&endtime=+", "12/31/9999")
	f.Add("endtime=01/01/0001", "-")
	now := time.Date(2025, 3, 6, 15, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, query, body string) {
		span, err := parseSpan(params(query), func(string) string { return body }, now)
		if err != nil {
			if asStatus(err).status != 400 {
				t.Errorf("parseSpan(%q, %q) = %v, want a 400", query, body, err)
			}
			return
		}
		if span.to.Before(span.from) || span.from.Location() != time.UTC || span.from.Nanosecond() != 0 || span.to.Nanosecond() != 0 {
			t.Errorf("parseSpan(%q, %q) = %v", query, body, span)
		}
		p := quayPage{From: span.from.Unix(), To: span.to.Unix()}
		if p.span() != span || p.agrees(params(query), "") != nil && params(query).get("starttime") != "" && params(query).get("endtime") != "" {
			t.Errorf("span %v of %q does not survive a page token", span, query)
		}
	})
}
