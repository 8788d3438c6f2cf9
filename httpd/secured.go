package httpd

import (
	"net/http"
	"regexp"
	"strings"
)

// secured tells whether a client speaks TLS: with this server or, by its word, with the proxy before it. A
// client that lies about it gets a cookie that its browser does not send over plain http, and harms itself.
func secured(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(strings.TrimSpace(r.Header.Get("X-Forwarded-Proto")), "https")
}

// placePattern finds absolute paths of two parts and more.
var placePattern = regexp.MustCompile(`(^|[\s"'(=:])(/[^\s"':;,()/]+)*/([^\s"':;,()/]+)`)

// withoutPlaces shortens the absolute paths in a text to their last part: where files lie is nothing for
// whoever may ask without a credential.
func withoutPlaces(text string) string { return placePattern.ReplaceAllString(text, "$1$3") }
