package agent

import (
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// TestDockerRestore kills shiplog at every record: the lines that were not yet written are written by the
// next start, none twice, and the one after it has nothing left to write.
func TestDockerRestore(t *testing.T) {
	base := time.Now().Add(-time.Minute)
	web, db := hexID(7), hexID(8)
	ev := func(ms int, typ, action, id string, attr map[string]string) string {
		return event(base.Add(time.Duration(ms)*time.Millisecond), typ, action, id, attr)
	}
	web1, db1 := map[string]string{"name": "web", "image": "busybox"}, map[string]string{"name": "db", "image": "busybox"}
	die := map[string]string{"name": "db", "image": "busybox", "exitCode": "3"}
	net := map[string]string{"name": "bridge", "container": web}
	stream := []string{
		ev(0, "container", "create", web, web1), ev(10, "network", "connect", "n", net), ev(300, "container", "start", web, web1),
		ev(320, "container", "create", db, db1), ev(340, "container", "start", db, db1), ev(360, "container", "die", db, die),
		ev(900, "container", "kill", web, map[string]string{"name": "web", "image": "busybox", "signal": "15"}),
		ev(950, "container", "die", web, map[string]string{"name": "web", "image": "busybox", "exitCode": "143"}),
		ev(960, "network", "disconnect", "n", net), ev(970, "container", "stop", web, web1),
		ev(990, "network", "connect", "n", net), ev(1300, "container", "start", web, web1), ev(1300, "container", "restart", web, web1),
		ev(1310, "image", "tag", "sha256:1", map[string]string{"name": "a:1"}), ev(1320, "image", "untag", "sha256:1", nil), ev(1330, "image", "delete", "sha256:1", nil),
	}
	var whole tape
	m := NewDockerMapper(MapperOptions{})
	for _, raw := range stream {
		ms, err := m.Event([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := Store(ms, whole.write); err != nil {
			t.Fatal(err)
		}
	}
	if err := Store(m.Flush(), whole.write); err != nil {
		t.Fatal(err)
	}
	want := texts(whole.recs)
	for cut := 1; cut <= len(whole.recs); cut++ {
		dir := t.TempDir()
		w, err := format.Open(dir, format.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range whole.recs[:cut] {
			c := *r
			c.Seq, c.Eseq = 0, min(r.Eseq, 1)*format.NextEseq
			if err := w.Write(&c); err != nil {
				t.Fatal(err)
			}
		}
		log, err := format.OpenLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second start goes on where the first was killed at once
			s := newDockerSource(New(Options{Writer: w, Log: log, Docker: "none", Incus: "none"}).opts, &meter{})
			if err := Store(s.restore(), w.Write); err != nil {
				t.Fatal(err)
			}
		}
		s := newDockerSource(New(Options{Writer: w, Log: log, Docker: "none", Incus: "none"}).opts, &meter{})
		ms := s.restore()
		for _, raw := range stream { // as the daemon would replay it
			ms = append(ms, s.event([]byte(raw), time.Now())...)
		}
		if err := Store(append(ms, s.flush()...), w.Write); err != nil {
			t.Fatal(err)
		}
		if a, ok := s.anchor.decoded(); !ok || a.at.IsZero() {
			t.Errorf("after %d records: no anchor", cut)
		}
		got := map[string]int{}
		for line, err := range log.Forward(0) {
			r := new(format.Record)
			if err != nil || format.ParseLine(line.Bytes, r) != nil {
				t.Fatal(err)
			}
			got[text(r)]++
		}
		w.Close()
		for k, n := range want {
			if got[k] != n {
				t.Errorf("killed after record %d (%s): %d x %s, want %d", cut, text(whole.recs[cut-1]), got[k], k, n)
			}
		}
		if t.Failed() {
			t.Fatalf("got %v", got)
		}
	}
}

// text is what makes a record of one run equal to that of another.
func text(r *format.Record) string {
	kind := "raw"
	if strings.Contains(string(r.Data), `"ref":`) {
		kind = "derived"
	}
	return strings.Join([]string{string(r.Stream), kind, r.Action, r.Obj.ID, r.Msg, r.Time.Format(time.RFC3339Nano)}, "|")
}

func texts(recs []*format.Record) map[string]int {
	m := map[string]int{}
	for _, r := range recs {
		m[text(r)]++
	}
	return m
}
