package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"shiplog/index"
)

const (
	journalLimit    = 1000  // entries in a list by default
	maxJournalLimit = 10000 // more are not given at once
	journalChunk    = 1 << 20
	journalPiece    = 64 << 10 // a chunk when there is no room for more
)

// list answers GET journal: the newest entries first. Up to a chunk is one piece; a longer answer is sent as it
// is found, so that memory does not grow with it. While others fill the room of answers, a chunk is a small one.
func (a aos) list(w http.ResponseWriter, r *request, t Token) error {
	limit, offset, err := journalPage(r.query)
	if err != nil {
		return err
	}
	query, err := a.query(r, t)
	if err != nil {
		return err
	}
	query.Limit, query.Offset = limit, offset
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	b := bytes.NewBuffer(make([]byte, 0, 4096))
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	b.WriteString(`{"journal":[`)
	separate, sent := "", false
	chunk, roomy := journalPiece, false
	mine, err := a.s.turn(r.Context(), &query)
	if err != nil {
		return err
	}
	defer mine.end()
	for f, err := range a.s.opts.Index.Each(r.Context(), query) {
		if err != nil {
			return fmt.Errorf("list journal: %w", err)
		}
		b.WriteString(separate)
		if err := enc.Encode(journalRowOf(f)); err != nil {
			return fmt.Errorf("encode journal entry %d: %w", f.Seq, err)
		}
		b.Truncate(b.Len() - 1) // the newline
		if separate = ","; b.Len() < chunk {
			continue
		}
		if !roomy {
			if chunk, err = journalRoom(r.Context()); err != nil {
				return err
			}
			if roomy = true; b.Len() < chunk {
				continue
			}
		}
		if !sent {
			a.s.degraded(w, a.s.damaged())
		}
		mine.end() // whoever reads slowly holds up nobody
		if _, err := w.Write(b.Bytes()); err != nil {
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
		b.Reset()
		if sent = true; mine.again(r.Context()) != nil {
			return r.Context().Err()
		}
	}
	b.WriteString("]}\n")
	if !sent {
		a.s.degraded(w, a.s.damaged())
		h.Set("Content-Length", strconv.Itoa(b.Len()))
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// journalRoom takes room for the rest of a list that is longer than one piece, and returns how much of it may be
// collected before it is sent. A buffer of n bytes has grown to 2n.
func journalRoom(ctx context.Context) (chunk int, err error) {
	mine := shareOf(ctx)
	if ok, _ := mine.try(smallAnswer + readAhead + 2*journalChunk); ok {
		return journalChunk, nil
	}
	return journalPiece, mine.take(ctx, smallAnswer+readAhead+2*journalPiece)
}

// journalPage reads limit and offset.
func journalPage(p params) (limit, offset int, err error) {
	n, err := p.integer(journalLimit, "limit")
	if err == nil && n < 1 {
		err = failf(http.StatusBadRequest, "Invalid parameter limit: must be 1 or more")
	}
	if err != nil {
		return 0, 0, err
	}
	skip, err := p.integer(0, "offset")
	if err == nil && skip < 0 {
		err = failf(http.StatusBadRequest, "Invalid parameter offset: must not be negative")
	}
	if err != nil {
		return 0, 0, err
	}
	return int(min(n, maxJournalLimit)), int(min(skip, math.MaxInt)), nil
}

// count answers GET journal/count.
func (a aos) count(w http.ResponseWriter, r *request, t Token) error {
	query, err := a.query(r, t)
	if err != nil {
		return err
	}
	n, err := a.s.count(r.Context(), query)
	if err != nil {
		return fmt.Errorf("count journal: %w", err)
	}
	a.s.degraded(w, a.s.damaged())
	return writeCompact(w, http.StatusOK, struct {
		Count int `json:"count"`
	}{n})
}

// entry answers GET journal/{id}. An entry of another project is answered as one that does not exist.
func (a aos) entry(w http.ResponseWriter, r *request, t Token) error {
	missing := failf(http.StatusNotFound, "No journal entry has the id %s", strconv.Quote(clip(r.vars[0])))
	id, err := strconv.ParseUint(r.vars[0], 10, 63)
	if err != nil || id == 0 {
		return missing
	}
	query := index.Query{After: id - 1, Before: id + 1, Facets: visible(r.settings, t), Limit: 1}
	page, err := a.s.search(r.Context(), query)
	if err != nil {
		return fmt.Errorf("read journal entry %d: %w", id, err)
	}
	if len(page.Hits) == 0 {
		return missing
	}
	return writeCompact(w, http.StatusOK, struct {
		Journal journalRow `json:"journal"`
	}{journalRowOf(&page.Hits[0].Fields)})
}

// query is the query string of r as t may ask it.
func (a aos) query(r *request, t Token) (index.Query, error) {
	f, err := parseJournalFilter(r.query)
	if err != nil {
		return index.Query{}, err
	}
	f.who(visible(r.settings, t))
	return a.narrow(r.Context(), r.settings, f)
}

// visible tells which records t may see: an administrator's all, others those of their project.
func visible(set *settings, t Token) func(*index.Facets) bool {
	if t.may() {
		return nil
	}
	project := set.projectOf(t.Project)
	return func(f *index.Facets) bool { return set.projectOf(f.Project) == project }
}

// clip keeps what is repeated of a request short.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
