package httpd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func decodeJSON(text string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}

// matchJSON compares a JSON text with what is wanted of it; with subset, members not listed are free.
func matchJSON(want json.RawMessage, got string, subset bool) []string {
	w, err := decodeJSON(string(want))
	if err != nil {
		return []string{"wanted JSON: " + err.Error()}
	}
	g, err := decodeJSON(got)
	if err != nil {
		return []string{"JSON: " + err.Error()}
	}
	return matchValue("", w, g, subset)
}

func matchValue(at string, want, got any, subset bool) (diffs []string) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s = %s, want an object", at, text(got))}
		}
		return matchObject(at, w, g, subset)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{fmt.Sprintf("%s = %s, want an array of %d", at, text(got), len(w))}
		}
		for i := range w {
			diffs = append(diffs, matchValue(fmt.Sprintf("%s[%d]", at, i), w[i], g[i], subset)...)
		}
		return diffs
	case string:
		if strings.HasPrefix(w, "@") {
			return matchPattern(at, w, got)
		}
	case json.Number:
		if g, ok := got.(json.Number); ok && sameNumber(w, g) {
			return nil
		}
	}
	if text(want) != text(got) {
		return []string{fmt.Sprintf("%s = %s, want %s", at, text(got), text(want))}
	}
	return nil
}

func matchObject(at string, want, got map[string]any, subset bool) (diffs []string) {
	for name, w := range want {
		g, there := got[name]
		switch {
		case w == "@absent":
			if there {
				diffs = append(diffs, fmt.Sprintf("%s.%s is there, want it absent", at, name))
			}
		case !there:
			diffs = append(diffs, fmt.Sprintf("%s.%s is absent, want %s", at, name, text(w)))
		default:
			diffs = append(diffs, matchValue(at+"."+name, w, g, subset)...)
		}
	}
	for name := range got {
		if _, wanted := want[name]; !wanted && !subset {
			diffs = append(diffs, fmt.Sprintf("%s.%s is there, want it absent", at, name))
		}
	}
	slices.Sort(diffs)
	return diffs
}

func sameNumber(a, b json.Number) bool {
	x, errX := a.Float64()
	y, errY := b.Float64()
	return a == b || (errX == nil && errY == nil && x == y && strings.ContainsAny(string(a+b), ".eE"))
}

func text(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func matchText(at, want, got string) []string {
	if strings.HasPrefix(want, "@") {
		return matchPattern(at, want, got)
	}
	if want != got {
		return []string{fmt.Sprintf("%s = %q, want %q", at, got, want)}
	}
	return nil
}

// namedPatterns are the matchers that are a regular expression.
var namedPatterns = map[string]*regexp.Regexp{
	"@str":      regexp.MustCompile(`(?s)^.+$`),
	"@uuid":     regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`),
	"@datetime": regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`),
	"@isotime":  regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`),
	"@color":    regexp.MustCompile(`^#[0-9a-fA-F]{6}$`),
	"@token":    regexp.MustCompile(`^[A-Za-z0-9_=-]+$`),
}

func matchPattern(at, want string, got any) []string {
	s, isText := got.(string)
	n, isNumber := got.(json.Number)
	kind, arg, _ := strings.Cut(want, ":")
	ok := false
	switch kind {
	case "@int":
		_, err := strconv.ParseInt(string(n), 10, 64)
		ok = isNumber && err == nil
	case "@number":
		ok = isNumber
	case "@gt":
		limit, errLimit := strconv.ParseInt(arg, 10, 64)
		value, err := strconv.ParseInt(string(n), 10, 64)
		ok = isNumber && errLimit == nil && err == nil && value > limit
	case "@regex":
		ok = isText && regexp.MustCompile(arg).MatchString(s)
	case "@recent", "@recent_s":
		ok = isText && recent(s)
	default:
		pattern, known := namedPatterns[kind]
		if !known {
			return []string{fmt.Sprintf("%s: matcher %s is not known to the runner", at, want)}
		}
		ok = isText && pattern.MatchString(s)
	}
	if !ok {
		return []string{fmt.Sprintf("%s = %s, want %s", at, text(got), want)}
	}
	return nil
}

// recent tells whether a time in one of the two forms is within a minute of now.
func recent(s string) bool {
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return time.Since(t).Abs() < time.Minute
		}
	}
	return false
}

var references = regexp.MustCompile(`@(prev|first)\.([A-Za-z0-9_]+)`)

// substitute puts members of earlier answers into a query: @prev.X, @first.X, and with _flipbyte the same
// text with one character changed.
func (run *caseRun) substitute(query string) string {
	return references.ReplaceAllStringFunc(query, func(ref string) string {
		m := references.FindStringSubmatch(ref)
		answer := run.prev
		if m[1] == "first" {
			answer = run.first
		}
		object, _ := answer.(map[string]any)
		name, flip := strings.CutSuffix(m[2], "_flipbyte")
		value, ok := object[name].(string)
		if !ok || value == "" {
			run.t.Fatalf("%s: the answer has no such text", ref)
		}
		if flip {
			c := byte('A')
			if value[len(value)/2] == c {
				c = 'B'
			}
			value = value[:len(value)/2] + string(c) + value[len(value)/2+1:]
		}
		return value
	})
}
