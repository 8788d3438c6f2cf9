package agent

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

func FuzzIncusEvent(f *testing.F) {
	paths, err := filepath.Glob("testdata/*/*.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		lines := bytes.Split(data, []byte("\n"))
		for i := 0; i < len(lines); i += 1 + len(lines)/20 {
			f.Add(lines[i])
		}
	}
	f.Add([]byte(`{"type":"lifecycle","timestamp":"2026-11-21T02:20:30Z","metadata":{"action":"instance-renamed","source":"/1.0/images/aliases"}}`))
	f.Add([]byte(`{"type":"operation","timestamp":"2026-11-21T02:20:30Z","metadata":{"status":"Failure","resources":{"instances":["%zz?project=%"]}}}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		m := NewIncusMapper(IncusOptions{LogExec: true})
		tp := &tape{}
		ms, err := m.Event(frame)
		if err != nil {
			return
		}
		if err := Store(append(ms, m.Flush()...), tp.write); err != nil {
			t.Fatalf("Store of %q: %v", frame, err)
		}
		for line := range bytes.Lines(tp.lines.Bytes()) {
			if !json.Valid(line) {
				t.Errorf("%q is written as %q, which is no JSON", frame, line)
			}
		}
	})
}

func TestIncusWindowSortsAnyDisorderWithinItsHold(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 200 {
		var w window
		var sent, got []time.Time
		for i := range 300 {
			sent = append(sent, base.Add(time.Duration(i)*7*time.Millisecond))
		}
		order := make([]int, len(sent))
		arrive := make([]time.Time, len(sent))
		for i := range order {
			order[i], arrive[i] = i, sent[i].Add(time.Duration(rnd.Int64N(int64(18*time.Millisecond))))
		}
		slices.SortStableFunc(order, func(a, b int) int { return arrive[a].Compare(arrive[b]) })
		for _, i := range order {
			kind := "lifecycle"
			if rnd.IntN(2) == 0 {
				kind = "operation"
			}
			for _, e := range w.put(&incusEvent{at: sent[i], kind: kind}) {
				got = append(got, e.at)
			}
		}
		for _, e := range w.all() {
			got = append(got, e.at)
		}
		if len(got) != len(sent) || !slices.IsSortedFunc(got, time.Time.Compare) {
			t.Fatalf("%d of %d events came out, in order: %v", len(got), len(sent), slices.IsSortedFunc(got, time.Time.Compare))
		}
	}
}

func TestIncusWindowSurvivesClockSteps(t *testing.T) {
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var w window
	var out []*incusEvent
	at := func(d time.Duration) {
		out = append(out, w.put(&incusEvent{at: base.Add(d), kind: "operation", obs: base})...)
	}
	at(0)
	at(time.Hour) // the clock jumps ahead, and back
	at(time.Second)
	at(2 * time.Second)
	if len(out) < 2 {
		t.Errorf("%d events came out after the clock was set back, want those from before", len(out))
	}
	at(time.Hour)
	out = append(out, w.tick(base.Add(operationHold))...)
	if len(w.held) != 0 || len(out) != 5 {
		t.Errorf("%d events held one hold after they came, want none whatever their time says", len(w.held))
	}
	if !w.next().IsZero() {
		t.Errorf("next tick at %v, want none while nothing is held", w.next())
	}
}

func TestIncusWindowIsBounded(t *testing.T) {
	var w window
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	for i := range 3 * maxHeld {
		n += len(w.put(&incusEvent{at: base.Add(time.Duration(i)), kind: "operation"}))
	}
	if len(w.held) > maxHeld || n+len(w.held) != 3*maxHeld {
		t.Errorf("%d held and %d passed on, want at most %d held and none lost", len(w.held), n, maxHeld)
	}
}

func TestIncusSecretsNeverReachARecord(t *testing.T) {
	planted := []string{"hunter2", "2d03eb9ef67a21d928c71a466df769150b5f7d49736065e8c078af84a185410b", "200545886a9662b42fd9d3b651feef7fb165aa7bf532d977b642a81514ea09ae"}
	for _, name := range []string{"03-exec-file-console", "10-requestors-files"} {
		tp := mapIncus(t, "testdata/incus/"+name+".jsonl", IncusOptions{LogExec: true})
		for _, secret := range planted {
			if strings.Contains(tp.lines.String(), secret) {
				t.Errorf("%s: %.12s... is in the records", name, secret)
			}
		}
		if !strings.Contains(tp.lines.String(), `"PATH":"[redacted]"`) {
			t.Errorf("%s: the names of variables are gone too", name)
		}
	}
}

func TestIncusExecIsToldOnlyOnRequest(t *testing.T) {
	for _, logExec := range []bool{false, true} {
		tp := mapIncus(t, "testdata/incus/03-exec-file-console.jsonl", IncusOptions{LogExec: logExec})
		n := 0
		for _, r := range tp.recs {
			if r.Stream == format.StreamLog && r.Action == "container.exec" {
				n++
			}
		}
		if want := map[bool]int{false: 0, true: 4}[logExec]; n != want {
			t.Errorf("LogExec %v: %d lines about exec, want %d", logExec, n, want)
		}
	}
}

func TestIncusPathsAreTakenApart(t *testing.T) {
	for in, want := range map[string]incusPath{
		"/1.0/instances/web":                                                  {kind: "instances", name: "web"},
		"/1.0/containers/web":                                                 {kind: "instances", name: "web"},
		"/1.0/instances/web?project=p1":                                       {kind: "instances", name: "web", project: "p1"},
		"/1.0/instances/s1%2Fsnap0":                                           {kind: "instances", name: "s1", sub: "snapshots", subName: "snap0"},
		"/1.0/instances/web/snapshots/s0?project=p1":                          {kind: "instances", name: "web", sub: "snapshots", subName: "s0", project: "p1"},
		"/1.0/images/aliases/ubuntu/24.04":                                    {kind: "aliases", name: "ubuntu/24.04"},
		"/1.0/images/aliases":                                                 {kind: "aliases"},
		"/1.0/storage-pools/default/volumes/custom/default_vol1":              {kind: "volumes", name: "vol1"},
		"/1.0/storage-pools/default/volumes/custom/p1_vol1?project=p1":        {kind: "volumes", name: "vol1", project: "p1"},
		"/1.0/storage-pools/default/volumes/custom/default_vol1/snapshots/s0": {kind: "volumes", name: "vol1", sub: "snapshots", subName: "s0"},
		"/1.0":          {},
		"":              {},
		"%zz?project=%": {kind: "%zz"},
	} {
		if got := parseIncusPath(in); got != want {
			t.Errorf("parseIncusPath(%q) = %+v, want %+v", in, got, want)
		}
	}
}
