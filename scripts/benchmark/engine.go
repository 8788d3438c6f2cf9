package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// engine is a made-up Docker daemon on a unix socket with one container, which stops and starts when it is told to.
type engine struct {
	streams chan chan []byte // those who read the events

	mu      sync.Mutex
	running bool      // guarded by mu
	since   time.Time // guarded by mu
}

const (
	engineID   = "b0c0de00b0c0de00b0c0de00b0c0de00b0c0de00b0c0de00b0c0de00b0c0de00"
	engineName = "waited"
)

func startEngine(socket string) (*engine, error) {
	ln, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	e := &engine{streams: make(chan chan []byte), running: true, since: time.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("/v1.41/events", e.events)
	mux.HandleFunc("/v1.41/containers/json", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `[{"Id": %q}]`, engineID) })
	mux.HandleFunc("/v1.41/containers/{id}/json", e.inspect)
	mux.HandleFunc("/v1.41/images/json", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") })
	mux.HandleFunc("/v1.41/volumes", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	go func() { _ = http.Serve(ln, mux) }() // as long as this program
	return e, nil
}

// reader waits until the events are read, and returns where to send them.
func (e *engine) reader() (chan []byte, error) {
	select {
	case s := <-e.streams:
		return s, nil
	case <-time.After(30 * time.Second):
		return nil, errors.New("nobody reads the engine's events")
	}
}

func (e *engine) events(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w).Flush
	if r.FormValue("until") != "" || flush() != nil {
		return // of the past nothing is kept
	}
	lines := make(chan []byte)
	select {
	case e.streams <- lines:
	case <-r.Context().Done():
		return
	}
	for {
		select {
		case line := <-lines:
			if _, err := w.Write(line); err != nil || flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// turn stops the container, or starts it, and returns the event of that.
func (e *engine) turn() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running, e.since = !e.running, time.Now()
	attributes, action := map[string]string{"name": engineName, "image": "bench"}, "start"
	if !e.running {
		action, attributes["exitCode"] = "die", "0"
	}
	line, _ := json.Marshal(map[string]any{"Type": "container", "Action": action, "scope": "local", "time": e.since.Unix(),
		"timeNano": e.since.UnixNano(), "Actor": map[string]any{"ID": engineID, "Attributes": attributes}}) // strings and numbers do not fail
	return append(line, '\n')
}

func (e *engine) inspect(w http.ResponseWriter, r *http.Request) {
	if id := r.PathValue("id"); id != engineName && (len(id) < 12 || !strings.HasPrefix(engineID, id)) {
		http.Error(w, `{"message": "No such container"}`, http.StatusNotFound)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	stamp := e.since.UTC().Format(time.RFC3339Nano)
	_ = json.NewEncoder(w).Encode(map[string]any{"Id": engineID, "Name": "/" + engineName, "Created": stamp, // who is gone needs no answer
		"State":  map[string]any{"Status": map[bool]string{true: "running", false: "exited"}[e.running], "Running": e.running, "StartedAt": stamp, "FinishedAt": stamp},
		"Config": map[string]any{"Image": "bench"}, "NetworkSettings": map[string]any{"Networks": map[string]any{}}})
}
