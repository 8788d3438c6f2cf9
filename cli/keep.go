package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"shiplog/format/prune"
)

// keepFlags are the flags that say how much of the log is kept.
type keepFlags struct {
	age, bytes, free, least string // as written; empty: no such rule
}

func (k *keepFlags) add(flags *pflag.FlagSet) {
	textFlag(flags, &k.age, "keep-age", "", "remove segments whose records are all older than this `age`, as 400d or 52w; default none", isAge)
	textFlag(flags, &k.bytes, "keep-bytes", "", "remove the oldest segments so that all take no more than this `size`, as 20GiB; default none", isSize)
	textFlag(flags, &k.free, "keep-free", "", "remove the oldest segments while less than this `size` or percentage of the disk is free, as 10GiB or 5%; default none", isSpace)
	textFlag(flags, &k.least, "keep-at-least", "1", "what none of these rules removes: a `number` of sealed segments, or an age, as 30d", isLeast)
}

// policy is what the flags say. They were checked when they were set.
func (k keepFlags) policy() prune.Policy {
	var p prune.Policy
	p.Age, _ = parseAge(k.age)
	p.Bytes, _ = parseSize(k.bytes)
	p.Free, _ = parseSpace(k.free)
	p.AtLeast, _ = parseLeast(k.least)
	return p
}

// text is a flag whose value is kept as it was written, once it was checked.
type text struct {
	value *string
	check func(string) error
}

// textFlag adds a flag that takes what check accepts; "" is always accepted.
func textFlag(flags *pflag.FlagSet, value *string, name, standard, usage string, check func(string) error) {
	*value = standard
	flags.Var(&text{value, check}, name, usage)
}

// String implements pflag.Value.
func (t *text) String() string { return *t.value }

// Type implements pflag.Value.
func (t *text) Type() string { return "text" }

// Set implements pflag.Value.
func (t *text) Set(s string) error {
	if s != "" {
		if err := t.check(s); err != nil {
			return err
		}
	}
	*t.value = s
	return nil
}

func isAge(s string) error   { _, err := parseAge(s); return err }
func isSize(s string) error  { _, err := parseSize(s); return err }
func isSpace(s string) error { _, err := parseSpace(s); return err }
func isLeast(s string) error { _, err := parseLeast(s); return err }

const maxAge = 100 * 365 * 24 * time.Hour

// parseAge reads an age: Go's durations, and whole days and weeks. "" is none.
func parseAge(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	for unit, hours := range map[string]int64{"d": 24, "w": 7 * 24} {
		if digits, ok := strings.CutSuffix(s, unit); ok {
			var n int64
			if n, err = strconv.ParseInt(digits, 10, 64); err == nil {
				one := time.Duration(hours) * time.Hour
				d = time.Duration(min(max(n, 0), int64(maxAge/one)+1)) * one
			}
		}
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no age; write it like 400d, 52w or 36h", s)
	case d < time.Hour || d > maxAge:
		return 0, fmt.Errorf("%q must be from 1h to 36500d", s)
	}
	return d, nil
}

const minSize = 1 << 20

// parseSize reads a number of bytes. "" is none.
func parseSize(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	digits, factor := s, 1.0
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if d, ok := strings.CutSuffix(s, unit); ok {
			digits, factor = strings.TrimRight(d, " "), math.Pow(1024, float64(i+1))
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil || math.IsNaN(n) || digits == "" || digits[0] == '+' || strings.ContainsAny(digits, "xXpPeE_"):
		return 0, fmt.Errorf("%q is no size; write it like 500MiB or 20GiB", s)
	case n*factor < minSize || n*factor > 1<<60:
		return 0, fmt.Errorf("%q must be from 1MiB to 1048576TiB", s)
	}
	return int64(n * factor), nil
}

// parseSpace reads a size or a percentage of the disk. "" is none.
func parseSpace(s string) (prune.Space, error) {
	digits, ok := strings.CutSuffix(s, "%")
	if !ok {
		n, err := parseSize(s)
		if err != nil {
			err = fmt.Errorf("%w, or like 5%%", err)
		}
		return prune.Space{Bytes: n}, err
	}
	n, err := strconv.ParseFloat(strings.TrimRight(digits, " "), 64)
	if err != nil || !(n > 0 && n <= 90) {
		return prune.Space{}, fmt.Errorf("%q must be above 0%% and at most 90%%", s)
	}
	return prune.Space{Percent: n}, nil
}

// parseLeast reads a number of segments or an age.
func parseLeast(s string) (prune.Least, error) {
	if s == "" {
		return prune.Least{}, nil
	}
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 || n > 1e6 {
			return prune.Least{}, fmt.Errorf("%q must be from 1 to 1000000 segments", s)
		}
		return prune.Least{Segments: n}, nil
	}
	d, err := parseAge(s)
	if err != nil {
		return prune.Least{}, errors.New(strconv.Quote(s) + " is neither a number of segments nor an age; write it like 10 or 30d")
	}
	return prune.Least{Age: d}, nil
}
