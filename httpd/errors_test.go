package httpd

import (
	"fmt"
	"net/http"
	"testing"

	"shiplog/index"
)

// A page that segments were taken from under may be asked for again: that is no fault of the server's.
func TestMovingSegmentsAreAskedAgain(t *testing.T) {
	e := asStatus(fmt.Errorf("search: %w", index.ErrMoving))
	if e.status != http.StatusServiceUnavailable || e.header.Get("Retry-After") != "1" {
		t.Errorf("status %d, Retry-After %q, want 503 and 1", e.status, e.header.Get("Retry-After"))
	}
}
