package format_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format"
)

// TestIdleWritesNothing counts what an idle writer does to the disk: nothing, so that the disk can sleep.
func TestIdleWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &format.Faults{}
		w := open(t, t.TempDir(), f.Options(format.Options{}))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		time.Sleep(time.Hour)
		if n := f.Total() - f.Count("syncdir"); n != 0 {
			t.Errorf("an hour before the first record: %d operations, want none", n)
		}
		for range 3 {
			if err := w.Write(record("x")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		if n := f.Count("sync"); n != 1 {
			t.Errorf("%d syncs within 2 s of three records, want 1", n)
		}
		mustAppend(t, w, "y")
		time.Sleep(2 * time.Second)
		before := f.Total()
		time.Sleep(24 * time.Hour)
		if n := f.Total() - before; n != 0 {
			t.Errorf("an idle day: %d operations, want none", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		closed(t, w)
		if n := f.Total() - before; n != 0 {
			t.Errorf("Close of an idle writer: %d operations, want none", n)
		}
	})
}

func TestWriteIsSyncedWithinSyncEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &format.Faults{}
		w := open(t, t.TempDir(), f.Options(format.Options{SyncEvery: 3 * time.Second}))
		go w.Run(t.Context())
		if err := w.Write(record("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2999 * time.Millisecond)
		if n := f.Count("sync"); n != 0 {
			t.Errorf("%d syncs before 3 s, want none", n)
		}
		time.Sleep(time.Second)
		if n := f.Count("sync"); n != 1 {
			t.Errorf("%d syncs after 3 s, want 1", n)
		}
		closed(t, w)
	})
}

// TestManyClients holds that records of many callers are numbered densely, all stored, and share their syncs.
func TestManyClients(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, format.Options{SegmentBytes: 20 << 10})
	const clients, each = 32, 20
	var mu sync.Mutex
	var seqs []uint64
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				r := &format.Record{Stream: format.StreamEvent, Eseq: format.NextEseq, Msg: fmt.Sprintf("%d-%d", c, i)}
				var err error
				if i%3 == 0 {
					err = w.Write(r)
				} else {
					err = w.Append(t.Context(), r)
				}
				if err != nil || r.Eseq != r.Seq || r.ID == "" || r.Obs.IsZero() {
					t.Errorf("record %+v: %v", r, err)
				}
				mu.Lock()
				seqs = append(seqs, r.Seq)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	s := w.Stats()
	closed(t, w)
	slices.Sort(seqs)
	for i, seq := range seqs {
		if seq != uint64(i)+1 {
			t.Fatalf("seq %d at place %d: not dense", seq, i)
		}
	}
	msgs, damage := messages(t, dir)
	if len(msgs) != clients*each || len(damage) != 0 {
		t.Errorf("log = %d records, damage %v, want %d", len(msgs), damage, clients*each)
	}
	slices.Sort(msgs)
	if len(slices.Compact(msgs)) != clients*each {
		t.Error("a record is there twice")
	}
	if s.Records != clients*each || s.Sealed < 3 || s.LastSeq != clients*each {
		t.Errorf("Stats = %+v", s)
	}
}

func TestSecondWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, format.Options{})
	_, err := format.Open(dir, format.Options{})
	if !errors.Is(err, format.ErrLocked) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second Open = %v, want ErrLocked naming process %d", err, os.Getpid())
	}
	closed(t, w)
	closed(t, open(t, dir, format.Options{}))
}

func TestOpenGoesOn(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		w := open(t, dir, format.Options{Host: "nas"})
		r := record("x")
		e := &format.Record{Stream: format.StreamEvent, Eseq: format.NextEseq}
		if err := w.Append(t.Context(), e, r); err != nil {
			t.Fatal(err)
		}
		if want := uint64(2*round + 2); r.Seq != want || e.Eseq != uint64(round+1) || r.Host != "nas" {
			t.Errorf("round %d: seq %d eseq %d host %q, want %d %d nas", round, r.Seq, e.Eseq, r.Host, want, round+1)
		}
		if round == 1 {
			if sealed, err := w.Seal(); !sealed || err != nil {
				t.Errorf("Seal = %v, %v", sealed, err)
			}
			if sealed, err := w.Seal(); sealed || err != nil {
				t.Errorf("Seal of an empty segment = %v, %v, want false", sealed, err)
			}
		}
		closed(t, w)
		if seq, eseq := w.Last(); seq != uint64(2*round+2) || eseq != uint64(round+1) {
			t.Errorf("Last = %d, %d", seq, eseq)
		}
	}
	if n := len(segmentFiles(t, dir)); n != 2 {
		t.Errorf("%d segments, want 2", n)
	}
}

// TestOpenFindsNumbers opens what the newest segment alone does not tell.
func TestOpenFindsNumbers(t *testing.T) {
	event := func(seq, eseq int) string {
		return fmt.Sprintf(`{"v":1,"seq":%d,"eseq":%d,"stream":"event","msg":"x"}`, seq, eseq)
	}
	for _, row := range []struct {
		name      string
		files     map[string]string
		seq, eseq uint64
	}{
		{"an empty newest segment", map[string]string{segment(1): joined(line(1), event(2, 1)), segment(3): ""}, 2, 1},
		{"no event in the newest segments", map[string]string{segment(1): joined(event(1, 1), event(2, 2)), segment(3): joined(line(3)), segment(4): joined(line(4))}, 4, 2},
		{"no event at all", map[string]string{segment(1): joined(line(1)), segment(2): joined(line(2))}, 2, 0},
		{"lines in disorder", map[string]string{segment(1): joined(event(3, 2), line(1), event(2, 1))}, 3, 2},
		{"damaged lines at the end", map[string]string{segment(1): joined(line(1), line(2)[:9], line(3)[:9])}, 3, 0},
		{"an older segment that reaches further", map[string]string{segment(1): joined(line(1), line(2), event(3, 1), line(4)) + "{", segment(2): joined(line(2))}, 4, 1},
		{"an older segment that reaches further than an empty one", map[string]string{segment(1): joined(line(1), event(2, 1), line(3)), segment(2): ""}, 3, 1},
		{"the end of a line of 5 MiB that looks like a record", map[string]string{segment(1): joined(line(1), strings.Repeat(" ", 5<<20)+line(900))}, 2, 0},
		{"numbers that leave no next one", map[string]string{segment(1): joined(line(1), event(2, 1), `{"v":1,"seq":18446744073709551615,"stream":"log"}`, `{"v":1,"seq":4,"eseq":18446744073709551615,"stream":"event"}`)}, 4, 1},
		{"a damaged line whose number is there", map[string]string{segment(1): joined(line(1), line(2)[:30])}, 2, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := open(t, store(t, row.files), format.Options{})
			defer w.Close()
			if seq, eseq := w.Last(); seq != row.seq || eseq != row.eseq {
				t.Errorf("Last = %d, %d, want %d, %d", seq, eseq, row.seq, row.eseq)
			}
		})
	}
	_, err := format.Open(store(t, map[string]string{segment(1): joined(line(1), `{"v":2,"seq":2}`)}), format.Options{})
	if !errors.Is(err, format.ErrVersion) {
		t.Errorf("Open after a newer program = %v, want ErrVersion", err)
	}
}

func TestRestoreKeepsNumbers(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, format.Options{})
	recs := []*format.Record{
		{Seq: 5, ID: "a", Stream: format.StreamLog, Msg: "five"},
		{Seq: 9, Eseq: 4, ID: "b", Stream: format.StreamEvent, Msg: "nine"},
	}
	if err := w.Restore(recs...); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*format.Record{
		"a seq that is taken":   {Seq: 9, Stream: format.StreamLog},
		"no seq":                {Stream: format.StreamLog},
		"a seq without a next":  {Seq: 1 << 63, Stream: format.StreamLog},
		"an eseq to be given":   {Seq: 10, Eseq: format.NextEseq, Stream: format.StreamEvent},
		"an eseq that is taken": {Seq: 10, Eseq: 4, Stream: format.StreamEvent},
	} {
		if err := w.Restore(r); err == nil {
			t.Errorf("Restore of %s = nil, want an error", name)
		}
	}
	next := &format.Record{Stream: format.StreamEvent, Eseq: format.NextEseq}
	if err := w.Append(t.Context(), next); err != nil || next.Seq != 10 || next.Eseq != 5 {
		t.Errorf("Append after Restore = seq %d eseq %d, %v, want 10 and 5", next.Seq, next.Eseq, err)
	}
	closed(t, w)
	ln, err := openLog(t, dir).Get(5)
	if err != nil || !ln.Fields.ID.Is("a") {
		t.Errorf("Get(5) = %s, %v", ln.Bytes, err)
	}
}

func TestInvalidRecordsAreRefused(t *testing.T) {
	w := open(t, t.TempDir(), format.Options{})
	defer w.Close()
	for name, r := range map[string]*format.Record{
		"no stream":         {},
		"unknown level":     {Stream: format.StreamLog, Level: "WARNING"},
		"unknown outcome":   {Stream: format.StreamLog, Outcome: "ok"},
		"an eseq on a log":  {Stream: format.StreamLog, Eseq: 1},
		"a version to come": {Stream: format.StreamLog, V: 2},
	} {
		if err := w.Append(t.Context(), r); err == nil || r.Seq != 0 {
			t.Errorf("Append of a record with %s = seq %d, %v, want an error", name, r.Seq, err)
		}
	}
	if seq, _ := w.Last(); seq != 0 {
		t.Errorf("Last = %d, want 0", seq)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Append(ctx, record("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Append under an ended context = %v", err)
	}
}

func TestLimits(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, format.Options{})
	long := strings.Repeat("é", 200<<10)
	r := &format.Record{Stream: format.StreamLog, Msg: long, Args: strings.Repeat("\x01", 1<<20), Category: long,
		Actor: format.Actor{Name: long}, Obj: format.Object{Tag: "x" + long},
		Data: []byte(`{"attr":{"small":"kept","large":"` + long + `"},"n":1.50,"list":[` + strings.Repeat("1,", 90<<10) + `1]}`)}
	if err := w.Append(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	ln, err := openLog(t, dir).Get(1)
	if err != nil || len(ln.Bytes) >= 256<<10 {
		t.Fatalf("Get(1) = %d bytes, %v", len(ln.Bytes), err)
	}
	var got format.Record
	if err := format.ParseLine(ln.Bytes, &got); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string][2]int{"msg": {len(got.Msg), 32 << 10}, "category": {len(got.Category), 64},
		"actor.name": {len(got.Actor.Name), 256}, "obj.tag": {len(got.Obj.Tag), 127}} {
		if l[0] != l[1] || !slices.Contains(got.Cut, name) {
			t.Errorf("%s is %d bytes long, want %d, cut %q", name, l[0], l[1], got.Cut)
		}
	}
	if len(got.Data) > 64<<10 || !strings.Contains(string(got.Data), `"small":"kept"`) || !strings.Contains(string(got.Data), `"n":1.50`) {
		t.Errorf("data = %d bytes: %.80s", len(got.Data), got.Data)
	}
	for _, name := range []string{"data", "args"} {
		if !slices.Contains(got.Cut, name) {
			t.Errorf("cut = %q, want %s in it", got.Cut, name)
		}
	}
}

// TestOpenBelowAFolderThatMayNotBeListed opens a directory whose parent can be passed through but not read.
func TestOpenBelowAFolderThatMayNotBeListed(t *testing.T) {
	f := &format.Faults{Hook: func(kind string, n int) (int, error) {
		if kind == "syncdir" && n == 1 {
			return 0, os.ErrPermission
		}
		return 0, nil
	}}
	closed(t, open(t, t.TempDir(), f.Options(format.Options{})))
}
