package agent

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeDocker is a daemon on a unix socket: events with a memory of 256, and what the source lists.
type fakeDocker struct {
	path string

	mu         sync.Mutex
	ring       []fakeEvent
	subs       map[chan []byte]chan struct{} // stream to its end
	containers map[string]map[string]any
	server     *http.Server
}

type fakeEvent struct {
	nano int64
	line []byte
}

func newFakeDocker(t *testing.T) *fakeDocker {
	t.Helper()
	f := &fakeDocker{path: filepath.Join(t.TempDir(), "docker.sock"), subs: map[chan []byte]chan struct{}{}, containers: map[string]map[string]any{}}
	t.Cleanup(f.stop)
	return f
}

func (f *fakeDocker) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("unix", f.path)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("/v1.41/version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"Version":"28.5.2"}`) })
	mux.HandleFunc("/v1.41/events", f.events)
	mux.HandleFunc("/v1.41/containers/json", f.list)
	mux.HandleFunc("/v1.41/containers/{id}/json", f.inspect)
	mux.HandleFunc("/v1.41/images/json", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") })
	mux.HandleFunc("/v1.41/volumes", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	f.mu.Lock()
	f.server = &http.Server{Handler: mux}
	s := f.server
	f.mu.Unlock()
	go s.Serve(l)
}

// stop ends the daemon as a kill would: streams break off and the past is forgotten.
func (f *fakeDocker) stop() {
	f.mu.Lock()
	s := f.server
	f.server, f.ring = nil, nil
	f.mu.Unlock()
	if s != nil {
		s.Close()
	}
}

// cut breaks all streams; the daemon lives on.
func (f *fakeDocker) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch, end := range f.subs {
		close(end)
		delete(f.subs, ch)
	}
}

func (f *fakeDocker) connected() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs) > 0
}

func (f *fakeDocker) emit(nano int64, line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring = append(f.ring, fakeEvent{nano, []byte(line + "\n")})
	if len(f.ring) > ringSize {
		f.ring = f.ring[1:]
	}
	for ch := range f.subs {
		ch <- []byte(line + "\n")
	}
}

func (f *fakeDocker) send(raw string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch := range f.subs {
		ch <- []byte(raw)
	}
}

func (f *fakeDocker) events(w http.ResponseWriter, r *http.Request) {
	since, until := fakeNano(r.FormValue("since")), fakeNano(r.FormValue("until"))
	ch, end := make(chan []byte, 1024), make(chan struct{})
	f.mu.Lock()
	past := append([]fakeEvent(nil), f.ring...)
	if until == 0 {
		f.subs[ch] = end
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.subs, ch)
		f.mu.Unlock()
	}()
	w.(http.Flusher).Flush()
	for _, e := range past {
		if e.nano >= since {
			w.Write(e.line)
		}
	}
	w.(http.Flusher).Flush()
	if until != 0 {
		return
	}
	for {
		select {
		case line := <-ch:
			if _, err := w.Write(line); err != nil {
				return
			}
			if len(ch) == 0 {
				w.(http.Flusher).Flush()
			}
		case <-end:
			panic(http.ErrAbortHandler)
		case <-r.Context().Done():
			return
		}
	}
}

func fakeNano(s string) int64 {
	sec, frac, _ := strings.Cut(s, ".")
	a, _ := strconv.ParseInt(sec, 10, 64)
	b, _ := strconv.ParseInt(frac, 10, 64)
	return a*int64(time.Second) + b
}

func (f *fakeDocker) list(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []map[string]any{}
	for id := range f.containers {
		out = append(out, map[string]any{"Id": id})
	}
	json.NewEncoder(w).Encode(out)
}

func (f *fakeDocker) inspect(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	want := r.PathValue("id")
	var hits []map[string]any
	for id, c := range f.containers {
		if c["Name"] == "/"+want || id == want {
			hits = []map[string]any{c}
			break
		}
		if strings.HasPrefix(id, want) {
			hits = append(hits, c)
		}
	}
	switch len(hits) {
	case 1:
		json.NewEncoder(w).Encode(hits[0])
	case 0:
		http.Error(w, `{"message":"No such container: `+want+`"}`, http.StatusNotFound)
	default:
		http.Error(w, `{"message":"Multiple IDs found with provided prefix: `+want+`"}`, http.StatusBadRequest)
	}
}

// set adds a container or changes it.
func (f *fakeDocker) set(id, name, status string, started, finished time.Time, more map[string]any) {
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return "0001-01-01T00:00:00Z"
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	c := map[string]any{"Id": id, "Name": "/" + name, "Created": stamp(started.Add(-time.Second)),
		"State":  map[string]any{"Status": status, "StartedAt": stamp(started), "FinishedAt": stamp(finished), "ExitCode": 3},
		"Config": map[string]any{"Image": "busybox"}, "NetworkSettings": map[string]any{"Networks": map[string]any{}}}
	for k, v := range more {
		c[k] = v
	}
	f.mu.Lock()
	f.containers[id] = c
	f.mu.Unlock()
}

// event is one event as dockerd 20.10 sends it.
func event(at time.Time, typ, action, id string, attr map[string]string) string {
	b, _ := json.Marshal(map[string]any{"Type": typ, "Action": action, "Actor": map[string]any{"ID": id, "Attributes": attr},
		"scope": "local", "time": at.Unix(), "timeNano": at.UnixNano()})
	return string(b)
}
