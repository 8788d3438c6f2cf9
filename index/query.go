package index

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shiplog/format"
)

// Query says which records are wanted, in which order and how many. The zero value wants all of them, newest
// first. Every condition must hold; within a list one match is enough.
type Query struct {
	After, Before uint64    // After < seq < Before; 0: unbounded
	From, To      time.Time // From <= time < To; zero: unbounded

	Stream              format.Stream // "": both
	Numbered            bool          // only records with an eseq
	AfterEseq, UptoEseq uint64        // AfterEseq < eseq <= UptoEseq; 0: unbounded; either wants an eseq

	Levels        []format.Level // the effective level is one of these
	Categories    []string       // case-insensitive
	NotCategories []string       // case-insensitive
	Actions       []string
	User          string // as [format.Fields.User]

	Engine  format.Engine
	ObjID   string // exact, or the beginning of an id when it is 12 or more hex digits
	ObjName string
	Image   string

	Text string // substring of msg; letters match without regard to case (Unicode simple folding)

	// Facets and Object are asked once for each distinct combination that a segment holds, not for each
	// record: they must say the same of the same ones. The strings that Facets is given may be kept; those that Object
	// is given change when it has returned.
	Facets func(*Facets) bool
	Object func(id, name, image, tag string) bool // "" is what the record has not
	// Where is asked of each record that meets all other conditions. It makes those lines be read.
	Where func(*format.Fields) bool

	// Keep is asked by Search before it keeps a record for its answer, and told the length of its line; an error
	// of it ends the search. nil: there is memory for whatever comes.
	Keep func(lineBytes int) error

	None          bool // matches nothing
	Limit, Offset int  // Limit 0: all; Offset skips that many matches first
	Ascending     bool // oldest first

	// ByTime orders by time, and records of one time by seq, instead of by seq alone. Search then wants a
	// Limit. Past, when its Seq is not 0, leaves out that place in the order and all that comes before it:
	// the place of the last record of a page begins the next one, whatever was appended meanwhile.
	ByTime bool
	Past   Place

	Budget Budget // of one call of Search; what is left then is in Page.Rest
	// Pause, if any, is called again and again while a search goes on, between blocks, where nothing is held that
	// another search waits for: it may wait. Its error ends the search.
	Pause func(context.Context) error

	full bool     // Limit is 0 because so many were found: all that is asked is whether there are more
	m    *matcher // the query compiled; nil until a search made its own copy

	asked *facetsAsked // by an earlier run of the same query; nil: there was none
}

// Place is where a record stands in the order of time.
type Place struct {
	Time int64 // Unix nanoseconds
	Seq  uint64
}

// before tells whether p comes before o, oldest first.
func (p Place) before(o Place) bool {
	return p.Time < o.Time || p.Time == o.Time && p.Seq < o.Seq
}

// String is the query in short, the narrowest conditions first, for log lines.
func (q Query) String() string {
	var b strings.Builder
	put := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, " %s=%s", name, value)
		}
	}
	if q.None {
		put("none", "true")
	}
	if q.Text != "" {
		put("text", strconv.Quote(q.Text))
	}
	put("id", q.ObjID)
	put("name", q.ObjName)
	put("image", q.Image)
	put("user", q.User)
	put("seq", bounds(num(q.After), num(q.Before)))
	put("eseq", bounds(num(q.AfterEseq), num(q.UptoEseq)))
	put("time", bounds(stamp(q.From), stamp(q.To)))
	put("category", strings.Join(q.Categories, ","))
	put("not-category", strings.Join(q.NotCategories, ","))
	put("action", strings.Join(q.Actions, ","))
	levels := make([]string, len(q.Levels))
	for i, l := range q.Levels {
		levels[i] = string(l)
	}
	put("level", strings.Join(levels, ","))
	put("stream", string(q.Stream))
	if q.Facets != nil {
		put("facets", "func")
	}
	if q.Object != nil {
		put("object", "func")
	}
	if q.Where != nil {
		put("where", "func")
	}
	if q.ByTime {
		put("order", "time")
		if q.Past.Seq != 0 {
			put("past", strconv.FormatInt(q.Past.Time, 10)+"/"+num(q.Past.Seq))
		}
	}
	put("engine", string(q.Engine))
	if q.Numbered {
		put("numbered", "true")
	}
	put("offset", num(uint64(max(q.Offset, 0))))
	put("limit", num(uint64(max(q.Limit, 0))))
	if q.Ascending {
		put("order", "ascending")
	}
	if b.Len() == 0 {
		return "all"
	}
	return b.String()[1:]
}

func num(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func bounds(lo, hi string) string {
	if lo == "" && hi == "" {
		return ""
	}
	return lo + ".." + hi
}
