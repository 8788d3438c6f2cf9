package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"shiplog/format"
)

// exportPath is where finished exports are fetched.
const exportPath = "/exportedlogs"

var errNoMailer = failf(http.StatusBadRequest, "E-mail callbacks are not configured")

// export answers POST exportlogs: it queues a job.
func (q quay) export(family string) handlerFunc {
	return func(w http.ResponseWriter, r *request) error {
		x := q.s.exports
		if x == nil {
			return failf(http.StatusMethodNotAllowed, "Exports are not available on this server").with("Allow", "")
		}
		scope, t, err := q.admit(r, family)
		missing := isNotFound(err)
		if err != nil && !missing {
			return err
		}
		if !x.mine() {
			return errNotMine()
		}
		j, err := q.exportJob(r, scope, t, missing)
		if err != nil {
			if e, ok := errors.AsType[*statusError](err); ok && !missing {
				x.refused(r, scope, t, e.message)
			}
			return err
		}
		if err := x.admit(r.Context(), r, j); err != nil {
			return err
		}
		return writeCompact(w, r.settings.QuayExportStatus, struct {
			ExportID string `json:"export_id"`
		}{j.ID})
	}
}

func isNotFound(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && e.status == http.StatusNotFound
}

// exportJob makes the job that a request asks for. The checks come in the order of the registry's; missing
// says that there is no such namespace.
func (q quay) exportJob(r *request, scope quayScope, t Token, missing bool) (*exportJob, error) {
	body, err := parseExportBody(r.body)
	if err != nil {
		return nil, err
	}
	if body.callbackURL != "" {
		if err := r.settings.calls.guard.check(r.Context(), body.callbackURL); err != nil {
			return nil, err
		}
	}
	if body.callbackEmail != "" {
		if body.callbackEmail, err = checkAddress(body.callbackEmail); err != nil {
			return nil, err
		}
		if r.settings.mail == nil {
			return nil, errNoMailer
		}
	}
	now := q.s.opts.Now()
	span, err := parseSpan(r.query, body.day, now)
	if err != nil {
		return nil, err
	}
	if missing {
		return nil, failf(http.StatusBadRequest, "Invalid export request")
	}
	base := r.settings.PublicURL
	if base == "" {
		base = baseURL(r.Request, r.Host).String()
	}
	if len(base) > maxCallbackURL {
		return nil, failf(http.StatusBadRequest, "Invalid export request")
	}
	return &exportJob{Version: 1, ID: uuid.NewString(), Secret: uuid.NewString(), State: exportQueued,
		User: scope.user, NS: scope.ns, Repo: scope.repo, From: span.from, To: span.to, Owner: t.User,
		Base: base, Callback: delivery{To: body.callbackURL}, Mail: delivery{To: body.callbackEmail}, Queued: now.UTC(), Next: now.UTC()}, nil
}

// admit records that a job was asked for, and queues it. The record comes first: no export is without one.
func (x *exporter) admit(ctx context.Context, r *request, j *exportJob) error {
	if err := x.reserve(j.Owner); err != nil {
		return err
	}
	last, err := x.index.LastSeq(ctx)
	if err == nil {
		j.Upto = last
		err = x.note(ctx, j.audit(format.OutcomeSuccess, "").from(r))
	}
	if err != nil {
		x.release(j.Owner)
		return fmt.Errorf("record export: %w", err)
	}
	if err := x.queue(j); err != nil {
		x.record(ctx, j.audit(format.OutcomeFailure, "the job could not be saved").from(r))
		x.logger.Error("export not queued", "job", j.ID, "err", err)
		return failf(http.StatusServiceUnavailable, "The export cannot be queued at the moment").retryAfter(10 * time.Second)
	}
	return nil
}

// download answers GET exportedlogs/{file}. Who knows the name may have the file.
func (q quay) download(w http.ResponseWriter, r *request) error {
	x := q.s.exports
	if x == nil {
		return failf(http.StatusNotFound, "Not Found")
	}
	if !x.mine() {
		return errNotMine()
	}
	f, id, ok, err := x.open(r.vars[0])
	if err != nil {
		return err
	}
	if !ok {
		return failf(http.StatusNotFound, "Not Found")
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open export: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.FormatInt(fi.Size(), 10))
	h.Set("Content-Disposition", `attachment; filename="`+id+`.json"`)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(w, f); err != nil { // the deadline for writing moves with each piece
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// exportBody is what a POST exportlogs carries; absent members are "".
type exportBody struct{ callbackURL, callbackEmail, startTime, endTime string }

const maxExportBody = 16 << 10

// day is a member that stands in for a parameter of the query (seed 002, the examples of its exports).
func (b *exportBody) day(name string) string {
	if name == "starttime" {
		return b.startTime
	}
	return b.endTime
}

// parseExportBody reads a body. null counts as absent; members that are not known are passed over.
func parseExportBody(body []byte) (b exportBody, err error) {
	if len(body) > maxExportBody {
		return b, failf(http.StatusRequestEntityTooLarge, "Body is larger than %d bytes", maxExportBody)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members == nil {
		return b, failf(http.StatusBadRequest, "Missing JSON body")
	}
	for name, to := range map[string]*string{"callback_url": &b.callbackURL, "callback_email": &b.callbackEmail,
		"starttime": &b.startTime, "endtime": &b.endTime} {
		if value, there := members[name]; there && json.Unmarshal(value, to) != nil {
			err = failf(http.StatusBadRequest, "Invalid %s: it must be a string", name)
		}
	}
	return b, err
}
