package httpd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"shiplog/format"
	"shiplog/index"
)

// narrow makes the query. What the index has columns for narrows first, what is a facet is asked of facets, and
// only the rest of the lines.
func (a aos) narrow(ctx context.Context, set *settings, j *journalFilter) (index.Query, error) {
	n := &journalNarrowing{search: a.s.search}
	n.facet(j.rights)
	for i := range j.conditions {
		if err := n.condition(ctx, &j.conditions[i]); err != nil {
			return n.query, err
		}
	}
	project := func(f *index.Facets) bool { return set.projectOf(f.Project) == j.project }
	domain := func(f *index.Facets) bool { return f.ActorHome == j.domain }
	if err := n.owner(ctx, "project", j.project, project, func(f *format.Fields) bool { return set.projectOf(f.Project.String()) == j.project }); err != nil {
		return n.query, err
	}
	if err := n.owner(ctx, "domain", j.domain, domain, func(f *format.Fields) bool { return f.ActorDomain.Is(j.domain) }); err != nil {
		return n.query, err
	}
	return n.done(), nil
}

// journalNarrowing is a query being made.
type journalNarrowing struct {
	search func(context.Context, index.Query) (index.Page, error)
	query  index.Query
	facets []func(*index.Facets) bool
	lines  []func(*format.Fields) bool
}

func (n *journalNarrowing) facet(test func(*index.Facets) bool) {
	if test != nil {
		n.facets = append(n.facets, test)
	}
}

// done puts the tests into the query.
func (n *journalNarrowing) done() index.Query {
	if all := n.facets; len(all) > 0 {
		n.query.Facets = func(f *index.Facets) bool {
			return !slices.ContainsFunc(all, func(test func(*index.Facets) bool) bool { return !test(f) })
		}
	}
	if all := n.lines; len(all) > 0 {
		n.query.Where = func(f *format.Fields) bool {
			return !slices.ContainsFunc(all, func(test func(*format.Fields) bool) bool { return !test(f) })
		}
	}
	return n.query
}

// condition adds one condition.
func (n *journalNarrowing) condition(ctx context.Context, c *journalCondition) error {
	exact, err := n.columns(ctx, c)
	switch {
	case err != nil || exact:
	case c.field.facet != nil:
		n.facets = append(n.facets, c.matchFacets)
	default:
		n.lines = append(n.lines, c.match)
	}
	return err
}

// columns narrows by what the index finds without a look at lines or facets, and tells whether that is all of
// the condition.
func (n *journalNarrowing) columns(ctx context.Context, c *journalCondition) (exact bool, err error) {
	q, v := &n.query, c.values[0]
	switch c.field.name + " " + c.modifier {
	case "id eq", "id gt", "id gte", "id lt", "id lte":
		n.numbers(c.modifier, v)
		return true, nil
	case "event_time eq", "event_time gt", "event_time gte", "event_time lt", "event_time lte":
		n.times(c.modifier, v)
		return true, nil
	case "event_time year":
		return n.year(v), nil
	case "action eq", "action in":
		if q.Actions == nil {
			q.Actions = c.values
			return true, nil
		}
	case "user_name eq":
		q.User = v // those without a name have another one here: the facets decide
	case "message contains":
		if q.Text == "" {
			q.Text = v
			return true, nil
		}
	case "message eq", "message startswith", "message endswith":
		if q.Text == "" {
			q.Text = v
		}
	case "object_id eq":
		named, err := n.objectByName(ctx, "", v)
		if err == nil && !named && q.ObjID == "" {
			q.ObjID = v // the beginning of a long id is enough there: the line decides
		}
		return false, err
	}
	return false, nil
}

// numbers bounds the query by an id.
func (n *journalNarrowing) numbers(modifier, value string) {
	q := &n.query
	v, _ := parseInteger(strings.TrimSpace(value)) // it was read before
	low := v < 0
	u := uint64(max(v, 0))
	if modifier == "eq" || modifier == "gte" || modifier == "gt" {
		switch {
		case modifier == "gt" && !low:
			q.After = max(q.After, u)
		case modifier != "gt" && u > 0:
			q.After = max(q.After, u-1)
		}
	}
	if modifier == "eq" || modifier == "lte" || modifier == "lt" {
		before := u // nothing has a seq of 0
		if modifier != "lt" {
			before = u + 1
		}
		if low || before <= 1 {
			q.None = true
			return
		}
		if q.Before == 0 || before < q.Before {
			q.Before = before
		}
	}
}

// times bounds the query by a moment, at the precision of seconds.
func (n *journalNarrowing) times(modifier, value string) {
	q := &n.query
	from, _ := parseJournalTime(strings.TrimSpace(value)) // it was read before
	to := from + 1
	if modifier == "gt" {
		from++
	}
	if modifier == "lt" {
		to--
	}
	if strings.HasPrefix(modifier, "g") || modifier == "eq" {
		switch {
		case from > maxSeconds:
			q.None = true
		case from >= minSeconds:
			q.From = later(q.From, time.Unix(from, 0))
		}
	}
	if strings.HasPrefix(modifier, "l") || modifier == "eq" {
		switch {
		case to < minSeconds:
			q.None = true
		case to <= maxSeconds && (q.To.IsZero() || time.Unix(to, 0).Before(q.To)):
			q.To = time.Unix(to, 0)
		}
	}
}

// year bounds the query by a year, when the store's clock holds all of it.
func (n *journalNarrowing) year(value string) bool {
	y, err := parseInteger(strings.TrimSpace(value))
	if err != nil || y < 1678 || y > 2261 {
		return false
	}
	n.times("gte", fmt.Sprintf("%d-01-01", y))
	n.times("lt", fmt.Sprintf("%d-01-01", y+1))
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// owner keeps the records that belong to id, or whose object of type typ it is. The second is rare: when there
// is no such object now, the facets decide alone.
func (n *journalNarrowing) owner(ctx context.Context, typ, id string, facet func(*index.Facets) bool, line func(*format.Fields) bool) error {
	if id == "" {
		return nil
	}
	is := func(f *format.Fields) bool { return f.ObjType.Is(typ) && shownObject(f).Is(id) }
	found, err := n.objectByName(ctx, typ, id)
	if err == nil && !found {
		found, err = n.any(ctx, index.Query{ObjID: id, Facets: func(f *index.Facets) bool { return f.ObjType == typ }, Where: is})
	}
	if err != nil || !found {
		n.facet(facet)
		return err
	}
	n.facet(func(f *index.Facets) bool { return f.ObjType == typ || facet(f) })
	n.lines = append(n.lines, func(f *format.Fields) bool { return line(f) || is(f) })
	return nil
}

// objectByName tells whether any record shows name as the id of an object of type typ ("": of any), because it
// has no other.
func (n *journalNarrowing) objectByName(ctx context.Context, typ, name string) (bool, error) {
	q := index.Query{ObjName: name, Where: func(f *format.Fields) bool { return f.ObjID.Empty() }}
	if typ != "" {
		q.Facets = func(f *index.Facets) bool { return f.ObjType == typ }
	}
	return n.any(ctx, q)
}

func (n *journalNarrowing) any(ctx context.Context, q index.Query) (bool, error) {
	q.Limit = 1
	page, err := n.search(ctx, q)
	return len(page.Hits) > 0, err
}
