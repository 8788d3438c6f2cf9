package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"
)

// Handler returns the whole API as one handler.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, s.dialects) })
}

// serve is the one way in and the one way out: every answer is counted here and every error gets the shape
// of the one of dialects that owns the path.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, dialects []*dialect) {
	beginning(r.Context())
	d := dialectOf(dialects, r.URL.Path)
	out := &answer{ResponseWriter: w, patience: s.limits.write}
	w.Header().Set(requestID, requestIDOf(r))
	if d.begin != nil {
		d.begin(w.Header(), r)
	}
	out.id = w.Header().Get(requestID)
	done := s.metrics.began(d.name, r.Method, out.id)
	defer func() {
		if p := recover(); p != nil {
			s.recovered(p, d, out, r)
		}
		done(out.code(), out.slow)
		if out.aborted {
			panic(http.ErrAbortHandler) // closes the connection: the client must see that the answer is not whole
		}
	}()
	if err := s.dispatch(out, r, d); err != nil {
		s.fail(out, r, d, err)
	}
}

// dispatch checks what is checked of every request, then hands it to its route.
func (s *Server) dispatch(w *answer, r *http.Request, d *dialect) error {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if int64(len(r.URL.RawQuery)) > s.limits.query {
		return failf(http.StatusRequestURITooLong, "Query string is longer than %d bytes", s.limits.query)
	}
	if fields(r.Header) > maxFields {
		w.Header().Set("Connection", "close")
		return failf(http.StatusRequestHeaderFieldsTooLarge, "There are more than %d header fields", maxFields)
	}
	if path := r.URL.EscapedPath(); int64(len(path)) > s.limits.query {
		return failf(http.StatusRequestURITooLong, "Path is longer than %d bytes", s.limits.query)
	}
	if r.ContentLength > s.limits.body {
		return failf(http.StatusRequestEntityTooLarge, "Body is larger than %d bytes", s.limits.body)
	}
	leave, err := s.enter(r)
	if err != nil {
		return err
	}
	defer leave()
	set := s.settings.Load() // once: an answer is of one set
	if err := set.guard.check(r); err != nil {
		return err
	}
	rt, vars, err := d.find(r.Method, r.URL.EscapedPath())
	if err != nil {
		return err
	}
	done, err := s.admit(r, rt)
	if err != nil {
		return err
	}
	defer done()
	body, err := s.readBody(w, r, rt.body)
	if err != nil {
		return err
	}
	if len(r.TransferEncoding) > 0 {
		// A proxy that took a Content-Length beside it for the end of the body would send us, as the next request,
		// what a client smuggled past it.
		w.Header().Set("Connection", "close")
	}
	if !answering(r.Context()) {
		w.aborted = true
		return nil
	}
	ctx, end := s.withShare(r.Context())
	defer end()
	if w.slow = rt.slow; !rt.slow {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.limits.answer)
		defer cancel()
	}
	r = r.WithContext(ctx)
	return rt.handler(w, &request{Request: r, query: params(r.URL.RawQuery), vars: vars, body: body, settings: set})
}

// readBody reads the body of r to its end before anything is done about r: nobody may hold an answer back with
// half a body, and one that is too large is refused on every route. It returns up to keep+1 bytes of it. Where
// the body ends net/http lifts the deadline for reading, so that a long answer is not cut off by it.
func (s *Server) readBody(w *answer, r *http.Request, keep int64) (kept []byte, err error) {
	if r.Body != nil && r.Body != http.NoBody {
		body := http.MaxBytesReader(w, r.Body, s.limits.body)
		if kept, err = io.ReadAll(io.LimitReader(body, keep+1)); err == nil {
			_, err = io.Copy(io.Discard, body)
		}
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, err
		}
		if err != nil {
			return nil, failf(http.StatusBadRequest, "Body could not be read")
		}
	}
	return kept, nil
}

// fail writes err in the shape of the dialect. When the answer has begun already it can only be cut off.
func (s *Server) fail(w *answer, r *http.Request, d *dialect, err error) {
	e := asStatus(err)
	s.metrics.refused(r, err, e.status)
	if e.status == http.StatusInternalServerError {
		s.opts.Logger.Error("request failed", "request_id", w.id, "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if w.status != 0 {
		w.aborted = true
		return
	}
	for name, values := range e.header {
		w.Header()[name] = values
	}
	if e.status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close")
	}
	d.fail(w, r, e)
}

// recovered answers a request whose handler panicked. The stack goes to the log only.
func (s *Server) recovered(p any, d *dialect, w *answer, r *http.Request) {
	if p == http.ErrAbortHandler {
		w.aborted = true
		return
	}
	s.opts.Logger.Error("panic", "request_id", w.id, "method", r.Method, "path", r.URL.Path, "err", fmt.Sprint(p), "stack", string(debug.Stack()))
	if w.status != 0 {
		w.aborted = true
		return
	}
	d.fail(w, r, failf(http.StatusInternalServerError, "Internal server error"))
}

// answer is a ResponseWriter that remembers its status and gives the client time for each piece.
type answer struct {
	http.ResponseWriter
	patience time.Duration // for one piece
	id       string        // of the request, also in the header of the answer
	status   int
	aborted  bool
	slow     bool // of a route that may take as long as it has to
}

// extend moves the deadline for writing: neither a long wait nor a long answer is cut off, a client that
// does not read is.
func (a *answer) extend() {
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(a.patience)) // not all writers have one
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.extend()
	a.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.extend()
	return a.ResponseWriter.Write(b)
}

// FlushError sends what was written so far. The deadline of the last piece may have passed by now.
func (a *answer) FlushError() error {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.extend()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap lets a ResponseController through.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// code is the status that was answered: 200 when a handler wrote nothing at all, as net/http does.
func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}
