package enginetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// dockerEvent is one event as dockerd says it.
type dockerEvent struct {
	Type, Action string
	Actor        struct {
		ID         string
		Attributes map[string]string
	}
	TimeNano int64 `json:"timeNano"`
}

// key tells a dockerd event from all others; shiplog's record of it has the same.
func (e dockerEvent) key() string {
	action, _, _ := strings.Cut(e.Action, ": ")
	return fmt.Sprintf("%d %s.%s %s", e.TimeNano, e.Type, action, e.Actor.ID)
}

// incusFrame is one frame of the Incus event stream.
type incusFrame struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Project   string    `json:"project"`
	Metadata  struct {
		Action, Source, ID, Description, Status string
		StatusCode                              int `json:"status_code"`
	} `json:"metadata"`
}

func (f incusFrame) key() string {
	return fmt.Sprintf("%d %s %s%s %s%s", f.Timestamp.UnixNano(), f.Type, f.Metadata.Action, f.Metadata.Status, f.Metadata.Source, f.Metadata.ID)
}

// oracle records what the engines say, with clients of its own that share nothing with shiplog's.
type oracle struct {
	mu     sync.Mutex
	docker map[string]dockerEvent // guarded by mu, by key
	incus  map[string]incusFrame  // guarded by mu, by key
	seen   chan struct{}          // guarded by mu; closed and renewed at each event
	errs   []string               // guarded by mu
	said   bytes.Buffer           // guarded by mu; all of both streams, so that secrets in them can be looked for
}

// listen starts to record and stops at the end of the test.
func listen(t *testing.T, e *engines) *oracle {
	o := &oracle{docker: map[string]dockerEvent{}, incus: map[string]incusFrame{}, seen: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() { o.again(ctx, func() error { return o.readDocker(ctx, e.dockerSocket()) }) })
	wg.Go(func() { o.again(ctx, func() error { return o.readIncus(ctx, e.incusSocket()) }) })
	return o
}

// again calls read, which returns whenever its daemon goes away.
func (o *oracle) again(ctx context.Context, read func() error) {
	for ctx.Err() == nil {
		if err := read(); err != nil {
			o.mu.Lock()
			o.errs = append(o.errs, err.Error())
			o.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (o *oracle) note(add func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	add()
	close(o.seen)
	o.seen = make(chan struct{})
}

// readDocker follows /events from two seconds before the newest known event, because concurrent events
// are not in order; the key makes the repetition harmless.
func (o *oracle) readDocker(ctx context.Context, socket string) error {
	var dialer net.Dialer
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	var newest int64
	for _, e := range o.dockerEvents() {
		newest = max(newest, e.TimeNano)
	}
	since := max(0, newest/1e9-2)
	req, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://docker/events?since=%d", since), nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for dec := json.NewDecoder(bufio.NewReader(resp.Body)); ; {
		var raw json.RawMessage
		var e dockerEvent
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		o.note(func() { o.docker[e.key()] = e; o.said.Write(raw) })
	}
}

func (o *oracle) readIncus(ctx context.Context, socket string) error {
	dialer := websocket.Dialer{NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
	conn, _, err := dialer.DialContext(ctx, "ws://incus/1.0/events?all-projects=true&type=lifecycle,operation", nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		var f incusFrame
		if err := json.Unmarshal(raw, &f); err != nil {
			return err
		}
		if f.Type != "" {
			o.note(func() { o.incus[f.key()] = f; o.said.Write(raw) })
		}
	}
}

// told tells whether an engine's stream had the text, in the spelling of JSON or not.
func (o *oracle) told(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.said.Bytes(), []byte(text))
}

// dockerEvents gives what dockerd said up to now, in the order of its clock.
func (o *oracle) dockerEvents() []dockerEvent {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []dockerEvent
	for _, e := range o.docker {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b dockerEvent) int { return int(a.TimeNano - b.TimeNano) })
	return all
}

func (o *oracle) incusFrames() []incusFrame {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []incusFrame
	for _, f := range o.incus {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b incusFrame) int { return a.Timestamp.Compare(b.Timestamp) })
	return all
}

// containerID is the id that dockerd gave the container when it was last created as name.
func (o *oracle) containerID(t testing.TB, name string) string {
	t.Helper()
	for _, e := range slices.Backward(o.dockerEvents()) {
		if e.Type == "container" && e.Action == "create" && e.Actor.Attributes["name"] == name {
			return e.Actor.ID
		}
	}
	t.Fatalf("dockerd told of no container created as %s", name)
	return ""
}

// await waits for the first event after `from` that ok accepts, and gives its time.
func (o *oracle) await(t testing.TB, from time.Time, ok func(engine, name, action string) bool) time.Time {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		o.mu.Lock()
		seen := o.seen
		o.mu.Unlock()
		for _, e := range o.dockerEvents() {
			if at := time.Unix(0, e.TimeNano); at.After(from) && ok("docker", e.Actor.Attributes["name"], e.Action) {
				return at
			}
		}
		for _, f := range o.incusFrames() {
			name := f.Metadata.Source[strings.LastIndex(f.Metadata.Source, "/")+1:]
			if f.Type == "lifecycle" && f.Timestamp.After(from) && ok("lxc", name, f.Metadata.Action) {
				return f.Timestamp
			}
		}
		select {
		case <-seen:
		case <-deadline:
			t.Fatal("the engine said nothing for 30 s")
		}
	}
}
