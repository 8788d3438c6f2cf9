package httpd

import (
	"math"
	"net/http"
	"net/netip"
	"time"

	"shiplog/format"
	"shiplog/index"
)

const (
	hssLimit     = 10        // records on a page by default (seed 003)
	maxHSSLimit  = 200       // what the vendor's other lists allow
	maxHSSOffset = 2_000_000 // likewise
)

// hssFilter is a query string. An empty text wants nothing.
type hssFilter struct {
	resourceName, resourceType, eventType, eventName, userName string

	source     netip.Addr // valid: wanted
	noSource   bool       // what was asked for is no address: nothing has it
	start, end int64      // milliseconds since 1970, both inclusive; 0 is 1970
	limit      int
	offset     int
}

// parseHSSFilter reads the parameters. An error names the one that is wrong.
func parseHSSFilter(p params) (hssFilter, error) {
	f := hssFilter{resourceName: p.get("resource_name"), resourceType: p.get("resource_type"),
		eventType: p.get("event_type"), eventName: p.get("event_name"), userName: p.get("user_name")}
	if text := p.get("source_ip"); text != "" {
		addr, err := netip.ParseAddr(text)
		f.source, f.noSource = addr.Unmap(), err != nil
	}
	limit, err := rangedInteger(p, "limit", hssLimit, 1, maxHSSLimit)
	if err != nil {
		return f, err
	}
	offset, err := rangedInteger(p, "offset", 0, 0, maxHSSOffset)
	if err != nil {
		return f, err
	}
	f.limit, f.offset = int(limit), int(offset)
	if f.start, err = rangedInteger(p, "start_time", math.MinInt64, 0, math.MaxInt64); err != nil {
		return f, err
	}
	if f.end, err = rangedInteger(p, "end_time", math.MaxInt64, 0, math.MaxInt64); err != nil {
		return f, err
	}
	if f.start > f.end {
		return f, failf(http.StatusBadRequest, "Invalid parameter: start_time is after end_time")
	}
	return f, nil
}

// rangedInteger is the integer called name, or fallback, which may lie outside of the range, when it is absent.
func rangedInteger(p params, name string, fallback, low, high int64) (int64, error) {
	i, there, err := p.lookupInteger(fallback, name)
	if err != nil || !there {
		return i, err
	}
	switch {
	case i < low && high == math.MaxInt64:
		return 0, failf(http.StatusBadRequest, "Invalid parameter %s: must not be less than %d", name, low)
	case i < low || i > high:
		return 0, failf(http.StatusBadRequest, "Invalid parameter %s: must be %d to %d", name, low, high)
	}
	return i, nil
}

// A store's clock is an int64 of nanoseconds: these are the milliseconds it can hold.
const (
	minMillis = math.MinInt64/int64(time.Millisecond) + 1
	maxMillis = math.MaxInt64/int64(time.Millisecond) - 1
)

// query is what the index is asked. ours tells whether a record that names a project, or none (""), belongs to
// the project of the request.
func (f hssFilter) query(ours func(project string) bool) index.Query {
	q := index.Query{ByTime: true, Limit: f.limit, Offset: f.offset, User: f.userName}
	q.None = f.noSource || f.start > maxMillis
	if f.start > minMillis {
		q.From = time.UnixMilli(f.start)
	}
	if f.end < maxMillis {
		q.To = time.UnixMilli(f.end + 1)
	}
	q.Facets = func(c *index.Facets) bool { return f.maySee(c) && ours(c.Project) }
	if f.resourceName != "" {
		q.Object = func(id, name, image, tag string) bool { return hssName(id, name, image, tag) == f.resourceName }
	}
	if f.resourceType != "" || f.eventType != "" || f.eventName != "" || f.source.IsValid() {
		q.Where = f.wants
	}
	return q
}

// maySee decides by the facets as much as they tell: a record with values of its own for this API hides them in
// its data.
func (f hssFilter) maySee(c *index.Facets) bool {
	if !c.HSS && c.ObjType != "container" && c.ObjType != "image" {
		return false
	}
	if f.userName != "" && c.ActorName != f.userName {
		return false
	}
	if c.HSS {
		return true
	}
	return (f.resourceType == "" || c.ObjType == f.resourceType) && (f.eventName == "" || hssEventName(c.Action) == f.eventName)
}

// wants decides what the facets cannot tell.
func (f hssFilter) wants(r *format.Fields) bool {
	if f.source.IsValid() && !sameAddress(r.SrcIP, f.source) {
		return false
	}
	if f.resourceType == "" && f.eventType == "" && f.eventName == "" {
		return true
	}
	own := ownHSS(r)
	return wanted(f.resourceType, own.resourceType) && wanted(f.eventType, own.eventType) && wanted(f.eventName, own.eventName)
}

func wanted(want, have string) bool { return want == "" || want == have }

// sameAddress tells whether v is the address, however it is written.
func sameAddress(v format.Value, want netip.Addr) bool {
	if v.Empty() {
		return false
	}
	have, err := netip.ParseAddr(v.String())
	return err == nil && have.Unmap() == want
}
