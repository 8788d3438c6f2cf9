package format_test

import (
	"os"
	"path/filepath"
	"testing"

	"shiplog/format"
)

// TestOldSegmentsAreReadForAnEventOnly opens a log whose newest segment has no event. What its older one holds is changed
// behind the writer's back: so it shows when that is read.
func TestOldSegmentsAreReadForAnEventOnly(t *testing.T) {
	event := `{"v":1,"seq":1,"eseq":5,"stream":"event","msg":"x"}`
	dir := store(t, map[string]string{segment(1): joined(event), segment(2): joined(line(2))})
	w := open(t, dir, format.Options{})
	defer w.Close()
	if err := w.Append(t.Context(), &format.Record{Stream: format.StreamLog, Msg: "no event"}); err != nil {
		t.Fatal(err)
	}
	if seq, stats := w.LastSeq(), w.Stats(); seq != 3 || stats.LastSeq != 3 {
		t.Errorf("LastSeq = %d, Stats().LastSeq = %d, want 3 and 3", seq, stats.LastSeq)
	}
	later := `{"v":1,"seq":1,"eseq":7,"stream":"event","msg":"x"}`
	if err := os.WriteFile(filepath.Join(dir, "log", segment(1)), []byte(joined(later)), 0o640); err != nil {
		t.Fatal(err)
	}
	for want := uint64(8); want < 10; want++ {
		r := &format.Record{Stream: format.StreamEvent, Eseq: format.NextEseq}
		if err := w.Append(t.Context(), r); err != nil || r.Eseq != want {
			t.Errorf("Append of an event = eseq %d, %v, want %d", r.Eseq, err, want)
		}
	}
	if _, eseq := w.Last(); eseq != 9 {
		t.Errorf("Last = eseq %d, want 9", eseq)
	}
}
