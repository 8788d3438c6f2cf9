package agent

import (
	"errors"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

func TestRemoteTellsHowTheAgentIs(t *testing.T) {
	free := uint64(1 << 50)
	want := Status{Version: "1", PID: 7, Started: time.Unix(1700000000, 0).UTC(), URL: "http://127.0.0.1:7446", Free: &free,
		Engines: []EngineStatus{{Engine: format.EngineDocker, Version: "28.5.2", Connected: true, Since: time.Unix(1700000001, 5).UTC(), Gaps: 2, Lag: 0.25},
			{Engine: format.EngineIncus}},
		Writer: WriterStatus{State: format.StateFull, Reason: "no space", LastSeq: 9, DurableSeq: 8, Segments: 1, Bytes: 77}}
	metrics := []byte("\x00\n<&>\xff")
	var failure error
	r := serveOptions(t, SocketOptions{Status: func() Status { return want }, Metrics: func() ([]byte, error) { return metrics, failure }})
	if got, err := r.Status(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Status = %+v, %v; want %+v", got, err, want)
	}
	if got, err := r.Metrics(t.Context()); err != nil || string(got) != string(metrics) {
		t.Errorf("Metrics = %q, %v; want %q", got, err, metrics)
	}
	failure = errors.New("broken")
	if _, err := r.Metrics(t.Context()); err == nil || errors.Is(err, ErrOldAgent) || !strings.Contains(err.Error(), "broken") {
		t.Errorf("Metrics of an agent that fails = %v, want that it is broken", err)
	}
	failure, metrics = nil, make([]byte, maxAnswer)
	if _, err := r.Metrics(t.Context()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("Metrics that are too many = %v, want an error that says so", err)
	}
	if _, err := (Remote{Path: filepath.Join(t.TempDir(), SocketName)}).Status(t.Context()); !errors.Is(err, ErrNoAgent) || !errors.Is(err, format.ErrAgentDown) {
		t.Errorf("Status without an agent = %v, want %v", err, ErrNoAgent)
	}
}

func TestAnOldAgentIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 100))
			_, _ = conn.Write(errorReply(errors.New("record says nothing")))
			conn.Close()
		}
	}()
	r := Remote{Path: path}
	_, err = r.Status(t.Context())
	_, err2 := r.Metrics(t.Context())
	if !errors.Is(err, ErrOldAgent) || !errors.Is(err2, ErrOldAgent) {
		t.Errorf("Status, Metrics of an old agent = %v, %v; want %v", err, err2, ErrOldAgent)
	}
}

func TestEnginesTellSinceWhen(t *testing.T) {
	a := New(Options{Docker: filepath.Join(t.TempDir(), "docker.sock"), Incus: "none"})
	p := a.pumps[0]
	if e := a.Engines()[0]; e.Connected || !e.Since.IsZero() || e.Lag != 0 {
		t.Errorf("before any connection: %+v, want neither since nor lag", e)
	}
	p.meter.update(func(s *SourceStats) { s.Connected, s.Version = true, "28" })
	first := a.Engines()[0]
	p.meter.update(func(s *SourceStats) { s.Events++ })
	p.q.pushWork(func() []Mapped { return nil })
	p.q.push([]byte("{}"), time.Now().Add(-time.Minute))
	if e := a.Engines()[0]; !e.Connected || e.Since.IsZero() || e.Since != first.Since || e.Version != "28" || e.Lag < 60 || e.Queue != 2 {
		t.Errorf("connected: %+v, want since %v and a lag of a minute", e, first.Since)
	}
	p.meter.update(func(s *SourceStats) { s.Connected = false })
	if e := a.Engines()[0]; e.Connected || !e.Since.After(first.Since) {
		t.Errorf("lost: %+v, want since after %v", e, first.Since)
	}
}

func TestDockerTellsItsVersion(t *testing.T) {
	f := newFakeDocker(t)
	f.start(t)
	s, _ := watch(t, Options{Writer: &memory{}, Docker: f.path})
	eventually(t, "the version", func() bool { return s.meter.stats(s.q).Version == "28.5.2" })
}
