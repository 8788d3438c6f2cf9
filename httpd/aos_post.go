package httpd

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"shiplog/format"
)

// journalCategories are the categories that an action's first word can name; others are system.
var journalCategories = map[string]bool{"container": true, "image": true, "import": true, "export": true, "backup": true,
	"system": true, "background": true, "network": true, "volume": true, "auth": true}

// post answers POST journal. The entry is on the disk, and a GET sees it, when the answer is 201.
func (a aos) post(w http.ResponseWriter, r *request) error {
	t, err := a.authorize(r.Request, roleWriter, roleService)
	if err != nil {
		return err
	}
	if err := wantJSON(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	rec, err := journalRecord(r, t)
	if err != nil {
		return err
	}
	if err := mayName(r.settings, t, rec); err != nil {
		return err
	}
	whole := *rec
	if whole.Trim(); len(whole.Cut) > 0 { // each member is short enough; escaped and together they are not
		return failf(http.StatusBadRequest, "The journal entry is too large")
	}
	rec.Time = a.s.opts.Now()
	rec.Obs, rec.Src.IP = rec.Time, sourceIP(r.RemoteAddr)
	if err := a.s.opts.Append(r.Context(), rec); err != nil {
		return fmt.Errorf("append journal entry: %w", err)
	}
	var f format.Fields
	if err := format.ScanLine(format.AppendLine(nil, rec), &f); err != nil {
		return fmt.Errorf("read journal entry %d: %w", rec.Seq, err)
	}
	return writeCompact(w, http.StatusCreated, struct {
		Journal journalRow `json:"journal"`
	}{journalRowOf(&f)})
}

// mayPost refuses who may not post, before the entry is read.
func (a aos) mayPost(r *http.Request) error {
	_, err := a.authorize(r, roleWriter, roleService)
	return err
}

// wantJSON refuses a body that says it is something else. One that says nothing is taken for JSON.
func wantJSON(contentType string) error {
	if contentType == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
		return failf(http.StatusUnsupportedMediaType, "The body must be application/json")
	}
	return nil
}

// mayName refuses to write in the name of others, or into another project, without the role for it.
func mayName(set *settings, t Token, rec *format.Record) error {
	own := rec.Actor.ID == t.UserID && rec.Actor.Name == t.User && rec.Actor.Domain == t.DomainID &&
		set.projectOf(rec.Project) == set.projectOf(t.Project)
	if !own && !t.may(roleService) {
		return failf(http.StatusForbidden, forbiddenText)
	}
	return nil
}

// journalRecord reads the body of a POST. What it does not name is the token's.
func journalRecord(r *request, t Token) (*format.Record, error) {
	m := journalMembers{query: r.query}
	if err := m.parse(r.body); err != nil {
		return nil, err
	}
	rec := &format.Record{Stream: format.StreamLog}
	rec.Obj.ID = m.required("object_id", 256, textOrInteger)
	rec.Action = m.required("action", 256, textOnly)
	rec.Status = m.required("status", 64, textOnly)
	rec.Obj.Type = m.optional("object_type", 64, textOnly, m.parameter)
	rec.Msg = m.optional("message", 32<<10, textOnly, nil)
	rec.Code = m.optional("response_code", 32, textOrInteger, nil)
	rec.PReq = m.optional("parent_request_id", 128, textOnly, nil)
	rec.Req = orDefault(m.optional("request_id", 128, textOnly, func(string) string { return r.Header.Get(requestIDHeader) }), uuid.NewString())
	rec.Actor.ID = orDefault(m.optional("user_id", 256, textOnly, m.parameter), t.UserID)
	rec.Actor.Name = orDefault(m.optional("user_name", 256, textOnly, nil), t.User)
	rec.Actor.Domain = orDefault(m.optional("domain_id", 256, textOnly, nil), t.DomainID)
	rec.Args = m.optional("action_arguments", 64<<10, jsonText, nil)
	rec.Project = orDefault(m.optional("tenant_id", 256, textOnly, m.parameter), t.Project)
	if m.err != nil {
		return nil, m.err
	}
	rec.Actor.Type, rec.NS, rec.Category = format.ActorUser, rec.Project, categorySystem
	if word, _, dotted := strings.Cut(rec.Action, "."); dotted && journalCategories[word] {
		rec.Category = word
	}
	if o := rec.EffectiveOutcome(); o != format.OutcomeUnknown {
		rec.Outcome = o
	}
	return rec, nil
}
