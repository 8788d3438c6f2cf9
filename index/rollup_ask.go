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
	notAsked = iota
	isWanted
	isUnwanted
)

// begin readies a for a segment with names, and returns the verdicts by place.
func (a *facetsAsked) begin(names facetNames) (verdicts []uint8) {
	if a.of.table != names.table {
		*a = facetsAsked{wanted: a.wanted}
	}
	a.of = names
	if more := len(names.facets) - len(a.verdicts); more > 0 {
		a.verdicts = append(a.verdicts, make([]uint8, more)...)
		a.names = append(a.names, make([]int32, more)...)
	}
	return a.verdicts
}

// ask asks whether the combination at place is wanted and, if so, which group it belongs to.
func (a *facetsAsked) ask(r *run, place uint32) (verdict uint8) {
	f, q := &a.of.facets[place], &r.q
	a.verdicts[place] = isUnwanted
	if q.User != "" && f.user() != q.User || len(q.Actions) > 0 && !slices.Contains(q.Actions, f.Action) {
		return isUnwanted
	}
	byFacets := r.group != nil && r.group.by == byFacets
	if q.Facets == nil && !byFacets {
		a.verdicts[place] = isWanted
		return isWanted
	}
	name, ok := "", true
	shield(func() {
		if ok = q.Facets == nil || q.Facets(f); ok && byFacets {
			name = r.group.of(f)
		}
	})
	if !ok {
		return isUnwanted
	}
	if a.verdicts[place] = isWanted; byFacets {
		a.names[place] = r.group.place(name)
	}
	return isWanted
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
		t.disk.mu.Lock()
		names, ok = r.x.rolls.names(t.disk)
		t.disk.mu.Unlock()
	} else if t.cols.live != nil {
		names, ok = t.cols.live.namesOf(&r.x.rolls, t.cols)
	}
	codes := t.cols.facets.dict.len()
	if !ok || len(names.places) < codes {
		return nil
	}
	a := &r.asked
	verdicts := a.begin(names)
	a.wanted = slices.Grow(a.wanted[:0], codes)[:codes]
	for code, place := range names.places[:codes] {
		verdict := verdicts[place]
		if verdict == notAsked {
			verdict = a.ask(r, place)
		}
		a.wanted[code] = verdict == isWanted
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
