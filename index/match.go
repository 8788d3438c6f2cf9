package index

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"shiplog/format"
)

// Match tells whether the record f is wanted: the one judge. Offset, Limit and order do not matter here.
func (q *Query) Match(f *format.Fields) bool {
	if q.m != nil {
		return q.m.match(f)
	}
	return newMatcher(q).match(f)
}

// matcher is a query made ready for many records. It is for one goroutine: it reuses its buffers.
type matcher struct {
	q           *Query
	from, to    int64 // Unix ns: from <= time < to, or time <= to when toIncl
	toIncl      bool
	text        []byte // folded
	cats        [][]byte
	notCats     [][]byte
	raw, folded []byte // reused
	facets      verdicts
	bits        *wantedBits // nil: nobody asked
	only        []Place     // nothing but these, whose seqs rise; nil: all
	wanted      []bool      // what facets says of the dictionary of the segment that is planned; nil: it is to be asked
}

func newMatcher(q *Query) *matcher {
	m := &matcher{q: q, from: math.MinInt64, to: math.MaxInt64, toIncl: true, facets: verdicts{ask: q.Facets}}
	if !q.From.IsZero() {
		m.from, _ = nanos(q.From)
	}
	if !q.To.IsZero() {
		m.to, m.toIncl = nanos(q.To)
	}
	if q.Text != "" {
		m.text = AppendFold(nil, []byte(q.Text))
	}
	for _, c := range q.Categories {
		m.cats = append(m.cats, AppendFold(nil, []byte(c)))
	}
	for _, c := range q.NotCategories {
		m.notCats = append(m.notCats, AppendFold(nil, []byte(c)))
	}
	return m
}

// nanos clamps t to what an int64 of Unix nanoseconds holds (1677 to 2262); past is true when t lies after.
func nanos(t time.Time) (ns int64, past bool) {
	switch s := t.Unix(); {
	case s <= math.MinInt64/int64(time.Second):
		return math.MinInt64, false
	case s >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64, true
	}
	return t.UnixNano(), false
}

func (m *matcher) match(f *format.Fields) bool {
	return m.matchNumbers(f) && m.matchNames(f) && m.matchObject(f) && m.facets.of(f) && m.matchText(f) &&
		(m.q.Where == nil || m.q.Where(f))
}

// isPast tells whether a record comes after the place that q leaves out.
func (q *Query) isPast(p Place) bool {
	switch {
	case !q.ByTime || q.Past.Seq == 0:
		return true
	case q.Ascending:
		return q.Past.before(p)
	}
	return p.before(q.Past)
}

func (m *matcher) matchNumbers(f *format.Fields) bool {
	q := m.q
	switch {
	case q.None, f.Seq <= q.After, q.Before != 0 && f.Seq >= q.Before:
		return false
	case q.wantsEseq() && f.Eseq == 0, f.Eseq <= q.AfterEseq && q.AfterEseq != 0, q.UptoEseq != 0 && f.Eseq > q.UptoEseq:
		return false
	}
	if m.only != nil {
		i, ok := slices.BinarySearchFunc(m.only, f.Seq, func(p Place, seq uint64) int { return cmp.Compare(p.Seq, seq) })
		if !ok || m.only[i].Time != f.Time {
			return false
		}
	}
	return m.inTime(f.Time) && q.isPast(Place{f.Time, f.Seq})
}

func (q *Query) wantsEseq() bool { return q.Numbered || q.AfterEseq != 0 || q.UptoEseq != 0 }

func (m *matcher) inTime(t int64) bool { return t >= m.from && (t < m.to || m.toIncl && t == m.to) }

func (m *matcher) matchNames(f *format.Fields) bool {
	q := m.q
	switch {
	case q.Stream != "" && f.Stream != q.Stream,
		q.Engine != "" && f.Engine != q.Engine,
		len(q.Levels) > 0 && !slices.Contains(q.Levels, f.Level),
		q.User != "" && !f.User().Is(q.User):
		return false
	}
	if len(m.cats)+len(m.notCats) > 0 && !m.wantsCategory(f.Category.Bytes(nil)) {
		return false
	}
	return len(q.Actions) == 0 || slices.ContainsFunc(q.Actions, f.Action.Is)
}

func (m *matcher) wantsCategory(c []byte) bool {
	return (len(m.cats) == 0 || isOne(c, m.cats)) && !isOne(c, m.notCats)
}

// isOne tells whether text is one of the already folded.
func isOne(text []byte, folded [][]byte) bool {
	for _, want := range folded {
		if equalFold(text, want) {
			return true
		}
	}
	return false
}

func (m *matcher) matchObject(f *format.Fields) bool {
	q := m.q
	return (q.ObjID == "" || q.isID(f.ObjID.String())) &&
		(q.ObjName == "" || f.ObjName.Is(q.ObjName)) &&
		(q.Image == "" || f.ObjImage.Is(q.Image)) &&
		(q.Object == nil || q.Object(f.ObjID.String(), f.ObjName.String(), f.ObjImage.String(), f.ObjTag.String()))
}

func (q *Query) isID(id string) bool {
	return id == q.ObjID || isIDPrefix(q.ObjID) && strings.HasPrefix(id, q.ObjID)
}

// isIDPrefix tells whether id may stand for every id that begins with it: 12 hex digits are what engines
// print as a short id.
func isIDPrefix(id string) bool {
	if len(id) < 12 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (m *matcher) matchText(f *format.Fields) bool {
	if len(m.text) == 0 {
		return true
	}
	raw := f.Msg.Bytes(m.raw)
	if f.Msg.Escaped() {
		m.raw = raw
	}
	m.folded = AppendFold(m.folded[:0], raw)
	return bytes.Contains(m.folded, m.text)
}
