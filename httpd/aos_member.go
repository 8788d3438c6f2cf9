package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"
)

// categorySystem is the category of what belongs to no other.
const categorySystem = "system"

// journalMembers reads the members of a posted entry. Of a member that stands twice the last counts; unknown
// ones are ignored.
type journalMembers struct {
	all   map[string]json.RawMessage
	query params
	err   error // the first; once there is one, what is read does not matter
}

// parse finds the members in a body.
func (m *journalMembers) parse(body []byte) error {
	if !utf8.Valid(body) {
		return failf(http.StatusBadRequest, "The body is not valid UTF-8")
	}
	var outer map[string]json.RawMessage // a struct would take Journal for journal
	err := json.Unmarshal(body, &outer)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return failf(http.StatusBadRequest, "The body is not JSON: %v", syntax)
	}
	if err != nil || json.Unmarshal(outer["journal"], &m.all) != nil || m.all == nil {
		return failf(http.StatusBadRequest, "The body has no object journal")
	}
	return nil
}

// parameter is the value of a member that may also stand in the query.
func (m *journalMembers) parameter(name string) string { return m.query.get(name) }

// required reads a member that must be there and not be empty.
func (m *journalMembers) required(name string, limit int, read func(json.RawMessage) (string, error)) string {
	v := m.optional(name, limit, read, nil)
	if v == "" && m.err == nil {
		m.err = failf(http.StatusBadRequest, "The member %s is missing or empty", name)
	}
	return v
}

// optional reads a member of at most limit bytes. One that is not there, null or empty is what elsewhere has
// (nil: nothing).
func (m *journalMembers) optional(name string, limit int, read func(json.RawMessage) (string, error), elsewhere func(string) string) string {
	var v string
	if raw := m.all[name]; raw != nil && string(raw) != "null" {
		var err error
		if v, err = read(raw); err != nil && m.err == nil {
			m.err = failf(http.StatusBadRequest, "Invalid member %s: %v", name, err)
		}
	}
	if v == "" && elsewhere != nil {
		v = elsewhere(name)
	}
	if m.err == nil && len(v) > limit {
		m.err = failf(http.StatusBadRequest, "The member %s is longer than %d bytes", name, limit)
	}
	if m.err == nil && !utf8.ValidString(v) {
		m.err = failf(http.StatusBadRequest, "The value of %s is not valid UTF-8", name)
	}
	return v
}

var (
	errNotText    = errors.New("must be a string")
	errNotInteger = errors.New("must be a string or an integer")
	errNotJSON    = errors.New("the string must hold JSON")
)

func textOnly(raw json.RawMessage) (string, error) {
	if raw[0] != '"' {
		return "", errNotText
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// textOrInteger reads a string, or an integer as the digits that stand there.
func textOrInteger(raw json.RawMessage) (string, error) {
	if raw[0] == '"' {
		return textOnly(raw)
	}
	if digits := strings.TrimPrefix(string(raw), "-"); digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", errNotInteger
	}
	return string(raw), nil
}

// jsonText reads a string that holds JSON, kept as it is, or any other value as its text without spaces, in
// which numbers keep their digits.
func jsonText(raw json.RawMessage) (string, error) {
	if raw[0] == '"' {
		s, err := textOnly(raw)
		if err == nil && !json.Valid([]byte(s)) {
			err = errNotJSON
		}
		return s, err
	}
	var b bytes.Buffer
	err := json.Compact(&b, raw)
	return b.String(), err
}
