package agent

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"shiplog/format"
)

// errInternal is a failure that is nobody's business but this program's. Its code tells an agent that failed from
// one that does not know what it was asked.
var errInternal = errors.New("internal error")

// socketCodes are the errors that keep their meaning over the socket: the member code of an answer names one.
// The first that fits is sent.
var socketCodes = []struct {
	code string
	err  error
}{
	{"agent_down", format.ErrAgentDown},
	{"engine_down", format.ErrEngineDown},
	{"no_container", format.ErrNoContainer},
	{"ambiguous", format.ErrAmbiguous},
	{"full", format.ErrFull},
	{"read_only", format.ErrReadOnly},
	{"too_long", format.ErrTooLong},
	{"timeout", context.DeadlineExceeded},
	{"internal", errInternal},
	{"agent_down", os.ErrClosed}, // the writer is: the agent stops
}

// errorReply is the answer that tells err. Who knows no codes reads the text.
func errorReply(err error) []byte {
	answer := struct {
		Error string `json:"error"`
		Code  string `json:"code,omitempty"`
	}{Error: err.Error()}
	for _, c := range socketCodes {
		if errors.Is(err, c.err) {
			answer.Code = c.code
			break
		}
	}
	b, err := json.Marshal(answer)
	if err != nil { // two strings always marshal
		return []byte("{\"error\":\"internal error\"}\n")
	}
	return append(b, '\n')
}

// socketError is an error that an agent answered with.
type socketError struct {
	text string
	kind error // what code stands for; nil: none, or one of a newer agent
}

// Error implements error.
func (e *socketError) Error() string { return e.text }

// Unwrap returns what errors.Is finds in this process too.
func (e *socketError) Unwrap() error { return e.kind }

// answeredError makes the error of an answer; nil when it tells none.
func answeredError(text, code string) error {
	if text == "" {
		return nil
	}
	e := &socketError{text: text}
	for _, c := range socketCodes {
		if c.code == code {
			e.kind = c.err
			break
		}
	}
	return e
}
