package prune

import (
	"fmt"
	"strings"
	"time"
)

// Policy says what is kept. The zero value keeps everything.
type Policy struct {
	Age     time.Duration // records older than this are removed; 0: no rule
	Bytes   int64         // the segments take no more than this; 0: no rule
	Free    Space         // so much of the disk stays free; zero: no rule
	AtLeast Least         // what no rule removes

	// TrustClock takes the clock for right: a person has looked at it. Age is then by the clock alone.
	TrustClock bool
}

// Space is a part of a disk: bytes, or a percentage of its size.
type Space struct {
	Bytes   int64
	Percent float64
}

// of is the part in bytes of a disk of so many.
func (s Space) of(total uint64) uint64 {
	if s.Percent > 0 {
		return uint64(s.Percent / 100 * float64(total))
	}
	return uint64(max(s.Bytes, 0))
}

// Least is what is kept in any case: the newest sealed segments, and those that hold records younger than Age.
type Least struct {
	Segments int
	Age      time.Duration
}

// Keeps tells whether the policy has a rule by which something is removed.
func (p Policy) Keeps() bool { return p.Age > 0 || p.Bytes > 0 || p.Free != Space{} }

// The names of the rules, in records and messages.
const (
	ruleAge   = "age"
	ruleBytes = "bytes"
	ruleFree  = "free"
)

const above = "above " // begins what describe says of the rule of bytes, and of no other

// isBounded tells whether what describe said was a removal that counts for the bound within an hour.
func isBounded(reason string) bool {
	return !strings.HasPrefix(reason, above) || strings.Contains(reason, ", ") // of several rules all are counted
}

// describe says for a person which rules of the policy demand something.
func (p Policy) describe(rules []string) string {
	var parts []string
	for _, r := range rules {
		switch {
		case r == ruleAge:
			parts = append(parts, "older than "+days(p.Age))
		case r == ruleBytes:
			parts = append(parts, above+size(p.Bytes))
		case p.Free.Percent > 0:
			parts = append(parts, fmt.Sprintf("less than %g %% of the disk free", p.Free.Percent))
		default:
			parts = append(parts, "less than "+size(p.Free.Bytes)+" free")
		}
	}
	return strings.Join(parts, ", ")
}

func days(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == day:
		return "1 day"
	case d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// size is a number of bytes for a person.
func size(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	f, u := float64(n), 0
	for f >= 1024 && u < len(units)-1 {
		f /= 1024
		u++
	}
	if u == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.4g %s", f, units[u])
}
