package httpd

import (
	"errors"
	"iter"
	"net/url"
	"strconv"
	"strings"
)

// params is a query string or form body, looked at in place: nothing is allocated for what is not asked for.
// A malformed percent escape stands for itself, as `%` does in real clients' text filters.
type params string

// lookup returns the first value of name. It reports false when name is absent.
func (p params) lookup(name string) (string, bool) {
	rest := string(p)
	for rest != "" {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key == name || (strings.ContainsAny(key, "%+") && unescape(key) == name) {
			return unescape(value), true
		}
	}
	return "", false
}

// all goes through the names and values in the order in which they stand.
func (p params) all() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for pair := range strings.SplitSeq(string(p), "&") {
			name, value, _ := strings.Cut(pair, "=")
			if !yield(unescape(name), unescape(value)) {
				return
			}
		}
	}
}

// get returns the first value of name; a parameter that is present but empty counts as absent everywhere.
func (p params) get(name string) string {
	v, _ := p.lookup(name)
	return v
}

// integer returns the integer called by the first of names that is there, or fallback when none is. The error
// names the parameter.
func (p params) integer(fallback int64, names ...string) (int64, error) {
	i, _, err := p.lookupInteger(fallback, names...)
	return i, err
}

// lookupInteger is integer, and tells whether any of names is there.
func (p params) lookupInteger(fallback int64, names ...string) (i int64, there bool, err error) {
	for _, n := range names {
		v := strings.TrimSpace(p.get(n))
		if v == "" {
			continue
		}
		if i, err = parseInteger(v); err != nil {
			return 0, true, failf(400, "Invalid parameter %s: not an integer", n)
		}
		return i, true, nil
	}
	return fallback, false, nil
}

var errInteger = errors.New("not an integer")

// parseInteger reads an optional sign and decimal digits; nothing else, and nothing that an int64 cannot hold.
func parseInteger(s string) (int64, error) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, errInteger
	}
	i, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errInteger
	}
	return i, nil
}

// list returns the items of a comma list, trimmed, empty ones left out; nil when the parameter is absent. A
// list of nothing but commas is absent too.
func (p params) list(name string) []string {
	var items []string
	for item := range strings.SplitSeq(p.get(name), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// unescape undoes form encoding. Text that is not properly encoded is what it says.
func unescape(s string) string {
	if v, err := url.QueryUnescape(s); err == nil {
		return v
	}
	return s
}
