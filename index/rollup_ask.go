package index

import (
	"slices"

	"shiplog/format"
)

// facetsAsked is what a run has asked of combinations of facets, by their places in a table: of each once, in however
// many segments it stands.
type facetsAsked struct {
	of       facetNames // of the segment that is visited
	verdicts []uint8
	names    []int32 // of what is wanted and grouped: where in the list of the grouping
	wanted   []bool  // reused, see wantedFacets
}

// What a combination is.
const (
	notAsked   = 0
	isWanted   = 1
	isUnwanted = 2
)

// askOf asks r of all combinations in names that it was not asked of yet, and returns the verdicts by place.
func (a *facetsAsked) askOf(r *run, names facetNames) (verdicts []uint8) {
	a.goOn(names)
	shield(func() {
		for _, place := range names.places {
			if a.verdicts[place] == notAsked {
				a.ask(r, place)
			}
		}
	})
	return a.verdicts
}

// sum adds up the totals, by code, of the combinations that r wants.
func (a *facetsAsked) sum(r *run, names facetNames, totals []uint32) (n int) {
	a.goOn(names)
	shield(func() {
		verdicts := a.verdicts
		for code, place := range names.places[:len(totals)] {
			if verdicts[place] == notAsked {
				a.ask(r, place)
			}
			n += int(totals[code]) * int(verdicts[place]&isWanted) // without a branch, which nobody could foresee
		}
	})
	return n
}

// goOn makes room for the verdicts of names.
func (a *facetsAsked) goOn(names facetNames) {
	if a.of.table != names.table {
		*a = facetsAsked{wanted: a.wanted}
	}
	a.of = names
	if more := len(names.facets) - len(a.verdicts); more > 0 {
		a.verdicts = append(a.verdicts, make([]uint8, more)...)
		a.names = append(a.names, make([]int32, more)...)
	}
}

// ask asks whether the combination at place is wanted and, if so, which group it belongs to.
func (a *facetsAsked) ask(r *run, place uint32) {
	f, q := &a.of.facets[place], &r.q
	if q.User != "" && f.user() != q.User || len(q.Actions) > 0 && !slices.Contains(q.Actions, f.Action) ||
		q.Facets != nil && !q.Facets(f) {
		a.verdicts[place] = isUnwanted
		return
	}
	a.verdicts[place] = isWanted
	if r.group != nil && r.group.by == byFacets {
		a.names[place] = r.group.place(r.group.of(f))
	}
}

// wantedFacets tells which values of the dictionary of facets of t are wanted, for the next plan: each combination is
// asked of once in all segments. nil: it is for the plan to ask. The caller is guarded.
func (r *run) wantedFacets(t *table) []bool {
	if r.q.Facets == nil || r.m.only != nil { // of few records the lines tell
		return nil
	}
	var names facetNames
	ok := false
	if t.disk != nil {
		names, ok = r.x.rolls.namesOf(t.disk)
	} else if t.cols.live != nil {
		names, ok = t.cols.live.namesOf(&r.x.rolls, t.cols)
	}
	codes := t.cols.facets.dict.len()
	if !ok || len(names.places) < codes {
		return nil
	}
	a := r.asked
	verdicts := a.askOf(r, names)
	a.wanted = slices.Grow(a.wanted[:0], codes)[:codes]
	for code, place := range names.places[:codes] {
		a.wanted[code] = verdicts[place] == isWanted
	}
	return a.wanted
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
