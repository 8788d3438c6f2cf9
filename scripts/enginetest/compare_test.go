package enginetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// afterStories are what the steps after the stories did, in the same form. A state that nobody saw happen
// is told from the lists that shiplog compares after a gap.
var afterStories = []story{
	// Its process ended while dockerd was dead, which then says nothing of the network.
	{name: "dies", engine: "docker", states: "create connect start die destroy"},
	// incusd starts what ran when it was killed: the stop is told from the lists, the start is not.
	{name: "idies", engine: "lxc", states: "create start stop start stop destroy"},
	{name: "ilives", engine: "lxc", states: "create start stop destroy"},
	{name: "before", engine: "docker", states: "create connect start die disconnect destroy"},
	{name: "meanwhile", engine: "docker", states: "create connect start die disconnect destroy"},
	{name: "ibefore", engine: "lxc", states: "create start destroy"},
	{name: "imeanwhile", engine: "lxc", states: "create start stop destroy"},
	{name: "hidden", engine: "docker", states: "create start die disconnect destroy"},
}

// compare holds the files against the engines' own streams.
func (r *run) compare(t *testing.T) {
	r.settle(t)
	all := r.b.records(t)
	r.compareDocker(t, all)
	r.compareIncus(t, all)
	for i, rec := range all {
		if rec.Seq != uint64(i)+1 {
			t.Fatalf("record %d of the files has seq %d: not dense", i+1, rec.Seq)
		}
	}
}

// settle waits until shiplog has written nothing for a second.
func (r *run) settle(t *testing.T) {
	seq, still := r.b.newest(t), time.Now()
	eventually(t, 20*time.Second, "shiplog goes on writing", func() bool {
		if now := r.b.newest(t); now != seq {
			seq, still = now, time.Now()
		}
		return time.Since(still) > time.Second
	})
}

func (r *run) compareDocker(t *testing.T, all []record) {
	stored := map[string]int{}
	for _, rec := range all {
		if rec.Stream == "event" && rec.Engine == "docker" && rec.Data["attr"] != nil && !rec.synthetic() {
			stored[fmt.Sprintf("%d %s %s", rec.Time.UnixNano(), rec.Action, rec.Obj.ID)]++
		}
	}
	events := r.o.dockerEvents()
	checked := 0
	for _, e := range events {
		n := stored[e.key()]
		delete(stored, e.key())
		switch at := time.Unix(0, e.TimeNano); {
		case strings.Contains(e.Action, "test -e /ok") || e.Action == "exec_die" && r.isHealthCheck(e, events):
			if n != 0 {
				t.Errorf("health check recorded: %s", e.key())
			}
		case n > 1 || n == 0 && r.sees("docker", at):
			t.Errorf("event of dockerd stored %d times: %s %v", n, e.key(), e.Actor.Attributes["name"])
		}
		checked++
	}
	for key := range stored {
		t.Errorf("stored, but dockerd never said it: %s", key)
	}
	t.Logf("%d events of dockerd compared", checked)
}

func (r *run) isHealthCheck(die dockerEvent, events []dockerEvent) bool {
	id := die.Actor.Attributes["execID"]
	return slices.ContainsFunc(events, func(e dockerEvent) bool {
		return id != "" && e.Actor.Attributes["execID"] == id && strings.Contains(e.Action, "test -e /ok")
	})
}

// compareIncus compares lifecycle frames one to one, and of each operation its end.
func (r *run) compareIncus(t *testing.T, all []record) {
	stored := map[string]int{}
	for _, rec := range all {
		var f incusFrame
		if raw := rec.Data["raw"]; rec.Stream == "event" && raw != nil && json.Unmarshal(raw, &f) == nil && f.Type != "" {
			stored[f.key()]++
		}
	}
	checked := 0
	for _, f := range r.o.incusFrames() {
		n := stored[f.key()]
		delete(stored, f.key())
		ends := f.Metadata.StatusCode >= 200
		if f.Type == "operation" && !ends {
			continue // the first is kept, progress is not
		}
		if n > 1 || n == 0 && r.sees("lxc", f.Timestamp) {
			t.Errorf("frame of incusd stored %d times: %s %s", n, f.key(), f.Metadata.Description)
		}
		checked++
	}
	for key := range stored {
		if !strings.Contains(key, " operation ") {
			t.Errorf("stored, but incusd never said it: %s", key)
		}
	}
	t.Logf("%d frames of incusd compared", checked)
}

// told compares the stories with the API, under each prefix, and the prefixes and the CSV with each other.
func (r *run) told(t *testing.T) {
	for _, prefix := range []string{v2, v2old, v1} {
		t.Run(strings.Trim(prefix, "/"), func(t *testing.T) {
			logs, events := r.b.logs(t, prefix), r.b.events(t, prefix)
			for _, s := range slices.Concat(dockerStories, incusStories, afterStories) {
				s.told(t, r.o, logs, events)
			}
			for _, line := range slices.Concat(dockerOnce, incusOnce) {
				n := 0
				for _, l := range logs {
					if matches(line, strings.TrimPrefix(l.Level+" "+l.Message, "INFO ")) {
						n++
					}
				}
				if n != 1 {
					t.Errorf("%d lines %q, want 1", n, line)
				}
			}
			r.eventsAreRecords(t, prefix, events)
			r.csvIsLog(t, prefix, logs)
			t.Logf("%d lines, %d messages", len(logs), len(events))
		})
	}
}

// eventsAreRecords holds each message against the record of its number, and dockerd's own events against
// the messages.
func (r *run) eventsAreRecords(t *testing.T, prefix string, events []message) {
	byEseq := map[int]record{}
	for _, rec := range r.b.records(t) {
		if rec.Eseq != 0 {
			byEseq[int(rec.Eseq)] = rec
		}
	}
	if len(events) != len(byEseq) {
		t.Errorf("%s/event tells %d messages, the files hold %d numbered events", prefix, len(events), len(byEseq))
	}
	count := map[string]int{}
	for _, m := range events {
		rec := byEseq[m.Pos]
		if prefix != v1 && m.TS != strconv.FormatInt(rec.Time.Unix(), 10) {
			t.Errorf("message %d has time %s, its record %v", m.Pos, m.TS, rec.Time)
		}
		if m.member("type") == "docker" && m.Category == "container" && !rec.synthetic() {
			count[fmt.Sprintf("%d %s %s", rec.Time.Unix(), m.member("state"), m.member("id"))]++
		}
	}
	shown := map[string]int{}
	for _, e := range r.o.dockerEvents() {
		at := time.Unix(0, e.TimeNano)
		if state, id, ok := e.shown(); ok && r.sees("docker", at) {
			shown[fmt.Sprintf("%d %s %s", at.Unix(), state, id)]++
		}
	}
	for key, n := range shown {
		// The end of one connection may be said twice and told once.
		twice := strings.Contains(key, " disconnect ") && n/2 <= count[key] && count[key] <= n
		if count[key] != n && !twice {
			t.Errorf("dockerd said %q %d times, %s/event tells it %d times", key, n, prefix, count[key])
		}
	}
}

// shown is the state that Container Station's /event has for an event, and the container.
func (e dockerEvent) shown() (state, id string, ok bool) {
	switch {
	case e.Type == "network" && (e.Action == "connect" || e.Action == "disconnect"):
		return e.Action, e.Actor.Attributes["container"], true
	case e.Type == "container" && slices.Contains(strings.Fields("create start stop restart pause unpause destroy die"), e.Action):
		return e.Action, e.Actor.ID, true
	}
	return "", "", false
}

// csvIsLog compares the export with /log, row for row.
func (r *run) csvIsLog(t *testing.T, prefix string, logs []logLine) {
	text := string(r.b.get(t, prefix+"/log/export"))
	head, body, _ := strings.Cut(text, "\r\n")
	if head != "Date,Level,Category,User,Message" {
		t.Errorf("first line of the CSV = %q", head)
	}
	quote := func(s string) string {
		if strings.ContainsAny(s, ",\"\r\n") {
			return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		return s
	}
	for _, l := range logs {
		date := time.Unix(l.TS, 0).UTC().Format(time.DateTime) + "."
		rest := fmt.Sprintf(",%s,%s,%s,%s\r\n", l.Level, l.Category, quote(l.User), quote(l.Message))
		n := len(date) + 6
		if len(body) < n+len(rest) || !strings.HasPrefix(body, date) || body[n:n+len(rest)] != rest {
			t.Fatalf("CSV row of record %d begins %.200q, want %s...%s", l.ID, body, date, rest)
		}
		body = body[n+len(rest):]
	}
	if body != "" {
		t.Errorf("the CSV has more than /log: %.200q", body)
	}
}
