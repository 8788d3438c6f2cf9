package httpd

import (
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"shiplog/format"
	"shiplog/index"
)

// A page that segments were taken from under may be asked for again: that is no fault of the server's.
func TestMovingSegmentsAreAskedAgain(t *testing.T) {
	e := asStatus(fmt.Errorf("search: %w", index.ErrMoving))
	if e.status != http.StatusServiceUnavailable || e.header.Get("Retry-After") != "1" {
		t.Errorf("status %d, Retry-After %q, want 503 and 1", e.status, e.header.Get("Retry-After"))
	}
}

// A disk that fails is mended by somebody, and then the request may be sent again.
func TestADiskThatFailsIsNoInternalError(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
	}{
		{&fs.PathError{Op: "stat", Path: "/log", Err: syscall.EIO}, http.StatusServiceUnavailable},
		{&fs.PathError{Op: "open", Path: "/log/1", Err: syscall.EMFILE}, http.StatusServiceUnavailable},
		{format.ErrReadOnly, http.StatusServiceUnavailable},
		{&fs.PathError{Op: "open", Path: "/log/1", Err: syscall.EISDIR}, http.StatusInternalServerError},
	} {
		e := asStatus(fmt.Errorf("clear log: %w", tc.err))
		if e.status != tc.status {
			t.Errorf("asStatus(%v) = %d, want %d", tc.err, e.status, tc.status)
		}
		if told := strings.Contains(e.message, "/readyz") && e.header.Get("Retry-After") != ""; told != (tc.status == http.StatusServiceUnavailable) {
			t.Errorf("asStatus(%v) = %q, Retry-After %q, want what to do with a 503 only", tc.err, e.message, e.header.Get("Retry-After"))
		}
	}
}
