package format_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format"
)

// TestLosePowerBeforeTheNthOperation cuts the power before the first, the second ... operation of a run, until a run
// has none left, of a disk that keeps nothing that was not synced, names of files neither.
func TestLosePowerBeforeTheNthOperation(t *testing.T) {
	for _, row := range []struct {
		name        string
		names, half bool
	}{
		{"nothing is kept that was not synced", false, false},
		{"half of the bytes are kept", false, true},
		{"names are kept, bytes are not", true, false},
		{"names and half of the bytes are kept", true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			for n := 1; ; n++ {
				dir := t.TempDir()
				p := &format.LostPower{At: n, KeepNames: row.names, KeepHalf: row.half}
				acked := map[uint64]string{}
				synctest.Test(t, func(t *testing.T) {
					appendUntilDark(t, dir, p, acked)
				})
				if err := p.Crash(); err != nil {
					t.Fatal(err)
				}
				checkLit(t, dir, acked, fmt.Sprintf("no power before operation %d", n))
				if !p.Gone() {
					if len(acked) < 12 {
						t.Fatalf("%d records were acknowledged with all the power, want 12 and more", len(acked))
					}
					return
				}
				if n > 500 {
					t.Fatal("the runs do not end")
				}
			}
		})
	}
}

// appendUntilDark appends one record after the other, some of them only written, over several segments.
func appendUntilDark(t *testing.T, dir string, p *format.LostPower, acked map[uint64]string) {
	w, err := format.Open(dir, p.Options(dir, format.Options{SegmentBytes: 900}))
	if err != nil {
		return
	}
	for i := range 15 {
		r := record(fmt.Sprintf("record %d", i))
		if i%5 == 1 {
			_ = w.Write(r) // nobody was told that it is safe
			continue
		}
		if err := w.Append(t.Context(), r); err == nil {
			acked[r.Seq] = r.Msg
		}
		if i == 7 {
			_, _ = w.Seal()
		}
	}
	_ = w.Close()
	time.Sleep(time.Minute) // what waits for a disk gives up
}

// checkLit opens what a crash left, twice, and holds that each acknowledged record is there once under its number.
func checkLit(t *testing.T, dir string, acked map[uint64]string, when string) {
	t.Helper()
	for range 2 {
		w := open(t, dir, format.Options{KeepFree: -1, SegmentBytes: 900})
		r := record("after the cut")
		if err := w.Append(t.Context(), r); err != nil {
			t.Fatalf("%s: Append after reopening: %v", when, err)
		}
		if was := acked[r.Seq]; was != "" {
			t.Fatalf("%s: number %d was given again, %q has it", when, r.Seq, was)
		}
		acked[r.Seq] = r.Msg
		closed(t, w)
	}
	found := map[uint64]string{}
	count := map[string]int{}
	for ln, err := range openLog(t, dir).Forward(0) {
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		msg := ln.Fields.Msg.String()
		if count[msg]++; count[msg] > 1 && strings.HasPrefix(msg, "record ") {
			t.Fatalf("%s: %q is there twice", when, msg)
		}
		found[ln.Seq] = msg
	}
	for seq, msg := range acked {
		if found[seq] != msg {
			t.Fatalf("%s: record %d is %q, acknowledged was %q", when, seq, found[seq], msg)
		}
	}
}
