package index

import (
	"sync"
	"unsafe"
)

// facetTable is combinations of facets, each once for all segments, so that a query asks of each once. It only grows.
type facetTable struct {
	places map[string]uint32 // of the values of dictionaries, in facets
	facets []Facets
	bytes  int // of values

	users int // sealed segments that hold it; guarded by the mu of rollups, as taken
	taken int // bytes of the room of rollups that it has; 0: nobody holds it
}

// placeBytes is about what a combination takes beside its value.
const placeBytes = int(unsafe.Sizeof(Facets{})) + 48

func (t *facetTable) size() int { return t.bytes + len(t.facets)*placeBytes }

// Bounds of what rollups and tables take of the memory. Beyond them the columns answer.
const (
	maxRollupBytes = 8 << 20 // of all rollups, and of the tables that sealed segments hold
	maxFacetBytes  = 2 << 20 // of the values of a table
	maxFacetPlaces = 16 << 10
)

// rollups is what all of them share.
type rollups struct {
	mu    sync.Mutex
	table *facetTable // guarded by mu, as bytes; begun anew when it is full
	bytes int         // of all rollups and of the tables that are held
}

// facetNames tells which combinations the codes of a column of facets are.
type facetNames struct {
	table  *facetTable
	facets []Facets // those of the table, at least as far as places lead
	places []uint32 // by code
}

// name names the values of d that n does not know yet, and all of them when their table is not the one in use any more.
// It is false when there are too many of them. The caller is guarded; what n was before may be looked at meanwhile.
func (rs *rollups) name(n facetNames, d *dict) (facetNames, bool) {
	if d.len() > maxFacetPlaces || len(d.blob) > maxFacetBytes {
		return n, false
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if n.table != nil && n.table == rs.table && len(n.places) == d.len() {
		return n, true
	}
	if n.table != rs.table {
		n = facetNames{}
	}
	if t := rs.table; t == nil || !t.hasRoom(d, len(n.places)) {
		rs.table = &facetTable{places: make(map[string]uint32)} // the old one goes with those who use it
		n = facetNames{}
	}
	n.table = rs.table
	for code := len(n.places); code < d.len(); code++ {
		n.places = append(n.places, n.table.place(d.at(uint32(code))))
	}
	n.facets = n.table.facets
	return n, true
}

// hasRoom tells whether the values of d from code first on fit into t, were none of them known.
func (t *facetTable) hasRoom(d *dict, first int) bool {
	more := d.len() - first
	if more == 0 {
		return true
	}
	blob := len(d.blob)
	if first > 0 {
		blob -= int(d.ends[first-1])
	}
	return len(t.facets)+more <= maxFacetPlaces && t.bytes+blob <= maxFacetBytes
}

// place is where a value of a dictionary stands.
func (t *facetTable) place(value []byte) uint32 {
	place, known := t.places[string(value)]
	if !known {
		place = uint32(len(t.facets))
		own := string(value)
		t.places[own], t.facets, t.bytes = place, append(t.facets, splitFacets(own)), t.bytes+len(own)
	}
	return place
}

// namesOf names the facets of d, once. The caller holds d, and is guarded: the file may be cut short while it is mapped, and
// nobody could let go of d any more if it stayed locked then.
func (rs *rollups) namesOf(d *disk) (facetNames, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return rs.names(d)
}

// names is namesOf while d.mu is held.
func (rs *rollups) names(d *disk) (facetNames, bool) {
	k := &d.cols.facets
	if d.names.table != nil || d.noNames || k.lost {
		return d.names, d.names.table != nil
	}
	names, ok := rs.name(facetNames{}, &k.dict)
	if !ok || !rs.hold(names) {
		d.noNames = true
		return facetNames{}, false
	}
	d.names, d.rolls = names, rs
	return names, true
}

// hold takes the room for names and for what their table has grown by since it was held last, if there is as much. An old
// table is there until the last segment lets go of it: without a bound there would be one for every few segments.
func (rs *rollups) hold(names facetNames) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	t := names.table
	grown := t.size() - t.taken
	if rs.bytes+names.size()+grown > maxRollupBytes {
		return false
	}
	rs.bytes += names.size() + grown
	t.taken += grown
	t.users++
	return true
}

// letGo gives back what hold took.
func (rs *rollups) letGo(names facetNames) {
	rs.mu.Lock()
	t, free := names.table, names.size()
	if t.users--; t.users == 0 {
		free += t.taken
		t.taken = 0
	}
	rs.mu.Unlock()
	rs.give(free)
}

// size is what n takes beside its table.
func (n facetNames) size() int { return 4 * len(n.places) }

// take takes so many bytes of the room, if there are as many.
func (rs *rollups) take(bytes int) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.bytes+bytes > maxRollupBytes {
		return false
	}
	rs.bytes += bytes
	return true
}

// give gives room back. When nobody has any the table goes.
func (rs *rollups) give(bytes int) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.bytes -= bytes; rs.bytes == 0 {
		rs.table = nil
	}
}
