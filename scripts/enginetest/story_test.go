package enginetest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// story is what is done to one container, and what must be told of it afterwards.
type story struct {
	name   string   // of the container when it was made; unique in the run
	engine string   // docker or lxc
	do     []string // lines of bash; one that begins with "!" must fail
	// states are the container's messages of /event in order.
	states string
	// lines are its lines of /log, oldest first: the level unless it is INFO, then the text, in which
	// {} is the container as shiplog writes it and {NAME} the same under a later name.
	lines []string
}

var placeholder = regexp.MustCompile(`\{([a-z0-9/:]*)\}`)

// wantLines fills the placeholders.
func (s story) wantLines(o *oracle, t *testing.T) []string {
	var want []string
	for _, line := range s.lines {
		want = append(want, placeholder.ReplaceAllStringFunc(line, func(p string) string {
			name := strings.Trim(p, "{}")
			if name == "" {
				name = s.name
			}
			if s.engine == "docker" {
				return fmt.Sprintf("(docker, %s, %s)", o.containerID(t, s.name)[:12], name)
			}
			return fmt.Sprintf("(lxc, %s)", name)
		}))
	}
	return want
}

// gotLines picks the lines that speak of the story's container.
func (s story) gotLines(o *oracle, t *testing.T, all []logLine) []string {
	about := regexp.MustCompile(`\b` + regexp.QuoteMeta(s.name) + `\b`)
	if s.engine == "docker" {
		about = regexp.MustCompile(o.containerID(t, s.name)[:12])
	}
	var got []string
	for _, l := range all {
		if about.MatchString(l.Message) {
			got = append(got, strings.TrimPrefix(l.Level+" "+l.Message, "INFO "))
		}
	}
	return got
}

// gotStates picks the states of the story's container, in order. Ports come from an inspection of their
// own, at a moment of their own.
func (s story) gotStates(o *oracle, t *testing.T, all []message) string {
	member, value := "container", s.name
	if s.engine == "docker" {
		member, value = "id", o.containerID(t, s.name)
	}
	var got []string
	for _, m := range all {
		if m.Category == "container" && m.member("type") == s.engine && m.member(member) == value && m.member("state") != "" {
			got = append(got, m.member("state"))
		}
	}
	// dockerd says the end of one connection twice when a network is disconnected from a running container.
	return strings.ReplaceAll(strings.Join(got, " "), "disconnect disconnect", "disconnect")
}

// told compares a story with what the API answers under one prefix.
func (s story) told(t *testing.T, o *oracle, logs []logLine, events []message) {
	want, got := s.wantLines(o, t), s.gotLines(o, t, logs)
	if s.engine == "lxc" {
		// incusd tells an action and the end of its operation in either order.
		want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	}
	if want != nil && !slices.EqualFunc(want, got, matches) {
		t.Errorf("lines of %s:\n\t%s\nwant\n\t%s", s.name, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	if states := s.gotStates(o, t, events); states != s.states {
		t.Errorf("states of %s:\n\t%s\nwant\n\t%s", s.name, states, s.states)
	}
}

// matches compares with "..." standing for any text at the end.
func matches(want, got string) bool {
	if head, open := strings.CutSuffix(want, "..."); open {
		return strings.HasPrefix(got, head)
	}
	return want == got
}
