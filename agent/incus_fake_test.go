package agent

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shiplog/format"

	"github.com/gorilla/websocket"
	"github.com/lxc/incus/v6/shared/api"
)

// fakeIncus is an incusd as far as the source needs one: the API over a unix socket.
type fakeIncus struct {
	t    *testing.T
	path string

	mu        sync.Mutex
	srv       *http.Server      // guarded by mu, as all below; nil: down
	conns     []*websocket.Conn // streams
	opened    int               // streams ever opened
	kind      string            // incus or lxd
	pid       int
	instances []api.InstanceFull
	images    []api.Image
	ops       []api.Operation
	mute      bool               // frozen: answers no ping
	onList    func(f *fakeIncus) // called in the middle of a listing of instances
	greet     []string           // frames sent as soon as a stream opens
}

func newFakeIncus(t *testing.T) *fakeIncus {
	f := &fakeIncus{t: t, path: filepath.Join(t.TempDir(), "unix.socket"), kind: "incus", pid: 100}
	t.Cleanup(f.down)
	return f
}

// up begins to serve.
func (f *fakeIncus) up() {
	f.t.Helper()
	ln, err := net.Listen("unix", f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	srv := &http.Server{Handler: f, ReadHeaderTimeout: 5 * time.Second}
	f.mu.Lock()
	f.srv = srv
	f.mu.Unlock()
	go srv.Serve(ln)
}

// down ends like a killed daemon.
func (f *fakeIncus) down() {
	f.mu.Lock()
	srv, conns := f.srv, f.conns
	f.srv, f.conns = nil, nil
	f.mu.Unlock()
	for _, c := range conns {
		c.UnderlyingConn().Close()
	}
	if srv != nil {
		srv.Close()
	}
	os.Remove(f.path)
}

// set changes what the daemon is.
func (f *fakeIncus) set(change func(*fakeIncus)) {
	f.mu.Lock()
	change(f)
	f.mu.Unlock()
}

// send sends frames on all streams.
func (f *fakeIncus) send(frames ...string) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		for _, fr := range frames {
			if err := c.WriteMessage(websocket.TextMessage, []byte(fr)); err != nil {
				f.t.Log(err)
			}
		}
	}
}

func (f *fakeIncus) streams() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened
}

func (f *fakeIncus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/1.0")
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case path == "":
		f.answer(w, map[string]any{
			"api_version": "1.0", "auth": "trusted", "environment": map[string]any{"server": f.kind, "server_pid": f.pid, "server_name": "box"},
			"api_extensions": []string{"instances", "container_full", "instance_all_projects", "images_all_projects", "operations_get_query_all_projects", "instance_get_full", "projects"},
		})
	case path == "/events":
		f.stream(w, r)
	case path == "/instances":
		if hook := f.onList; hook != nil && r.URL.Query().Get("recursion") == "2" {
			f.onList = nil
			f.mu.Unlock()
			hook(f)
			f.mu.Lock()
		}
		f.answer(w, f.instances)
	case strings.HasPrefix(path, "/instances/"):
		f.instance(w, r, strings.TrimPrefix(path, "/instances/"))
	case path == "/images":
		f.answer(w, f.images)
	case path == "/operations":
		f.answer(w, map[string]any{"running": f.ops})
	case path == "/certificates":
		f.answer(w, []api.Certificate{})
	default:
		f.refuse(w)
	}
}

func (f *fakeIncus) instance(w http.ResponseWriter, r *http.Request, name string) {
	project := orDefault(r.URL.Query().Get("project"))
	name, sub, _ := strings.Cut(name, "/")
	for i := range f.instances {
		in := &f.instances[i]
		if in.Name != name || orDefault(in.Project) != project {
			continue
		}
		if sub == "state" {
			f.answer(w, in.State)
		} else {
			f.answer(w, in)
		}
		return
	}
	f.refuse(w)
}

func (f *fakeIncus) answer(w http.ResponseWriter, v any) {
	b, err := json.Marshal(map[string]any{"type": "sync", "status": "Success", "status_code": 200, "metadata": v})
	if err != nil {
		f.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b)
}

func (f *fakeIncus) refuse(w http.ResponseWriter) {
	w.WriteHeader(http.StatusNotFound)
	w.Write([]byte(`{"type":"error","error":"Instance not found","error_code":404}`))
}

// stream opens a stream. Called with mu held.
func (f *fakeIncus) stream(w http.ResponseWriter, r *http.Request) {
	if q := r.URL.Query(); q.Get("all-projects") != "true" || q.Get("type") != "lifecycle,operation" {
		f.t.Errorf("stream asked for with %s, want all projects, lifecycle and operation", r.URL.RawQuery)
	}
	up := websocket.Upgrader{}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		f.t.Error(err)
		return
	}
	for _, fr := range f.greet {
		c.WriteMessage(websocket.TextMessage, []byte(fr))
	}
	f.conns = append(f.conns, c)
	f.opened++
	c.SetPingHandler(func(data string) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.mute {
			return nil
		}
		return c.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
	})
	go func() {
		for {
			if _, _, err := c.ReadMessage(); err != nil {
				return
			}
		}
	}()
}

// watched is an agent that watches a fake daemon and writes into a real log.
type watched struct {
	t    *testing.T
	dir  string
	a    *Agent
	src  *incusSource
	stop func()
}

// watch starts an agent on a data directory; it may have been used by another before.
func watchIncus(t *testing.T, f *fakeIncus, dir string) *watched {
	t.Helper()
	w, err := format.Open(dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := format.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	a := New(Options{Writer: w, Log: l, Docker: "none", Incus: f.path, Logger: quiet()})
	src := a.pumps[0].src.(*incusSource)
	src.times = incusTimes{
		probe: 20 * time.Millisecond, backoff: 5 * time.Millisecond, backMax: 50 * time.Millisecond, steady: time.Second,
		reconcile: time.Hour, confirm: 20 * time.Millisecond, ping: 20 * time.Millisecond, silence: time.Second,
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	wd := &watched{t: t, dir: dir, a: a, src: src}
	wd.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(wd.stop)
	return wd
}

// records are the records of the log whose action or message holds one of the words; all without words.
func (w *watched) records(words ...string) []*format.Record {
	w.t.Helper()
	l, err := format.OpenLog(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []*format.Record
	for ln, err := range l.Forward(0) {
		if err != nil {
			w.t.Fatal(err)
		}
		r := new(format.Record)
		if err := format.ParseLine(ln.Bytes, r); err != nil {
			w.t.Fatal(err)
		}
		if len(words) == 0 || slices.ContainsFunc(words, func(s string) bool { return strings.Contains(r.Action, s) || strings.Contains(r.Msg, s) }) {
			out = append(out, r)
		}
	}
	return out
}

// messages are the lines people read, in order.
func (w *watched) messages() []string {
	var out []string
	for _, r := range w.records() {
		if r.Stream == format.StreamLog {
			out = append(out, r.Msg)
		}
	}
	return out
}

// sees waits for a line that begins with msg.
func (w *watched) sees(msg string) {
	w.t.Helper()
	waitFor(w.t, msg, func() bool {
		return slices.ContainsFunc(w.messages(), func(s string) bool { return strings.HasPrefix(s, msg) })
	})
}

// gone is the data of the newest gap record.
func (w *watched) gap() gap {
	w.t.Helper()
	rs := w.records("engine.gap")
	if len(rs) == 0 {
		w.t.Fatalf("no gap record in %q", w.messages())
	}
	var g gap
	if err := json.Unmarshal(rs[len(rs)-1].Data, &g); err != nil {
		w.t.Fatal(err)
	}
	return g
}

// lifecycle is a frame as incusd sends it.
func lifecycle(at time.Time, action, name string) string {
	return string(object("type", "lifecycle", "timestamp", stampNano(at), "location", "none", "project", "default",
		"metadata", map[string]any{"action": "instance-" + action, "source": "/1.0/instances/" + name, "name": name, "project": "default",
			"requestor": map[string]string{"username": "root", "protocol": "unix", "address": "@"}}))
}

// operation is a frame of an operation on one instance.
func operation(at time.Time, id, description, status, name, err string) string {
	return string(object("type", "operation", "timestamp", stampNano(at), "location", "none", "project", "default",
		"metadata", map[string]any{"id": id, "class": "task", "description": description, "status": status, "status_code": 103,
			"resources": map[string][]string{"instances": {"/1.0/instances/" + name}}, "metadata": nil, "err": err}))
}

// instance is an instance as the API shows it.
func instance(name, status string, used time.Time) api.InstanceFull {
	in := api.InstanceFull{Instance: api.Instance{Name: name, Project: "default", Status: status, LastUsedAt: used, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	in.Config = map[string]string{"volatile.uuid": "uuid-of-" + name, "image.description": "busybox"}
	in.State = &api.InstanceState{Status: status}
	return in
}
