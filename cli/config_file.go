package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"shiplog/format"
)

// DefaultConfig is the configuration file that is read when none is named.
const DefaultConfig = "/etc/shiplog/shiplog.yaml"

const (
	maxConfig   = 256 << 10 // bytes of a configuration file; all keys with a few hundred hosts are far less
	maxProblems = 50        // of one file that are told
)

// setting is one key of a configuration file with what stands behind it.
type setting struct {
	key   string
	line  int
	items []string // one, unless it is a list; nil: what stands there was refused
	list  bool
	truth bool // true, false, or a word that stands for them elsewhere, without quotes
}

// configFile is what a configuration file says, in its order.
type configFile struct {
	path     string
	settings []setting
}

// problem is what is wrong in a place of a configuration file.
type problem struct {
	path string
	line int    // 0: unknown
	key  string // "": of no key
	what string
}

// Error implements error.
func (p problem) Error() string {
	place := p.path
	if p.line > 0 {
		place += ":" + strconv.Itoa(p.line)
	}
	if p.key != "" {
		place += ": " + p.key
	}
	return place + ": " + p.what
}

// configError is all that is wrong with the settings of a command.
type configError []error

// Error implements error.
func (e configError) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\nshiplog: ")
}

// sorted puts the problems into the order of the file.
func (e configError) sorted() configError {
	line := func(err error) int {
		at, _ := errors.AsType[problem](err)
		return at.line
	}
	slices.SortStableFunc(e, func(a, b error) int { return line(a) - line(b) })
	return e
}

// readConfig reads a configuration file. The settings that are returned with a [configError] are those that
// could be understood. Another error says why there is nothing to read.
func readConfig(path string) (*configFile, error) {
	f, err := format.OpenRegular(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	c, problems := parseConfig(path, b)
	if len(problems) > 0 {
		return c, problems
	}
	return c, nil
}

func unreadable(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("configuration file %s: %w", path, err)
}

// parseConfig reads the text of a configuration file: one mapping of keys to values or lists of values. It looks
// at nothing but the form, and goes on after what is wrong.
func parseConfig(path string, b []byte) (*configFile, configError) {
	c := &configFile{path: path}
	if len(b) > maxConfig {
		return c, configError{problem{path: path, what: fmt.Sprintf("larger than %d bytes", maxConfig)}}
	}
	if line := badText(b); line > 0 {
		return c, configError{problem{path: path, line: line, what: "not a text in UTF-8"}}
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case err == io.EOF:
		return c, nil
	case err != nil:
		return c, configError{syntaxProblem(path, err)}
	}
	problems := c.take(&doc)
	switch err := dec.Decode(&second); {
	case err == nil:
		problems = append(problems, problem{path: path, line: second.Line, what: "a second document begins; there must be one"})
	case err != io.EOF:
		problems = append(problems, syntaxProblem(path, err))
	}
	return c, problems
}

// badText returns the line of the first byte that no text has, or 0.
func badText(b []byte) int {
	at := bytes.IndexFunc(b, func(r rune) bool {
		return r == utf8.RuneError || r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f
	})
	if at < 0 {
		return 0
	}
	return 1 + bytes.Count(b[:at], []byte("\n"))
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?((?s).*)$`)

// syntaxProblem takes the line out of what the parser says.
func syntaxProblem(path string, err error) problem {
	m := yamlLine.FindStringSubmatch(err.Error())
	line, _ := strconv.Atoi(m[1]) // 0 when it is not said
	return problem{path: path, line: line, what: "no YAML: " + m[2]}
}

// oldTruth are the words of older YAML for true and false: who writes docker: no does not mean a socket of that name.
var oldTruth = regexp.MustCompile(`^(?i:yes|no|on|off)$`)

// take reads the one document of a file.
func (c *configFile) take(doc *yaml.Node) (problems configError) {
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return configError{problem{path: c.path, line: root.Line, what: "want lines like: listen: 127.0.0.1:7446"}}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		wrong := func(what string, args ...any) {
			problems = append(problems, problem{c.path, key.Line, clip(key.Value), fmt.Sprintf(what, args...)})
		}
		s := setting{key: key.Value, line: key.Line}
		var why string
		switch first := slices.IndexFunc(c.settings, func(other setting) bool { return other.key == s.key }); {
		case len(problems) >= maxProblems:
			return problems
		case key.Kind != yaml.ScalarNode || key.Value == "":
			wrong("a key must be a name")
			continue
		case first >= 0:
			wrong("is there twice, first in line %d", c.settings[first].line)
			continue
		}
		s.truth = value.Tag == "!!bool" || value.Style == 0 && oldTruth.MatchString(value.Value)
		if s.items, s.list, why = itemsOf(value); why != "" {
			wrong("%s", why)
		}
		c.settings = append(c.settings, s)
	}
	return problems
}

// itemsOf returns what stands behind a key, or why that cannot be.
func itemsOf(n *yaml.Node) (items []string, list bool, why string) {
	switch {
	case n.Kind == yaml.SequenceNode:
		items = []string{} // an empty list is one
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
				return nil, true, fmt.Sprintf("the list in line %d must have simple values only", item.Line)
			}
			if why := oddText(item); why != "" {
				return nil, true, why
			}
			items = append(items, item.Value)
		}
		return items, true, ""
	case n.Kind == yaml.MappingNode:
		return nil, false, "want a value, not further keys"
	case n.Kind != yaml.ScalarNode:
		return nil, false, "want a value; what begins with * or & is not known here, quote it if it is meant"
	case n.Tag == "!!null":
		return nil, false, `has no value; give one, "" for none, or take the line out`
	}
	if why := oddText(n); why != "" {
		return nil, false, why
	}
	return []string{n.Value}, false, ""
}

// oddText returns what keeps a value from being taken as it is written.
func oddText(n *yaml.Node) string {
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		return "want a value; what begins with ! is not known here, quote it if it is meant"
	case strings.ContainsAny(n.Value, "\n\r"):
		return "want a value of one line"
	}
	return ""
}

// clip keeps what is repeated of a file short and in one line.
func clip(s string) string {
	s = string(appendVisible(nil, []byte(s)))
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "..."
	}
	return s
}
