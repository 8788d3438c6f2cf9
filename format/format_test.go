package format_test

import (
	"testing"

	"shiplog/format"
)

func TestAppendThenRead(t *testing.T) {
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, msg := range []string{"one", "two", "three"} {
		if err := w.Append(t.Context(), &format.Record{Stream: format.StreamLog, Msg: msg}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := format.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for ln, err := range l.Forward(0) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; ln.Seq != n {
			t.Errorf("Forward: seq %d, want %d", ln.Seq, n)
		}
	}
	if n != 3 {
		t.Errorf("Forward = %d records, want 3", n)
	}
}
