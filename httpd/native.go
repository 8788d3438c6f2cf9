package httpd

import (
	"net/http"
	"strconv"
)

// nativeDialect is what belongs to no vendor: health, readiness, metrics, the description of the API, and every path nobody owns.
func nativeDialect(s *Server) *dialect {
	return &dialect{
		name:   "native",
		prefix: "",
		fail:   failJSON,
		routes: []route{
			{method: http.MethodGet, path: "/healthz", handler: s.healthz},
			{method: http.MethodGet, path: "/readyz", handler: s.readyz},
			{method: http.MethodGet, path: "/openapi.yaml", handler: s.openapi},
			{method: http.MethodGet, path: "/checkpoint", handler: s.checkpoint},
			{method: http.MethodGet, path: "/metrics", handler: func(w http.ResponseWriter, r *request) error {
				s.metrics.handler.ServeHTTP(w, r.Request)
				return nil
			}},
		},
	}
}

// healthz says that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
}

// checkpoint answers with the signed checkpoint of the log, which everybody may have: it tells how long the log is,
// and nothing of what is in it.
func (s *Server) checkpoint(w http.ResponseWriter, _ *request) error {
	if s.opts.Checkpoint == nil {
		return failf(http.StatusNotFound, "The log is not sealed")
	}
	text, err := s.opts.Checkpoint()
	if err != nil {
		return failf(http.StatusNotFound, "The log is not sealed")
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(text) // a client that went away is no error of ours
	return nil
}

// readyz says whether answers are complete: 503 with the reasons while they are not.
func (s *Server) readyz(w http.ResponseWriter, _ *request) error {
	reasons := []string{}
	if ok, why := s.opts.Index.Ready(); !ok {
		reasons = append(reasons, why...)
	}
	if s.opts.Accounts.Err() != nil { // it names users
		reasons = append(reasons, "the accounts file cannot be read as it is; those before stay in force, and shiplog status says what is wrong")
	}
	if s.opts.Ready != nil {
		reasons = append(reasons, s.opts.Ready()...)
	}
	for i := range reasons {
		reasons[i] = withoutPlaces(reasons[i])
	}
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, struct {
		Ready   bool     `json:"ready"`
		Reasons []string `json:"reasons"`
	}{len(reasons) == 0, reasons})
}
