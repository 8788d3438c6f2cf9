package cli

import (
	"testing"
	"time"
)

// FuzzKeep reads the sizes and ages of flags and of the configuration.
func FuzzKeep(f *testing.F) {
	for _, s := range []string{"", "500MiB", "1e9GiB", "-1TiB", "NaN", "inf%", "5%", "400d", "9223372036854775807w", "36h", "0x1p60", "10", "1_000MiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseAge(s); err == nil && s != "" && (d < time.Hour || d > maxAge) {
			t.Errorf("parseAge(%q) = %v", s, d)
		}
		if n, err := parseSize(s); err == nil && s != "" && (n < minSize || n > 1<<60) {
			t.Errorf("parseSize(%q) = %d", s, n)
		}
		if sp, err := parseSpace(s); err == nil && s != "" && !(sp.Bytes >= minSize || sp.Percent > 0 && sp.Percent <= 90) {
			t.Errorf("parseSpace(%q) = %+v", s, sp)
		}
		if l, err := parseLeast(s); err == nil && s != "" && l.Segments < 1 && l.Age < time.Hour {
			t.Errorf("parseLeast(%q) = %+v", s, l)
		}
	})
}

// FuzzFamilies reads the metrics that an agent in another process sends.
func FuzzFamilies(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x0f\n\rshiplog_gap_s"))
	f.Add([]byte("\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		families, err := readFamilies(b)
		if len(families) > maxFamilies {
			t.Errorf("readFamilies() = %d families, %v", len(families), err)
		}
	})
}
