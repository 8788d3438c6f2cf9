package httpd

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"golang.org/x/time/rate"
	"shiplog/format"
)

// refusalsPerMinute bounds the records of requests that were refused; a client that goes on for ever with a
// wrong one does not fill the log.
const refusalsPerMinute = 60

func newRefusals() *rate.Limiter {
	return rate.NewLimiter(rate.Every(time.Minute/refusalsPerMinute), refusalsPerMinute)
}

// exportAudit is the data of the records about exports.
type exportAudit struct {
	ExportID string `json:"export_id,omitempty"`
	URL      string `json:"url,omitempty"`
	Email    string `json:"email,omitempty"`
	Repo     string `json:"repo,omitempty"`
	Error    string `json:"error,omitempty"`
	Message  string `json:"message,omitempty"`
}

// auditRecord is a record about an export.
type auditRecord format.Record

// audit is the record that a job was queued, or of what became of it.
func (j *exportJob) audit(outcome format.Outcome, failure string) *auditRecord {
	data := exportAudit{ExportID: j.ID, URL: withoutQuery(j.Callback.To), Email: j.Mail.To, Repo: j.Repo, Error: failure}
	if failure == "" {
		data.Message = "queued for export"
	}
	return exportRecord(j.scope(), j.Owner, outcome, data)
}

// withoutQuery is a callback URL without the part in which receivers expect their secrets.
func withoutQuery(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	return u.String()
}

func exportRecord(scope quayScope, owner string, outcome format.Outcome, data exportAudit) *auditRecord {
	rec := &auditRecord{Stream: format.StreamLog, Level: format.LevelInfo, Outcome: outcome, Category: "export", Action: "log.export",
		Msg: "Log export: ", NS: orDefault(scope.user, scope.ns), Repo: scope.repo, Actor: format.Actor{Name: owner, Type: format.ActorUser}}
	rec.Msg += rec.NS
	if rec.Repo != "" {
		rec.Msg += "/" + rec.Repo
	}
	if outcome == format.OutcomeFailure {
		rec.Level = format.LevelWarn
		rec.Msg += ": " + data.Error
	}
	rec.Data, _ = json.Marshal(data) // cannot fail: strings
	return rec
}

// from says who sent the request that the record is about.
func (a *auditRecord) from(r *request) *auditRecord {
	a.Src = format.Src{IP: sourceIP(r.RemoteAddr), Agent: r.UserAgent()}
	return a
}

// refused records that an export was asked for in vain.
func (x *exporter) refused(r *request, scope quayScope, t Token, why string) {
	if x.refusals.Allow() {
		x.record(r.Context(), exportRecord(scope, t.User, format.OutcomeFailure, exportAudit{Repo: scope.repo, Error: why}).from(r))
	}
}

// record writes a record, also when the request or the server that it is about ends.
func (x *exporter) record(ctx context.Context, a *auditRecord) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendPatience)
	defer cancel()
	if err := x.note(ctx, a); err != nil {
		x.logger.Warn("record of an export not written", "err", err)
	}
}

func (x *exporter) note(ctx context.Context, a *auditRecord) error {
	rec := format.Record(*a)
	rec.Time = x.now()
	return x.append(ctx, &rec)
}
