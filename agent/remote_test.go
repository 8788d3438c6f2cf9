package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"shiplog/format"
)

// serveOptions serves a socket with o and returns an agent's other end.
func serveOptions(t *testing.T, o SocketOptions) Remote {
	t.Helper()
	r := Remote{Path: filepath.Join(t.TempDir(), SocketName)}
	o.Logger = quiet()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- RunSocket(ctx, r.Path, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	waitFor(t, "the socket", func() bool { _, err := os.Stat(r.Path); return err == nil })
	return r
}

func TestSocketTellsRequestsFromRecords(t *testing.T) {
	b := newSocketBox(t, time.Second)
	for _, tc := range []struct {
		name, in, want string
		stored         int
	}{
		{"a record with a member that is called as a request", `{"msg":"x","inspect":{"id":"web"}}`, `{"seq":`, 1},
		{"the same with that member first", `{"list":{},"msg":"x"}`, `{"seq":`, 1},
		{"a request and another", `{"list":{},"inspect":{}}`, `{"error":"record says nothing`, 0},
		{"a request and more text", `{"list":{}} {"msg":"x"}`, `{"error":"not a record`, 0},
		{"a request in an array", `[{"list":{}}]`, `{"error":"not a record`, 0},
		{"a word that is none", `{"forget":{}}`, `{"error":"record says nothing`, 0},
		{"a list without an engine", ` { "list" : {} } `, `{"error":"container engine is not reachable","code":"engine_down"}`, 0},
		{"an inquiry about nothing", `{"inspect":7}`, `{"error":"inspect: want type and id`, 0},
		{"reasons", `{"ready":{}}`, `{"reasons":[]}`, 0},
		{"a status that nobody knows", `{"status":{}}`, `{"error":"internal error: the status is not known","code":"internal"}`, 0},
		{"metrics of nothing", `{"metrics":{}}`, `{"metrics":null}`, 0},
		{"a record of a server", `{"append":{"stream":"log","category":"system","msg":"x"}}`, `{"record":{"v":1,"seq":`, 1},
		{"one with a number", `{"append":{"stream":"log","category":"system","msg":"x","seq":9}}`, `{"error":"seq and eseq`, 0},
		{"one of an engine", `{"append":{"stream":"log","category":"system","msg":"x","actor":{"type":"engine"}}}`, `{"error":"actor type engine`, 0},
		{"one that is none", `{"append":"x"}`, `{"error":"not a record`, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(b.records(t))
			got := b.talk(t, tc.in+"\n")
			if len(got) != 1 || !strings.HasPrefix(got[0], tc.want) {
				t.Errorf("reply = %q, want %q", got, tc.want)
			}
			if n := len(b.records(t)) - before; n != tc.stored {
				t.Errorf("%d records stored, want %d", n, tc.stored)
			}
		})
	}
}

func TestRemoteAppendStoresAsTheWriterDoes(t *testing.T) {
	b := newSocketBox(t, time.Second)
	made := func() *format.Record {
		return &format.Record{Stream: format.StreamLog, Category: "auth", Msg: "a <b> & c", Time: time.Unix(1700000000, 5).UTC(), Obs: time.Unix(1700000001, 0).UTC(),
			ID: "0190b5a0-0000-7000-8000-000000000001", Args: `{"user": "kept", "n": 1.50}`,
			Actor: format.Actor{Name: "alice"}, Data: json.RawMessage(`{"html":"<i>&amp;</i>","n":1.50}`)}
	}
	local, remote := made(), made()
	if err := b.w.Append(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	if err := (Remote{b.path}).Append(t.Context(), remote); err != nil {
		t.Fatal(err)
	}
	if remote.Seq != local.Seq+1 {
		t.Errorf("seq = %d, want %d", remote.Seq, local.Seq+1)
	}
	stored := b.records(t)
	if got := stored[1]; !reflect.DeepEqual(got, remote) {
		t.Errorf("stored %+v, told %+v", got, remote)
	}
	for _, r := range append(stored, local, remote) {
		r.Seq = 0
		if got, want := string(format.AppendLine(nil, r)), string(format.AppendLine(nil, stored[0])); got != want {
			t.Errorf("record = %s, want %s", got, want)
		}
	}
	long := made()
	long.Msg = strings.Repeat("\x01", 1<<20)
	if err := (Remote{b.path}).Append(t.Context(), long); err != nil || len(long.Cut) == 0 {
		t.Errorf("a record that is too long: %v, cut %v; want it stored and cut", err, long.Cut)
	}
}

// TestRemoteAppendIsRedacted: not only a server can speak to the socket.
func TestRemoteAppendIsRedacted(t *testing.T) {
	b := newSocketBox(t, time.Second)
	r := &format.Record{Stream: format.StreamLog, Category: "auth", Msg: "x --password hunter2", Time: time.Unix(1700000000, 0).UTC(),
		Args: `{"password": "hunter2"}`, Data: json.RawMessage(`{"token":"hunter2"}`)}
	if err := (Remote{b.path}).Append(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, r := range append(b.records(t), r) {
		if line := string(format.AppendLine(nil, r)); strings.Contains(line, "hunter2") || !strings.Contains(line, `"token":"[redacted]"`) {
			t.Errorf("record = %s, want it without hunter2 and with the name of the token", line)
		}
	}
}

func TestRemoteTellsOfContainers(t *testing.T) {
	web := format.Container{Type: "docker", ID: strings.Repeat("0f", 32), Name: "web", State: "running", CPU: 0.25, Memory: 1 << 40,
		IPAddress: []string{"172.17.0.2"}, TCPPort: []int{}}
	var failure error
	all := []format.Container{web}
	r := serveOptions(t, SocketOptions{
		Inspect: func(_ context.Context, typ, id string) (format.Container, error) {
			if typ != "docker" || id != "web" {
				return format.Container{}, format.ErrNoContainer
			}
			return web, failure
		},
		List:  func(context.Context) ([]format.Container, error) { return all, failure },
		Ready: func() []string { return []string{"disk full"} },
	})
	if got, err := r.Inspect(t.Context(), "docker", "web"); err != nil || !reflect.DeepEqual(got, web) {
		t.Errorf("Inspect = %+v, %v, want %+v", got, err, web)
	}
	if got, err := r.List(t.Context()); err != nil || !reflect.DeepEqual(got, all) {
		t.Errorf("List = %+v, %v, want %+v", got, err, all)
	}
	if got, err := r.Ready(t.Context()); err != nil || !reflect.DeepEqual(got, []string{"disk full"}) {
		t.Errorf("Ready = %q, %v, want the reason", got, err)
	}
	for _, want := range []error{format.ErrNoContainer, format.ErrAmbiguous, format.ErrEngineDown, format.ErrAgentDown} {
		failure = want
		if _, err := r.Inspect(t.Context(), "docker", "web"); !errors.Is(err, want) {
			t.Errorf("Inspect = %v, want %v", err, want)
		}
		if _, err := r.List(t.Context()); !errors.Is(err, want) {
			t.Errorf("List = %v, want %v", err, want)
		}
	}
	failure = nil
	all = []format.Container{{CPU: math.NaN()}}
	if got, err := r.List(t.Context()); err != nil || got[0].CPU != 0 {
		t.Errorf("List of an unknown share = %+v, %v, want 0", got, err)
	}
	all = []format.Container{{Name: strings.Repeat("x", maxAnswer)}}
	if _, err := r.List(t.Context()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("List of more than an answer holds = %v, want a refusal", err)
	}
}

func TestRemoteKeepsTheWritersErrors(t *testing.T) {
	for _, want := range []error{format.ErrFull, format.ErrReadOnly, format.ErrTooLong} {
		r := serveOptions(t, SocketOptions{Append: func(context.Context, ...*format.Record) error { return want }})
		if err := r.Append(t.Context(), &format.Record{Stream: format.StreamLog, Category: "x", Msg: "x"}); !errors.Is(err, want) {
			t.Errorf("Append = %v, want %v", err, want)
		}
		if _, err := SendRecord(t.Context(), r.Path, []byte(`{"msg":"x"}`)); !errors.Is(err, want) {
			t.Errorf("SendRecord = %v, want %v", err, want)
		}
	}
	r := serveOptions(t, SocketOptions{Append: func(context.Context, ...*format.Record) error { return os.ErrClosed }})
	if err := r.Append(t.Context(), &format.Record{Stream: format.StreamLog, Category: "x", Msg: "x"}); !errors.Is(err, format.ErrAgentDown) {
		t.Errorf("Append to a closed writer = %v, want ErrAgentDown", err)
	}
}

func TestRemoteWithoutAnAnswer(t *testing.T) {
	dir := t.TempDir()
	if _, err := (Remote{filepath.Join(dir, "none")}).List(t.Context()); !errors.Is(err, format.ErrAgentDown) || !errors.Is(err, ErrNoAgent) {
		t.Errorf("List without an agent = %v, want ErrAgentDown and ErrNoAgent", err)
	}
	r := Remote{filepath.Join(dir, SocketName)}
	ln, err := net.Listen("unix", r.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conns := make(chan net.Conn, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := r.List(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, format.ErrAgentDown) {
		t.Errorf("List from an agent that says nothing = %v, want the deadline", err)
	}
	(<-conns).Close()
	go func() { (<-conns).Close() }() // as a kill does
	if _, err := r.List(t.Context()); !errors.Is(err, format.ErrAgentDown) {
		t.Errorf("List from an agent that dies = %v, want ErrAgentDown", err)
	}
	go func() { _, _ = io.Copy(<-conns, endless{}) }()
	if _, err := r.List(t.Context()); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("List from an endless answer = %v, want a refusal", err)
	}
}

// endless is an answer without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestSocketHasTheGroupOfItsDirectory(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, -1, 4321); err != nil {
		t.Fatal(err)
	}
	l, err := listenSocket(filepath.Join(dir, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	fi, err := os.Stat(l.path)
	if err != nil {
		t.Fatal(err)
	}
	if st := fi.Sys().(*syscall.Stat_t); st.Gid != 4321 || fi.Mode().Perm() != 0o660 {
		t.Errorf("group %d mode %v, want 4321 and 0660", st.Gid, fi.Mode().Perm())
	}
}

func TestAgentThatHasJustStartedSaysSo(t *testing.T) {
	a := New(Options{Docker: filepath.Join(t.TempDir(), "none.sock"), Incus: "none", Logger: quiet()})
	for _, row := range []struct {
		name    string
		ago     time.Duration
		ever    bool
		typ     string
		justNow bool
	}{
		{"a moment ago", 0, false, "docker", true},
		{"a while ago", 2 * startGrace, false, "docker", false},
		{"it was connected", 0, true, "docker", false},
		{"an engine that is turned off", 0, false, "lxc", false},
	} {
		began := time.Now().Add(-row.ago)
		a.began.Store(&began)
		a.pumps[0].meter.ever = row.ever
		_, err := a.Inspect(t.Context(), row.typ, "web")
		if !errors.Is(err, format.ErrEngineDown) || errors.Is(err, format.ErrAgentDown) != row.justNow {
			t.Errorf("%s: Inspect = %v, want ErrEngineDown, and ErrAgentDown: %v", row.name, err, row.justNow)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"inspect":{"type":"docker","id":"web"}}`))
	f.Add([]byte(`{"list":{},"msg":"x"}`))
	f.Add([]byte(`{"append":{"msg":"<"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		name, body, ok := parseRequest(line)
		if !ok {
			return
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(line, &all); err != nil || len(all) != 1 || string(all[name]) != string(body) {
			t.Errorf("parseRequest(%q) = %s %q, want its one member", line, name, body)
		}
		if _, err := ClientRecord(line, 0, time.Unix(1700000000, 0)); err == nil {
			t.Errorf("parseRequest(%q) takes a record for a request", line)
		}
	})
}
