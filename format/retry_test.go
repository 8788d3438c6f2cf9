package format_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// It waits longer after each failure in a row, up to a bound, and says once that it fails and once that it does no more.
func TestRetryWaitsLonger(t *testing.T) {
	var said bytes.Buffer
	r := format.Retry{Every: time.Minute, Most: 10 * time.Minute, Fails: "it fails", Works: "it works", Logger: slog.New(slog.NewTextHandler(&said, nil))}
	bad := errors.New("no space")
	for i, tt := range []struct {
		err  error
		want time.Duration
	}{{nil, 1}, {bad, 2}, {bad, 4}, {bad, 8}, {bad, 10}, {bad, 10}, {nil, 1}, {nil, 1}, {bad, 2}} {
		if got := r.Next(tt.err); got != tt.want*time.Minute {
			t.Errorf("attempt %d: Next(%v) = %v, want %d minutes", i, tt.err, got, tt.want)
		}
	}
	if fails, works := strings.Count(said.String(), "it fails"), strings.Count(said.String(), "it works"); fails != 2 || works != 1 {
		t.Errorf("it said %d times that it fails and %d times that it works, want 2 and 1:\n%s", fails, works, &said)
	}
}
