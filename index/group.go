package index

import (
	"context"
	"time"
)

// Field is what [Index.Group] groups by.
type Field int

// The fields.
const (
	ByCategory Field = iota
	ByLevel
	ByUser
	ByAction
	ByStream
	byFacets // by what a function makes of them, see [Index.GroupBy]
)

// Group is how many records of one UTC day have one value.
type Group struct {
	Day   time.Time // its midnight, UTC
	Value string
	Count int
}

// Group counts the records that match by day and field, sorted by day and value. Offset and Limit are ignored.
func (x *Index) Group(ctx context.Context, q Query, by Field) ([]Group, error) {
	return x.groups(ctx, q, &grouping{by: by})
}

// GroupBy is Group by whatever by makes of a record's facets. It is asked once for each distinct combination
// that a segment holds: it must say the same of the same ones.
func (x *Index) GroupBy(ctx context.Context, q Query, by func(*Facets) string) ([]Group, error) {
	return x.groups(ctx, q, &grouping{by: byFacets, of: by})
}

func (x *Index) groups(ctx context.Context, q Query, g *grouping) ([]Group, error) {
	x.count.searches.Add(1)
	defer x.count.ended.Add(1)
	snap, err := x.look()
	if err != nil {
		return nil, err
	}
	q.Offset, q.Limit, q.Ascending = 0, 0, q.Ascending || !q.ByTime // which Past depends on
	r := x.newRun(ctx, q)
	r.group = g
	r.buf = x.takeBuffer()
	err = r.answer(snap, nil, func() {})
	x.giveBuffer(r.buf)
	if err != nil {
		return nil, err
	}
	return g.sorted(), nil
}

type groupKey struct {
	day   int32
	value string
}
