package agent

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format"
)

// TestQueueOverflow fills a queue by bytes and by number: the gap stands where the lost events would have.
func TestQueueOverflow(t *testing.T) {
	q := newQueue(func(raw []byte) string { return string(raw[:1]) }, func(o overflow) []Mapped {
		return []Mapped{gap{Engine: "docker", From: o.From, To: o.To, Reason: gapQueue, AtLeast: o.Lost, By: o.By}.record()}
	})
	now := time.Unix(1e9, 0)
	for i := range queueItems + 3 {
		q.push([]byte("a"), now.Add(time.Duration(i)))
	}
	q.push([]byte("b"), now)
	if n, _, lost := q.depth(); n != queueItems || lost != 4 {
		t.Fatalf("depth = %d, %d lost, want %d and 4", n, lost, queueItems)
	}
	for range queueItems {
		if it, ok := q.take(); !ok || it.raw == nil {
			t.Fatal("an event is missing")
		}
	}
	it, ok := q.take()
	if !ok || it.do == nil {
		t.Fatal("no gap after the last event that fitted")
	}
	if got, want := string(it.do()[0].Record.Data), `"lost_at_least":4,"may_have_lost":false,"lost_by":{"a":3,"b":1}}`; got[len(got)-len(want):] != want {
		t.Errorf("gap %s, want it to end in %s", got, want)
	}
	if _, ok := q.take(); ok {
		t.Error("the queue is not empty")
	}
	big := make([]byte, queueBytes/2)
	for range 3 {
		q.push(big, now)
	}
	if n, b, lost := q.depth(); n != 2 || b != queueBytes || lost != 5 {
		t.Errorf("depth = %d, %d bytes, %d lost, want 2, %d, 5", n, b, lost, queueBytes)
	}
}

// TestStore gives derived records the number of what they were derived from, and survives a failure in the
// middle without writing anything twice.
func TestStore(t *testing.T) {
	raw := &format.Record{Stream: format.StreamEvent, Eseq: format.NextEseq, Data: []byte(`{}`)}
	line := &format.Record{Stream: format.StreamLog, Data: []byte(`{}`)}
	task := &format.Record{Stream: format.StreamEvent, Data: []byte(`{"qnap":{"state":"completed","tid":0}}`)}
	ms := []Mapped{{Record: raw}, {Record: line, Ref: raw}, {Record: task, Ref: raw, Task: raw}}
	var out tape
	out.seq = 40
	calls := 0
	fail := func(recs ...*format.Record) error {
		if calls++; calls == 2 {
			return format.ErrFull
		}
		return out.write(recs...)
	}
	if err := Store(ms, fail); !errors.Is(err, format.ErrFull) {
		t.Fatalf("Store = %v, want the writer's error", err)
	}
	if err := Store(ms, fail); err != nil {
		t.Fatal(err)
	}
	if len(out.recs) != 3 {
		t.Errorf("%d records, want 3", len(out.recs))
	}
	if got := string(line.Data); got != `{"ref":41}` {
		t.Errorf("line data %s, want the ref", got)
	}
	if got := string(task.Data); got != `{"ref":41,"qnap":{"state":"completed","tid":41}}` {
		t.Errorf("task data %s, want ref and tid", got)
	}
}

// still is a source of nothing that counts how often it is asked.
type still struct {
	source
	asked int
}

func (s *still) event([]byte, time.Time) []Mapped { return nil }
func (s *still) tick(time.Time) []Mapped          { return nil }
func (s *still) deadline() time.Time              { s.asked++; return time.Time{} }
func (s *still) flush() []Mapped                  { return nil }
func (s *still) rest() func() []Mapped            { return nil }
func (s *still) engine() format.Engine            { return format.EngineDocker }

// TestPumpSleeps lets a day pass without an event.
func TestPumpSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &still{}
		p := &pump{src: s, q: newQueue(nil, nil), now: time.Now, log: slog.New(slog.DiscardHandler), meter: &meter{}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.run(ctx, nil) }()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if s.asked > 2 {
			t.Errorf("the pump woke %d times in a day without events, want at most 2", s.asked)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
