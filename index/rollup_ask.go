package index

import (
	"slices"
	"strings"

	"shiplog/format"
)

// facetsAsked is what a run has asked of combinations of facets, by their places in a table: of each once, in however
// many segments it stands.
type facetsAsked struct {
	roll     *rollup
	verdicts []uint8
	names    []int32  // of what is wanted and grouped: where in list
	list     []string // names of groups, each once
	places   map[string]int32

	facets Facets // what is asked of, reused: its texts may be kept, it may not

	day  int32
	sums []int // of day, by name
}

// What a combination is.
const (
	notAsked = iota
	isWanted
	isUnwanted
)

// begin readies a for the rows of roll.
func (a *facetsAsked) begin(roll *rollup) {
	if a.roll == nil || a.roll.table != roll.table {
		*a = facetsAsked{}
	}
	a.roll = roll
	more := len(roll.values) - len(a.verdicts)
	a.verdicts = append(a.verdicts, make([]uint8, max(more, 0))...)
	a.names = append(a.names, make([]int32, max(more, 0))...)
}

// ask asks whether the combination at place is wanted and, if so, which group it belongs to.
func (a *facetsAsked) ask(r *run, place uint32) (verdict uint8) {
	f, q := &a.facets, &r.q
	a.verdicts[place] = isUnwanted
	if !q.mayBeUsers(a.roll.values[place]) {
		return isUnwanted
	}
	*f = splitFacets(a.roll.values[place])
	if q.User != "" && f.user() != q.User || len(q.Actions) > 0 && !slices.Contains(q.Actions, f.Action) {
		return isUnwanted
	}
	name, ok := "", true
	shield(func() {
		if ok = q.Facets == nil || q.Facets(f); ok && r.group != nil {
			name = r.group.of(f)
		}
	})
	if !ok {
		return isUnwanted
	}
	a.verdicts[place] = isWanted
	if r.group == nil {
		return isWanted
	}
	i, known := a.places[name]
	if !known {
		if a.places == nil {
			a.places = make(map[string]int32)
		}
		i = int32(len(a.list))
		a.places[name], a.list, a.sums = i, append(a.list, name), append(a.sums, 0)
	}
	a.names[place] = i
	return isWanted
}

// mayBeUsers tells whether a record with the facets of a dictionary value may be of the user that q wants. To look for
// the name is a tenth of taking the value apart.
func (q *Query) mayBeUsers(value string) bool {
	switch q.User {
	case "", "system", "Anonymous": // who has no name may be called so
		return true
	}
	return strings.Contains(value, q.User)
}

// user is [format.Fields.User].
func (f *Facets) user() string {
	switch {
	case f.ActorName != "":
		return f.ActorName
	case f.ActorType == format.ActorAnonymous:
		return "Anonymous"
	}
	return "system"
}

// count counts a row for its group. Rows come by day.
func (a *facetsAsked) count(g *grouping, row *rollupRow) {
	if row.day != a.day {
		a.flush(g)
		a.day = row.day
	}
	a.sums[a.names[row.facets]] += int(row.count)
}

// flush gives the sums of a day to the group.
func (a *facetsAsked) flush(g *grouping) {
	if g == nil {
		return
	}
	if g.lines == nil {
		g.lines = make(map[groupKey]int)
	}
	for i, n := range a.sums {
		if n > 0 {
			g.lines[groupKey{a.day, a.list[i]}] += n
			a.sums[i] = 0
		}
	}
}
