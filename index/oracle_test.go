package index

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// wanted is what Query promises, said once more in the plainest way, of a record that was parsed whole.
func wanted(q Query, rec *format.Record, f *format.Fields) bool {
	has := func(list []string, s string) bool {
		return slices.ContainsFunc(list, func(e string) bool { return strings.EqualFold(e, s) })
	}
	isID := rec.Obj.ID == q.ObjID ||
		len(q.ObjID) >= 12 && strings.Trim(q.ObjID, "0123456789abcdef") == "" && strings.HasPrefix(rec.Obj.ID, q.ObjID)
	numbered := !q.Numbered && q.AfterEseq == 0 && q.UptoEseq == 0 || rec.Eseq > 0
	for _, ok := range []bool{
		!q.None,
		rec.Seq > q.After,
		q.Before == 0 || rec.Seq < q.Before,
		q.From.IsZero() || !rec.Time.Before(q.From),
		q.To.IsZero() || rec.Time.Before(q.To),
		q.Stream == "" || rec.Stream == q.Stream,
		numbered,
		q.AfterEseq == 0 || rec.Eseq > q.AfterEseq,
		q.UptoEseq == 0 || rec.Eseq <= q.UptoEseq,
		len(q.Levels) == 0 || slices.Contains(q.Levels, rec.EffectiveLevel()),
		len(q.Categories) == 0 || has(q.Categories, rec.Category),
		!has(q.NotCategories, rec.Category),
		len(q.Actions) == 0 || slices.Contains(q.Actions, rec.Action),
		q.User == "" || rec.User() == q.User,
		q.Engine == "" || rec.Engine == q.Engine,
		q.ObjID == "" || isID,
		q.ObjName == "" || rec.Obj.Name == q.ObjName,
		q.Image == "" || rec.Obj.Image == q.Image,
		containsFold(rec.Msg, q.Text),
		q.Object == nil || q.Object(rec.Obj.ID, rec.Obj.Name, rec.Obj.Image, rec.Obj.Tag),
		q.Facets == nil || q.Facets(plainFacets(rec)),
		q.Where == nil || q.Where(f),
		isBehindPast(q, rec),
	} {
		if !ok {
			return false
		}
	}
	return true
}

func plainFacets(rec *format.Record) *Facets {
	var data map[string]any
	_ = json.Unmarshal(rec.Data, &data)
	_, hss := data["hss"]
	return &Facets{Action: rec.Action, ObjType: rec.Obj.Type, NS: rec.NS, Repo: rec.Repo, Project: rec.Project, ActorName: rec.Actor.Name,
		ActorType: rec.Actor.Type, ActorHome: rec.Actor.Domain, Outcome: rec.EffectiveOutcome(), HSS: hss}
}

func isBehindPast(q Query, rec *format.Record) bool {
	if !q.ByTime || q.Past.Seq == 0 {
		return true
	}
	order := rec.Time.Compare(time.Unix(0, q.Past.Time))
	if order == 0 {
		order = cmp.Compare(rec.Seq, q.Past.Seq)
	}
	return order < 0 != q.Ascending && order != 0
}

// containsFold tries text at every character of msg.
func containsFold(msg, text string) bool {
	m, n := []rune(msg), len([]rune(text))
	for i := 0; i+n <= len(m); i++ {
		if strings.EqualFold(string(m[i:i+n]), text) {
			return true
		}
	}
	return false
}

// Match, which all other tests believe, agrees with the plainest reading of Query.
func TestMatchAgreesWithPlainReading(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	dir, _ := newLog(t, r, 600, 0)
	lines := readAll(t, dir)
	recs := make([]format.Record, len(lines))
	for i := range lines {
		if err := format.ParseLine(lines[i].Line, &recs[i]); err != nil {
			t.Fatal(err)
		}
	}
	matched, texts := 0, 0
	for range 4000 / fewer {
		q := randomQuery(r, lines)
		for range 100 {
			i := r.IntN(len(lines))
			got, want := q.Match(&lines[i]), wanted(q, &recs[i], &lines[i])
			if got != want {
				t.Fatalf("Match(%s) = %v, want %v for %s", q, got, want, lines[i].Line)
			}
			if got {
				matched++
				texts += min(len(q.Text), 1)
			}
		}
	}
	if matched < 10000/fewer || texts < 100/fewer {
		t.Errorf("only %d records matched, %d of them by a text: the queries are too narrow to tell", matched, texts)
	}
}
