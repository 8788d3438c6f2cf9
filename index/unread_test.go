package index

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// TestALogThatCannotBeReadIsToldOnce: Run looks twice a second at a log that it may not read.
func TestALogThatCannotBeReadIsToldOnce(t *testing.T) {
	var out bytes.Buffer
	x := &Index{opts: Options{Logger: slog.New(slog.NewTextHandler(&out, nil))}}
	told := ""
	for _, err := range []error{nil, errors.New("denied"), errors.New("denied"), errors.New("gone"), errors.New("gone"), nil, nil, errors.New("gone")} {
		told = x.tellUnread(told, err)
	}
	if got := strings.Count(out.String(), "cannot be read"); got != 3 {
		t.Errorf("told %d times that the log cannot be read, want 3:\n%s", got, out.String())
	}
	if got := strings.Count(out.String(), "can be read again"); got != 1 {
		t.Errorf("told %d times that the log can be read again, want once:\n%s", got, out.String())
	}
}
