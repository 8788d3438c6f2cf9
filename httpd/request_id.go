package httpd

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
)

// requestID is the header that names a request and its answer. A client, or the proxy before it, may choose the id;
// the vendor's SDK of HSS reports it with an error.
const requestID = "X-Request-Id"

// maxRequestID is how many bytes of a client's choice are taken; an exemplar must be shorter than 128.
const maxRequestID = 64

// requestIDOf is the id that the client gave when it is one word of letters, digits and .-_, else one of
// its own: an id goes into logs, headers and metrics as it is.
func requestIDOf(r *http.Request) string {
	id := r.Header.Get(requestID)
	odd := func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(".-_", c))
	}
	if id != "" && len(id) <= maxRequestID && !strings.ContainsFunc(id, odd) {
		return id
	}
	return newRequestID()
}

// newRequestID is 32 random hex digits.
func newRequestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
