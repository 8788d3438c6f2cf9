package format_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// line is a record's line with the number seq.
func line(seq int) string {
	return strings.TrimSuffix(string(format.AppendLine(nil, &format.Record{Seq: uint64(seq), Stream: format.StreamLog, Msg: fmt.Sprint(seq)})), "\n")
}

// store makes a data directory of segment files.
func store(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "log"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "log", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func segment(first int) string { return fmt.Sprintf("%020d.jsonl", first) }

func joined(parts ...string) string { return strings.Join(parts, "\n") + "\n" }

// both reads a log in both directions and holds that they agree.
func both(t *testing.T, l *format.Log) (seqs []uint64, damage int) {
	t.Helper()
	for ln, err := range l.Forward(0) {
		if err != nil {
			var d *format.Damage
			if !errors.As(err, &d) {
				t.Fatal(err)
			}
			damage++
			continue
		}
		if !ln.Fields.Msg.Is(fmt.Sprint(ln.Seq)) || string(ln.Bytes) != string(ln.Fields.Line) {
			t.Fatalf("record %d is %s", ln.Seq, ln.Bytes)
		}
		seqs = append(seqs, ln.Seq)
	}
	again := l.Backward(0)
	for range again {
		break
	}
	var back []uint64
	backDamage := 0
	for ln, err := range again { // a sequence can be read twice
		if err != nil {
			backDamage++
			continue
		}
		back = append(back, ln.Seq)
	}
	slices.Reverse(back)
	if !slices.Equal(seqs, back) || damage != backDamage {
		t.Errorf("Backward = %v and %d damaged, Forward %v and %d", back, backDamage, seqs, damage)
	}
	return seqs, damage
}

func TestReadWhatToolsAndCrashesLeave(t *testing.T) {
	big := `{"v":1,"seq":2,"msg":"` + strings.Repeat("x", 5<<20) + `"}`
	for _, row := range []struct {
		name   string
		files  map[string]string
		want   []uint64
		damage int
	}{
		{"no segment at all", nil, nil, 0},
		{"an empty segment", map[string]string{segment(1): ""}, nil, 0},
		{"two segments, the newest empty", map[string]string{segment(1): joined(line(1), line(2)), segment(3): ""}, []uint64{1, 2}, 0},
		{"a last line that may still be growing", map[string]string{segment(1): joined(line(1)) + line(2)[:20]}, []uint64{1}, 0},
		{"a last line without newline in a sealed segment", map[string]string{segment(1): joined(line(1)) + line(2), segment(3): joined(line(3))}, []uint64{1, 3}, 1},
		{"CRLF, a byte order mark and blank lines", map[string]string{segment(1): "\ufeff" + line(1) + "\r\n\r\n  \n" + line(2) + "\r\n"}, []uint64{1, 2}, 0},
		{"NUL bytes before a line", map[string]string{segment(1): joined(line(1), "\x00\x00\x00"+line(2), line(3))}, []uint64{1, 2, 3}, 1},
		{"a line of NUL bytes", map[string]string{segment(1): joined(line(1), strings.Repeat("\x00", 1<<20), line(2))}, []uint64{1, 2}, 1},
		{"a NUL tail", map[string]string{segment(1): joined(line(1)) + strings.Repeat("\x00", 100)}, []uint64{1}, 0},
		{"a half line glued to another", map[string]string{segment(1): joined(line(1), line(2)[:30]+line(3), line(4))}, []uint64{1, 4}, 1},
		{"lines that are no records", map[string]string{segment(1): joined("hello", line(1), "{}", `{"seq":0}`, `[]`, line(2))}, []uint64{1, 2}, 4},
		{"a line of a version to come", map[string]string{segment(1): joined(line(1), `{"v":2,"seq":2}`, line(3))}, []uint64{1, 3}, 1},
		{"numbers without a next", map[string]string{segment(1): joined(line(1), `{"v":1,"seq":9223372036854775808}`, `{"v":1,"seq":2,"eseq":18446744073709551615}`, line(3))}, []uint64{1, 3}, 2},
		{"a line with two numbers", map[string]string{segment(1): joined(line(1), `{"v":1,"seq":2,"msg":"2","seq":7}`, line(3))}, []uint64{1, 3}, 1},
		{"a line of 5 MiB", map[string]string{segment(1): joined(line(1), big, line(3))}, []uint64{1, 3}, 1},
		{"5 MiB without a newline at the end", map[string]string{segment(1): joined(line(1)) + big}, []uint64{1}, 0},
		{"duplicated lines", map[string]string{segment(1): joined(line(1), line(2), line(2), line(3), line(1), line(2), line(3))}, []uint64{1, 2, 3}, 0},
		{"reordered lines, one damaged", map[string]string{segment(1): joined(line(3), "oops", line(1), line(2))}, []uint64{1, 2, 3}, 1},
		{"the same lines in two segments", map[string]string{segment(1): joined(line(1), line(2), line(3)), segment(3): joined(line(3), line(4))}, []uint64{1, 2, 3, 4}, 0},
		{"all lines in the newest segment", map[string]string{segment(1): "", segment(3): joined(line(3), line(1), line(2))}, []uint64{1, 2, 3}, 0},
		{"older lines in a newer segment", map[string]string{segment(1): joined(line(1), line(4)), segment(3): joined(line(2), line(3), line(5))}, []uint64{1, 2, 3, 4, 5}, 0},
		{"foreign files", map[string]string{segment(1): joined(line(1)), "1.jsonl": line(8), "x.jsonl": "", segment(1) + ".torn": "{", "SEALS.jsonl": "{}"}, []uint64{1}, 0},
		{"members in another order", map[string]string{segment(1): joined(`{"msg":"1","seq":1}`, ` { "seq" : 2, "msg" : "2" } `)}, []uint64{1, 2}, 0},
		{"a gap in the numbers", map[string]string{segment(1): joined(line(1), line(7)), segment(100): joined(line(105))}, []uint64{1, 7, 105}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := openLog(t, store(t, row.files))
			got, damage := both(t, l)
			if !slices.Equal(got, row.want) || damage != row.damage {
				t.Errorf("Forward = %v and %d damaged, want %v and %d", got, damage, row.want, row.damage)
			}
			for _, seq := range row.want {
				if ln, err := l.Get(seq); err != nil || ln.Seq != seq {
					t.Errorf("Get(%d) = %d, %v", seq, ln.Seq, err)
				}
			}
			if _, err := l.Get(1 << 40); !errors.Is(err, format.ErrNotFound) {
				t.Errorf("Get of a record that is not there = %v, want ErrNotFound", err)
			}
		})
	}
}

// TestReadFromAnywhere compares every start in both directions with the whole list, over several blocks.
func TestReadFromAnywhere(t *testing.T) {
	var text [3]bytes.Buffer
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 1; i <= 3000; i++ {
		r := format.Record{Seq: uint64(i), Stream: format.StreamLog, Msg: strings.Repeat("x", rng.IntN(600))}
		text[(i-1)/1000].Write(format.AppendLine(nil, &r))
	}
	l := openLog(t, store(t, map[string]string{segment(1): text[0].String(), segment(1001): text[1].String(), segment(2001): text[2].String()}))
	for range 200 {
		at := rng.Uint64N(3002)
		n := 0
		for ln, err := range l.Forward(at) {
			if err != nil || ln.Seq != at+uint64(n)+1 {
				t.Fatalf("Forward(%d) step %d = %d, %v", at, n, ln.Seq, err)
			}
			if n++; n == 30 {
				break
			}
		}
		if want := min(30, max(0, 3000-int(at))); n != want {
			t.Fatalf("Forward(%d) = %d records, want %d", at, n, want)
		}
		n = 0
		from := at
		if at == 0 {
			from = 3001
		}
		for ln, err := range l.Backward(at) {
			if err != nil || ln.Seq != from-uint64(n)-1 {
				t.Fatalf("Backward(%d) step %d = %d, %v", at, n, ln.Seq, err)
			}
			if n++; n == 30 {
				break
			}
		}
		if want := min(30, int(from)-1); n != want {
			t.Fatalf("Backward(%d) = %d records, want %d", at, n, want)
		}
	}
	for ln, err := range l.Lines(mustSegments(t, l)[1], 0) {
		got, gerr := l.Get(ln.Seq)
		if err != nil || gerr != nil || got.Offset != ln.Offset || got.Segment != 1001 || !bytes.Equal(got.Bytes, ln.Bytes) {
			t.Fatalf("Get(%d) = %d in %d, %v, want %d", ln.Seq, got.Offset, got.Segment, gerr, ln.Offset)
		}
	}
}

func mustSegments(t testing.TB, l *format.Log) []format.Segment {
	t.Helper()
	segs, err := l.Segments()
	if err != nil {
		t.Fatal(err)
	}
	return segs
}

// TestLinesFromAnOffset holds that what Lines says of a line's place can be used to go on there.
func TestLinesFromAnOffset(t *testing.T) {
	l := openLog(t, store(t, map[string]string{segment(1): joined(line(1), "\x00"+line(2), line(3))}))
	seg := mustSegments(t, l)[0]
	for ln, err := range l.Lines(seg, 0) {
		if err != nil {
			var d *format.Damage
			if !errors.As(err, &d) || d.Line != 2 || d.Segment != seg.Name || d.Offset != int64(len(line(1))+1) {
				t.Errorf("damage = %v, want line 2", err)
			}
			continue
		}
		for again, err := range l.Lines(seg, ln.Offset) {
			if err != nil || again.Seq != ln.Seq || again.Offset != ln.Offset {
				t.Errorf("Lines from %d = %d, %v, want %d", ln.Offset, again.Seq, err, ln.Seq)
			}
			break
		}
	}
}

// TestReadOnlyDirectory reads a copy that may not be written, by a folder of segments alone.
func TestReadOnlyDirectory(t *testing.T) {
	dir := store(t, map[string]string{segment(1): joined(line(1), line(2))})
	folder := filepath.Join(dir, "log")
	if err := os.Chmod(folder, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(folder, 0o755)
	if got, _ := both(t, openLog(t, folder)); len(got) != 2 {
		t.Errorf("Forward = %v, want two records", got)
	}
	ents, err := os.ReadDir(folder)
	if err != nil || len(ents) != 1 {
		t.Errorf("the folder holds %v, want the segment only", ents)
	}
	if _, err := format.OpenLog(filepath.Join(dir, "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("OpenLog(nowhere) = %v", err)
	}
}

// follow reads on until want has come, by message.
func follow(t *testing.T, l *format.Log, after uint64) (next func() (uint64, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	type item struct {
		seq uint64
		err error
	}
	items := make(chan item)
	go func() {
		defer close(items)
		for ln, err := range l.Follow(ctx, after) {
			select {
			case items <- item{ln.Seq, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() (uint64, error) {
		it, ok := <-items
		if !ok {
			t.Fatal("Follow ended")
		}
		return it.seq, it.err
	}
}

func TestFollowALiveWriter(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, format.Options{SegmentBytes: 2000})
	mustAppend(t, w, "1")
	next := follow(t, openLog(t, dir), 0)
	for i := uint64(1); i <= 100; i++ {
		if seq, err := next(); seq != i || err != nil {
			t.Fatalf("Follow = %d, %v, want %d", seq, err, i)
		}
		start := time.Now()
		mustAppend(t, w, "x")
		if i == 50 {
			if _, err := w.Seal(); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Fatalf("record %d took %v", i, d)
		}
	}
	closed(t, w)
}

func TestFollowAFileThatIsReplaced(t *testing.T) {
	dir := store(t, map[string]string{segment(1): joined(line(1), line(2)) + line(3)[:10]})
	name := filepath.Join(dir, "log", segment(1))
	next := follow(t, openLog(t, dir), 1)
	if seq, err := next(); seq != 2 || err != nil {
		t.Fatalf("Follow = %d, %v, want 2", seq, err)
	}
	// the half line is taken back and another line written: what was seen of it must not stick to that
	if err := os.WriteFile(name, []byte(joined(line(1), line(2), line(3))), 0o644); err != nil {
		t.Fatal(err)
	}
	seq, err := next()
	for err != nil { // a reading between the truncation and the write sees a shorter file
		seq, err = next()
	}
	if seq != 3 {
		t.Fatalf("Follow = %d, want 3", seq)
	}
	if err := os.WriteFile(name+"~", []byte(joined(line(1), line(2), line(3), line(4))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+"~", name); err != nil {
		t.Fatal(err)
	}
	if _, err := next(); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("Follow of a replaced file = %v, want damage", err)
	}
	if seq, err := next(); seq != 4 || err != nil {
		t.Errorf("Follow = %d, %v, want 4", seq, err)
	}
	// a sealed segment that ends in a half line
	appendFile(t, name, "{")
	appendFile(t, filepath.Join(dir, "log", segment(5)), joined(line(5)))
	if _, err := next(); !errors.Is(err, format.ErrTorn) {
		t.Errorf("Follow over a torn end = %v, want ErrTorn", err)
	}
	if seq, err := next(); seq != 5 || err != nil {
		t.Errorf("Follow = %d, %v, want 5", seq, err)
	}
}

func appendFile(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestFollowEnds holds that a follower that waits ends with its context, without an error.
func TestFollowEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := openLog(t, store(t, map[string]string{segment(1): joined(line(1))}))
	for _, err := range l.Follow(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Millisecond, cancel)
	}
}

// TestGetTellsAFailureFromAnAbsentRecord reads a log whose folder cannot be listed.
func TestGetTellsAFailureFromAnAbsentRecord(t *testing.T) {
	dir := t.TempDir()
	appendFile(t, filepath.Join(dir, "log"), "no folder")
	if _, err := openLog(t, dir).Get(1); err == nil || errors.Is(err, format.ErrNotFound) {
		t.Errorf("Get = %v, want the failure and not ErrNotFound", err)
	}
}

// A segment that goes between the listing and the reading is no empty one.
func TestLinesOfSegmentThatIsGone(t *testing.T) {
	l, err := format.OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	seg := format.Segment{First: 1, Name: "00000000000000000001.jsonl", Sealed: true}
	n := 0
	for ln, err := range l.Lines(seg, 0) {
		if n++; !errors.Is(err, format.ErrPruned) || ln.Segment != 1 {
			t.Errorf("Lines() = a line of segment %d, %v, want segment 1 and ErrPruned", ln.Segment, err)
		}
	}
	if n != 1 {
		t.Errorf("Lines() gives %d steps, want 1", n)
	}
}
