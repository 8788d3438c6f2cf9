package httpd

import (
	"fmt"
	"net/http"
	"net/url"
)

// quayTypes are the error types of the registry and what they mean.
var quayTypes = map[string]string{
	"invalid_request":          "The request is invalid: a parameter is missing, malformed or out of range, or there is nothing at this path for this method.",
	"invalid_token":            "The request carries no access token, or one that is not valid.",
	"expired_token":            "The access token has expired.",
	"insufficient_scope":       "The access token has not the scope, or its user not the right, that the request wants.",
	"not_found":                "There is no such thing, or it is not to be seen by the caller.",
	"external_service_timeout": "The request could not be answered now; it may be sent again later.",
}

// quayType is the error type of a status.
func quayType(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "invalid_token"
	case status == http.StatusForbidden:
		return "insufficient_scope"
	case status == http.StatusNotFound:
		return "not_found"
	case status == http.StatusTooManyRequests, status >= 500:
		return "external_service_timeout"
	}
	return "invalid_request"
}

// apiError is the registry's error body. Message repeats the text because of clients that know only the body
// of the framework it is built on.
type apiError struct {
	Detail       string `json:"detail"`
	ErrorMessage string `json:"error_message"`
	ErrorType    string `json:"error_type"`
	Title        string `json:"title"`
	Type         string `json:"type"`
	Status       int    `json:"status"`
	Message      string `json:"message"`
}

// failQuay writes e as an ApiError.
func failQuay(w http.ResponseWriter, r *http.Request, e *statusError) {
	typ := quayType(e.status)
	if typ == "invalid_token" || typ == "insufficient_scope" {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer error=%q", typ)) // RFC 6750, 3
	}
	host := r.Host
	if e.status == http.StatusMisdirectedRequest {
		host = "localhost" // it was refused because of the host it names
	}
	_ = writeCompact(w, e.status, apiError{Detail: e.message, ErrorMessage: e.message, ErrorType: typ, Title: typ,
		Type: quayTypeURL(r, host, typ), Status: e.status, Message: e.message}) // cannot fail: strings and an int
}

func quayTypeURL(r *http.Request, host, typ string) string {
	return baseURL(r, host).JoinPath("/api/v1/error", typ).String()
}

// baseURL is where a client found this server under host.
func baseURL(r *http.Request, host string) *url.URL {
	u := &url.URL{Scheme: "http", Host: host}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u
}

// explain answers GET error/{type}.
func (q quay) explain(w http.ResponseWriter, r *request) error {
	typ := r.vars[0]
	text, ok := quayTypes[typ]
	if !ok {
		return failf(http.StatusNotFound, "Not Found")
	}
	return writeCompact(w, http.StatusOK, struct {
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
	}{quayTypeURL(r.Request, r.Host, typ), typ, text})
}
