package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"shiplog/format"
)

// clearAction marks the records that move the watermark; clearView must be in their data, so that no client
// that may choose an action can hide the log.
const (
	clearAction   = "log.clear"
	clearCategory = "system"
	clearView     = "qnap-log"
)

// clearData is the data of a log.clear record.
type clearData struct {
	Clear string `json:"clear"` // the view whose watermark it moves
}

// clearState caches the watermark. The log itself holds it: the newest log.clear record.
type clearState struct {
	one sync.Mutex // held by the clear in progress, across its append: one after the other

	mu   sync.Mutex
	seen clearsSeen // guarded by mu
}

func isClear(f *format.Fields) bool {
	var d clearData
	return json.Unmarshal(f.Data, &d) == nil && d.Clear == clearView
}

// clear answers DELETE log: it appends a record and hides what is below it; nothing is erased.
func (q qnap) clear(w http.ResponseWriter, r *request, who caller) error {
	if !who.admin {
		return failf(http.StatusForbidden, "Only administrators may clear the log")
	}
	n, err := q.s.clearLog(r.Context(), who.name, sourceIP(r.RemoteAddr), r.UserAgent())
	if err != nil {
		return fmt.Errorf("clear log: %w", err)
	}
	return writeJSON(w, http.StatusOK, struct {
		Records int `json:"records"`
	}{n})
}

// clearLog moves the watermark to a new record and returns how many records became invisible by that. Those
// are exactly the ones below the new record's seq, whoever wrote meanwhile: the writer gave out the numbers.
func (s *Server) clearLog(ctx context.Context, user, ip, agent string) (int, error) {
	data, err := json.Marshal(clearData{clearView})
	if err != nil {
		return 0, err
	}
	s.clear.one.Lock()
	defer s.clear.one.Unlock()
	old, _, err := s.watermark(ctx)
	if err != nil {
		return 0, err
	}
	rec := &format.Record{Stream: format.StreamLog, Time: s.opts.Now(), Level: format.LevelInfo, Outcome: format.OutcomeSuccess,
		Category: clearCategory, Action: clearAction, Msg: "System logs are cleared",
		Actor: format.Actor{Name: user, Type: format.ActorUser}, Src: format.Src{IP: ip, Agent: agent}, Data: data}
	if err := s.opts.Append(ctx, rec); err != nil {
		return 0, err
	}
	s.clear.mu.Lock()
	s.clear.seen.mark = max(s.clear.seen.mark, rec.Seq)
	s.clear.mu.Unlock()
	query := visibleLog(old)
	query.Before = rec.Seq
	return s.opts.Index.Count(ctx, query)
}
