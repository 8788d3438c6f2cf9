package quiettest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// engine is a daemon on a unix socket that lets itself be listed, and then says nothing.
type engine struct {
	path    string
	streams atomic.Int32
}

// wait waits until so many streams are open.
func (e *engine) wait(t *testing.T, n int32) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); e.streams.Load() < n; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d streams of %s are open after 30 s, want %d", e.streams.Load(), e.path, n)
		}
	}
}

func serve(t *testing.T, handler func(e *engine) http.Handler) *engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "slq") // short: the path of a socket is at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{path: filepath.Join(dir, "sock")}
	l, err := net.Listen("unix", e.path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler(e), ReadHeaderTimeout: 5 * time.Second}
	t.Cleanup(func() { s.Close(); os.RemoveAll(dir) })
	go s.Serve(l)
	return e
}

func silentDocker(t *testing.T) *engine {
	return serve(t, func(e *engine) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
		mux.HandleFunc("/v1.41/events", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			if r.FormValue("until") != "" { // of the past there is nothing
				return
			}
			e.streams.Add(1)
			<-r.Context().Done()
		})
		for path, empty := range map[string]string{"containers/json": "[]", "images/json": "[]", "volumes": "{}", "networks": "[]"} {
			mux.HandleFunc("/v1.41/"+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, empty) })
		}
		return mux
	})
}

func silentIncus(t *testing.T) *engine {
	return serve(t, func(e *engine) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var metadata any = []string{}
			switch path := strings.TrimPrefix(r.URL.Path, "/1.0"); path {
			case "":
				metadata = map[string]any{"api_version": "1.0", "auth": "trusted",
					"environment": map[string]any{"server": "incus", "server_pid": 100, "server_name": "box"},
					"api_extensions": []string{"instances", "container_full", "instance_all_projects", "images_all_projects",
						"operations_get_query_all_projects", "instance_get_full", "projects"}}
			case "/events":
				conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
				if err != nil {
					return
				}
				defer conn.Close()
				e.streams.Add(1)
				for err == nil { // reading answers pings
					_, _, err = conn.ReadMessage()
				}
				return
			case "/operations":
				metadata = map[string]any{}
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "sync", "status": "Success", "status_code": 200, "metadata": metadata})
		})
	})
}
