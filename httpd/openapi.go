package httpd

import (
	_ "embed" // for openAPI
	"io"
	"net/http"
	"strconv"
)

// openAPI describes every route of this package. It is kept by hand; tests hold it and the routes together.
//
//go:embed openapi.yaml
var openAPI string

// openapi answers GET openapi.yaml.
func (s *Server) openapi(w http.ResponseWriter, _ *request) error {
	h := w.Header()
	h.Set("Content-Type", "application/yaml")
	h.Set("Content-Length", strconv.Itoa(len(openAPI)))
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, openAPI) // a client that went away is no error of ours
	return nil
}
