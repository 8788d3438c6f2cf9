package httpd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"shiplog/format"
	"shiplog/index"
)

// statusError is an answer that is not the one asked for. Every dialect writes it in its own shape.
type statusError struct {
	status  int
	message string
	header  http.Header // extra headers; nil: none
}

// Error implements error.
func (e *statusError) Error() string { return e.message }

func failf(status int, format string, args ...any) *statusError {
	return &statusError{status: status, message: fmt.Sprintf(format, args...)}
}

// with adds a header to the answer.
func (e *statusError) with(name, value string) *statusError {
	if e.header == nil {
		e.header = http.Header{}
	}
	e.header.Set(name, value)
	return e
}

// retryAfter tells when it may be worth another try, in whole seconds rounded up.
func (e *statusError) retryAfter(d time.Duration) *statusError {
	return e.with("Retry-After", strconv.Itoa(max(1, int((d+time.Second-1)/time.Second))))
}

// statusClientGone is only ever counted: nobody is there to read it. The number is what nginx made common.
const statusClientGone = 499

var errClientGone = errors.New("client does not read the answer")

// asStatus maps what a handler returned to an answer. What it does not know is the server's fault: the client
// is told no more than that, the log gets the rest.
func asStatus(err error) *statusError {
	if e, ok := errors.AsType[*statusError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return failf(http.StatusRequestEntityTooLarge, "Body is larger than %d bytes", e.Limit)
	}
	if e, ok := errors.AsType[tooManyFailures](err); ok {
		return failf(http.StatusTooManyRequests, "Too many failed logins, try again later").retryAfter(e.wait)
	}
	switch {
	case errors.Is(err, errNoCredential):
		return failf(http.StatusUnauthorized, "Unauthorized")
	case errors.Is(err, errCredentials):
		return failf(http.StatusUnauthorized, "Wrong user name or password")
	case errors.Is(err, errSecondFactor):
		return failf(http.StatusForbidden, "This account requires a second factor")
	case errors.Is(err, format.ErrNoContainer):
		return failf(http.StatusNotFound, "No such container")
	case errors.Is(err, format.ErrAmbiguous):
		return failf(http.StatusBadRequest, "Container id prefix is ambiguous")
	case errors.Is(err, format.ErrAgentDown):
		return failf(http.StatusServiceUnavailable, "The agent is not reachable").retryAfter(2 * time.Second)
	case errors.Is(err, format.ErrEngineDown):
		return failf(http.StatusServiceUnavailable, "Container engine is not reachable").retryAfter(5 * time.Second)
	case errors.Is(err, format.ErrFull), errors.Is(err, format.ErrReadOnly):
		return failf(http.StatusServiceUnavailable, "The log cannot be written at the moment; /readyz says why").retryAfter(10 * time.Second)
	case unreadable(err):
		return failf(http.StatusServiceUnavailable, "The log cannot be read at the moment; /readyz says why").retryAfter(10 * time.Second)
	case errors.Is(err, index.ErrMoving):
		return failf(http.StatusServiceUnavailable, "The log changes too fast at the moment").retryAfter(time.Second)
	case errors.Is(err, errClientGone), errors.Is(err, context.Canceled):
		return failf(statusClientGone, "Client closed the request")
	case errors.Is(err, context.DeadlineExceeded):
		return failf(http.StatusServiceUnavailable, "The request took too long").retryAfter(time.Second)
	}
	return failf(http.StatusInternalServerError, "Internal server error")
}

// unreadable tells a disk that is gone, or fails, and a process that may open no more files: the request may be
// answered once that is mended.
func unreadable(err error) bool {
	return slices.ContainsFunc([]error{syscall.EIO, syscall.ESTALE, syscall.ENODEV, syscall.ENXIO, syscall.EMFILE, syscall.ENFILE},
		func(no error) bool { return errors.Is(err, no) })
}
