package format_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shiplog/format"
)

// TestReadVersion1 reads a segment of the first version of the format, which every later one must read. The
// lines the writer wrote come out as they are; the last one was written by hand.
func TestReadVersion1(t *testing.T) {
	for _, suffix := range []string{"", ".zst"} {
		text, err := os.ReadFile("testdata/v1.jsonl" + suffix)
		if err != nil {
			t.Fatal(err)
		}
		t.Run("v1.jsonl"+suffix, func(t *testing.T) {
			readVersion1(t, store(t, map[string]string{segment(1) + suffix: string(text), segment(5): ""}))
		})
	}
}

func readVersion1(t *testing.T, dir string) {
	l := openLog(t, dir)
	var recs []format.Record
	for ln, err := range l.Forward(0) {
		var r format.Record
		if err == nil {
			err = format.ParseLine(ln.Bytes, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, r)
		if out := format.AppendLine(nil, &r); r.Seq < 4 && string(out) != string(ln.Bytes)+"\n" {
			t.Errorf("record %d:\n%s is written again as\n%s", r.Seq, ln.Bytes, out)
		}
	}
	if len(recs) != 4 {
		t.Fatalf("Forward = %d records, want 4", len(recs))
	}
	if r := recs[1]; r.Eseq != 1 || r.Obj.Name != "dtest" || !r.Time.Equal(time.Date(2026, 1, 2, 3, 4, 6, 123456789, time.UTC)) {
		t.Errorf("record 2 = %+v", r)
	}
	r := recs[2]
	if r.Msg != "Pull image \"nö/such\"\nfailed: \ttab, \x00 NUL, \u2028 separator, 😀" || r.User() != "admin" || r.Args != `{"a": 1.0}` {
		t.Errorf("record 3 = %+v", r)
	}
	if !bytes.Contains(r.Data, []byte(`12345678901234567890.10`)) || len(r.Extra) != 1 || len(r.Actor.Extra) != 1 || len(r.Cut) != 1 {
		t.Errorf("record 3 = data %s, extra %v", r.Data, r.Extra)
	}
	r = recs[3]
	if r.V != 1 || r.EffectiveLevel() != format.LevelError || r.EffectiveOutcome() != format.OutcomeFailure || r.User() != "system" {
		t.Errorf("record 4 = %+v", r)
	}
	if !r.Time.Equal(time.Date(2026, 1, 2, 3, 4, 8, 0, time.UTC)) {
		t.Errorf("record 4 happened at %v", r.Time)
	}
}

// TestWriterGoesOnAfterVersion1 appends to such a segment.
func TestWriterGoesOnAfterVersion1(t *testing.T) {
	text, err := os.ReadFile("testdata/v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	dir := store(t, map[string]string{segment(1): string(text)})
	w := open(t, dir, format.Options{})
	r := &format.Record{Stream: format.StreamEvent, Eseq: format.NextEseq}
	if err := w.Append(t.Context(), r); err != nil || r.Seq != 5 || r.Eseq != 2 {
		t.Errorf("Append = seq %d eseq %d, %v, want 5 and 2", r.Seq, r.Eseq, err)
	}
	closed(t, w)
	after, err := os.ReadFile(filepath.Join(dir, "log", segment(1)))
	if err != nil || !bytes.HasPrefix(after, text) {
		t.Errorf("what was written before is changed: %v", err)
	}
}
