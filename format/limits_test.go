package format_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shiplog/format"
)

// TestWholeRecordIsHeldToItsLimit writes records that are at 256 KiB without their numbers.
func TestWholeRecordIsHeldToItsLimit(t *testing.T) {
	w := open(t, t.TempDir(), format.Options{})
	defer w.Close()
	if err := w.Restore(&format.Record{Seq: 1e18, Eseq: 1e18, Stream: format.StreamEvent}); err != nil {
		t.Fatal(err)
	}
	for pad := range 50 {
		r := &format.Record{Stream: format.StreamEvent, Eseq: format.NextEseq, Action: strings.Repeat("x", 5*pad),
			Msg: strings.Repeat("\x01", 32<<10), Args: strings.Repeat("\x01", 10850)}
		if err := w.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if n := len(format.AppendLine(nil, r)); n > 256<<10 {
			t.Errorf("the line is %d bytes long, want at most %d", n, 256<<10)
		}
	}
}

// TestCutNamesTheEngine holds that an engine that is too long is named as any other member is.
func TestCutNamesTheEngine(t *testing.T) {
	r := record("x")
	r.Engine = format.Engine(strings.Repeat("e", 99))
	if r.Trim(); len(r.Engine) != 32 || !slices.Contains(r.Cut, "engine") {
		t.Errorf("engine is %d bytes long, cut %q", len(r.Engine), r.Cut)
	}
}

// TestDataIsNotCutInsideACharacter cuts strings of escaped pairs at every place.
func TestDataIsNotCutInsideACharacter(t *testing.T) {
	for pad := range 12 {
		r := record("x")
		r.Data = fmt.Appendf(nil, `{"long":"%s%s"}`, strings.Repeat("x", pad), strings.Repeat(`\ud83d\ude00`, 6<<10))
		r.Trim()
		end := string(r.Data[len(r.Data)-8:])
		if len(r.Data) > 64<<10 || !slices.Contains(r.Cut, "data") || end != `\ude00"}` {
			t.Errorf("data with %d bytes before is %d bytes long and ends in %q, want a whole character", pad, len(r.Data), end)
		}
	}
}
