package httpd

import (
	"net/http"
	"strings"

	"shiplog/format"
	"shiplog/index"
)

// maxJournalFilters bounds the filters of one request; each is asked of each record.
const maxJournalFilters = 100

// journalFilter is the filters of a request. A record matches when it meets all of them.
type journalFilter struct {
	conditions      []journalCondition
	project, domain string // filter_project_id, filter_domain_id; "": none
	rights          func(*index.Facets) bool
}

// journalCondition is one parameter: a test of one field.
type journalCondition struct {
	name     string // as the request spells it
	field    *journalField
	modifier string
	values   []string
	test     textTest
}

// match judges a record by its line.
func (c *journalCondition) match(f *format.Fields) bool {
	text := c.field.text(f)
	return c.test(text, text == "" && !c.field.always)
}

// matchFacets judges the same by facets, for a field that is one.
func (c *journalCondition) matchFacets(f *index.Facets) bool {
	text := c.field.facet(f)
	return c.test(text, text == "" && !c.field.always)
}

// who adds what the asker may see; nil: all.
func (j *journalFilter) who(rights func(*index.Facets) bool) { j.rights = rights }

// parseJournalFilter reads the filters of a query string. What it does not know is ignored, but not when it has
// the two underscores of a modifier: whoever writes those means to filter.
func parseJournalFilter(p params) (*journalFilter, error) {
	j := &journalFilter{project: p.get("filter_project_id"), domain: p.get("filter_domain_id")}
	at := make(map[string]int) // by parameter: where it stands in conditions; -1: its first value is empty
	for name, value := range p.all() {
		field, modifier, err := splitFilter(name)
		if err != nil && value != "" {
			return nil, err
		}
		if field == nil {
			continue
		}
		list := modifier == "in" || modifier == "notin"
		i, again := at[name]
		switch {
		case again && !list || list && value == "":
		case !again && value == "":
			at[name] = -1
		case again:
			j.conditions[i].values = append(j.conditions[i].values, value)
		case len(j.conditions) == maxJournalFilters:
			return nil, failf(http.StatusBadRequest, "There are more than %d filters", maxJournalFilters)
		default:
			at[name] = len(j.conditions)
			j.conditions = append(j.conditions, journalCondition{name: name, field: field, modifier: modifier, values: []string{value}})
		}
	}
	for i := range j.conditions {
		c := &j.conditions[i]
		test, err := modifierTest(c.field, c.modifier, c.values)
		if err != nil {
			return nil, failf(http.StatusBadRequest, "Invalid value of %s: %v", c.name, err)
		}
		if c.test = test; test == nil {
			return nil, failf(http.StatusBadRequest, "Unknown filter %q: the field has no modifier %q", clip(c.name), clip(c.modifier))
		}
	}
	return j, nil
}

// splitFilter tells which field and modifier a parameter names; field is nil when it is no filter. The product's
// documents also write not_eq for noteq, and in with one underscore.
func splitFilter(name string) (field *journalField, modifier string, err error) {
	prefix, modifier, modified := strings.Cut(name, "__")
	if !modified {
		if field = journalFieldOf(name); field != nil {
			return field, "eq", nil
		}
		if prefix, modified = strings.CutSuffix(name, "_in"); modified {
			return journalFieldOf(prefix), "in", nil
		}
		return nil, "", nil
	}
	if field = journalFieldOf(prefix); field == nil {
		return nil, "", failf(http.StatusBadRequest, "Unknown filter %q: there is no field %q", clip(name), clip(prefix))
	}
	if modifier == "not_eq" {
		modifier = "noteq"
	}
	return field, modifier, nil
}
