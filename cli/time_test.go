package cli

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		berlin = time.FixedZone("CET", 3600)
	}
	now := time.Date(2026, 11, 21, 14, 30, 15, 0, berlin)
	tests := []struct{ in, want string }{
		{"now", "2026-11-21T14:30:15+01:00"},
		{"today", "2026-11-21T00:00:00+01:00"},
		{"yesterday", "2026-11-20T00:00:00+01:00"},
		{"2026-01-31", "2026-01-31T00:00:00+01:00"},
		{"2026-01-31 14:05", "2026-01-31T14:05:00+01:00"},
		{"2026-01-31 14:05:06.5", "2026-01-31T14:05:06+01:00"},
		{"2026-01-31T14:05:06", "2026-01-31T14:05:06+01:00"},
		{"2026-01-31T14:05:06Z", "2026-01-31T14:05:06Z"},
		{"2026-01-31T14:05:06-08:00", "2026-01-31T14:05:06-08:00"},
		{"@1628700802", "2021-08-11T18:53:22+02:00"},
		{"1628700802", "2021-08-11T18:53:22+02:00"},
		{"-1h", "2026-11-21T13:30:15+01:00"},
		{"90m", "2026-11-21T13:00:15+01:00"},
		{"2h ago", "2026-11-21T12:30:15+01:00"},
		{"1d", "2026-11-20T14:30:15+01:00"},
		{"-1w2d12h", "2026-11-12T02:30:15+01:00"},
		{" 5m ", "2026-11-21T14:25:15+01:00"},
	}
	for _, tt := range tests {
		got, err := parseTime(tt.in, now)
		want, _ := time.Parse(time.RFC3339, tt.want)
		if err != nil || got.Truncate(time.Second).Unix() != want.Unix() {
			t.Errorf("parseTime(%q) = %v, %v; want %s", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"", "soon", "2026-13-01", "-", "1x", "-2h ago", "h", "999999999w", "-5", "@-5", "1e9", "+1h", "1d1w"} {
		if got, err := parseTime(in, now); err == nil {
			t.Errorf("parseTime(%q) = %v, want an error", in, got)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add("-1w2d12h")
	f.Add("2026-01-31T14:05:06Z")
	now := time.Unix(1795227374, 0)
	f.Fuzz(func(t *testing.T, in string) { _, _ = parseTime(in, now) })
}
