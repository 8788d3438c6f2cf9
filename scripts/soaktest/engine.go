package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const containers = 64

// engine is a made-up Docker daemon on a unix socket: containers that stop and start, and the events of that
// among many others.
type engine struct {
	started time.Time

	mu        sync.Mutex
	n         int                      // guarded by mu; events so far; each has its number
	streams   map[chan []byte]struct{} // guarded by mu
	lost      int                      // guarded by mu; events that a stream had no room for
	histories [containers][]change     // guarded by mu; oldest first
}

// change is a moment from which a container is in a state.
type change struct {
	at      time.Time
	running bool
}

func startEngine(socket string) (*engine, error) {
	e := &engine{started: time.Now(), streams: map[chan []byte]struct{}{}}
	for i := range e.histories {
		e.histories[i] = []change{{e.started, true}}
	}
	ln, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("/v1.41/events", e.events)
	mux.HandleFunc("/v1.41/containers/json", e.list)
	mux.HandleFunc("/v1.41/containers/{id}/json", e.inspect)
	mux.HandleFunc("/v1.41/images/json", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") })
	mux.HandleFunc("/v1.41/volumes", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	go func() { _ = http.Serve(ln, mux) }() // as long as this program
	return e, nil
}

func containerName(i int) string { return fmt.Sprintf("box%02d", i) }
func containerID(i int) string   { return fmt.Sprintf("%064x", 0xb0c0de00+i) }

// awaited waits until somebody reads the events.
func (e *engine) awaited(patience time.Duration) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		e.mu.Lock()
		n := len(e.streams)
		e.mu.Unlock()
		if n > 0 {
			return nil
		}
	}
	return errors.New("nobody reads the engine's events")
}

// report sends rate events a second until ctx ends. Every 16th is a container's stop or start, one after the
// other; the others change no state.
func (e *engine) report(ctx context.Context, rate int) {
	began := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for ; i < int(time.Since(began).Seconds()*float64(rate)); i++ {
			if i%16 == 0 {
				e.turn(i / 16 % containers)
			} else {
				e.emit("update", i%containers, time.Now())
			}
		}
	}
}

// turn stops a container that runs, or starts one that is stopped.
func (e *engine) turn(i int) {
	e.mu.Lock()
	h := e.histories[i]
	now := change{time.Now(), !h[len(h)-1].running}
	e.histories[i] = append(h, now)
	e.mu.Unlock()
	e.emit(map[bool]string{true: "start", false: "die"}[now.running], i, now.at)
}

func (e *engine) emit(action string, i int, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	attributes := map[string]string{"name": containerName(i), "image": "soak", "soak": fmt.Sprintf("event-%d-", e.n)}
	if action == "die" {
		attributes["exitCode"] = "0"
	}
	line, _ := json.Marshal(map[string]any{"Type": "container", "Action": action, "scope": "local", "time": at.Unix(), "timeNano": at.UnixNano(),
		"Actor": map[string]any{"ID": containerID(i), "Attributes": attributes}}) // strings and numbers do not fail
	for stream := range e.streams {
		select {
		case stream <- append(line, '\n'):
		default:
			e.lost++ // as the daemon does with who reads too slowly
		}
	}
}

// sent is how many events there were.
func (e *engine) sent() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n
}

// was tells whether container i was in a state at some moment from begin to end.
func (e *engine) was(i int, running bool, begin, end time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.histories[i]
	for k, c := range h {
		if c.running == running && c.at.Before(end) && (k+1 == len(h) || h[k+1].at.After(begin)) {
			return true
		}
	}
	return false
}

// first is when container i came into a state after begin, or begin when it was in it.
func (e *engine) first(i int, running bool, begin time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.histories[i]
	for k, c := range h {
		if c.running == running && (k+1 == len(h) || h[k+1].at.After(begin)) {
			if c.at.After(begin) {
				return c.at
			}
			break
		}
	}
	return begin
}

func (e *engine) events(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w).Flush
	if r.FormValue("until") != "" {
		return // of the past nothing is kept
	}
	stream := make(chan []byte, 1024) // as the daemon has
	e.mu.Lock()
	e.streams[stream] = struct{}{}
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.streams, stream)
		e.mu.Unlock()
	}()
	if flush() != nil {
		return
	}
	for {
		select {
		case line := <-stream:
			if _, err := w.Write(line); err != nil || len(stream) == 0 && flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

func (e *engine) list(w http.ResponseWriter, _ *http.Request) {
	all := []map[string]any{}
	for i := range containers {
		all = append(all, map[string]any{"Id": containerID(i)})
	}
	_ = json.NewEncoder(w).Encode(all)
}

func (e *engine) inspect(w http.ResponseWriter, r *http.Request) {
	for i := range containers {
		if id := r.PathValue("id"); id == containerName(i) || len(id) >= 12 && strings.HasPrefix(containerID(i), id) {
			_ = json.NewEncoder(w).Encode(e.state(i))
			return
		}
	}
	http.Error(w, `{"message":"No such container"}`, http.StatusNotFound)
}

func (e *engine) state(i int) map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.histories[i]
	now := h[len(h)-1]
	status, start, end := "running", now.at, e.started
	if !now.running {
		status, start, end = "exited", h[len(h)-2].at, now.at
	}
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	return map[string]any{"Id": containerID(i), "Name": "/" + containerName(i), "Created": stamp(e.started),
		"State":  map[string]any{"Status": status, "Running": now.running, "StartedAt": stamp(start), "FinishedAt": stamp(end)},
		"Config": map[string]any{"Image": "soak"}, "NetworkSettings": map[string]any{"Networks": map[string]any{}}}
}
