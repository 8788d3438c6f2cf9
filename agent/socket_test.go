package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shiplog/format"
)

// socketBox is a data directory with a writer and a served socket.
type socketBox struct {
	dir, path string
	w         *format.Writer
	stop      func() error
}

func newSocketBox(t *testing.T, lineWait time.Duration) *socketBox {
	t.Helper()
	b := &socketBox{dir: t.TempDir()}
	w, err := format.Open(b.dir, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.w, b.path = w, filepath.Join(b.dir, SocketName)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := &socketServer{opts: SocketOptions{Append: w.Append}, log: quiet(), now: time.Now, lineWait: lineWait}
	go func() { done <- s.run(ctx, b.path) }()
	b.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	waitFor(t, "the socket", func() bool { _, err := os.Stat(b.path); return err == nil })
	return b
}

// talk sends text and returns the lines that come back until the other end hangs up.
func (b *socketBox) talk(t *testing.T, text string) []string {
	t.Helper()
	conn, err := dialSocket(t.Context(), b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		_, _ = io.WriteString(conn, text)
		_ = conn.CloseWrite()
	}()
	var got []string
	in := bufio.NewScanner(conn)
	for in.Scan() {
		got = append(got, in.Text())
	}
	return got
}

// records reads the log.
func (b *socketBox) records(t *testing.T) []*format.Record {
	t.Helper()
	l, err := format.OpenLog(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []*format.Record
	for ln, err := range l.Forward(0) {
		if err != nil {
			t.Fatal(err)
		}
		r := new(format.Record)
		if err := format.ParseLine(ln.Bytes, r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestSocketTakesRecords(t *testing.T) {
	b := newSocketBox(t, time.Second)
	me, err := user.Current()
	if err != nil {
		t.Skipf("the user of this process has no name here: %v", err)
	}
	for _, tc := range []struct {
		name, in string
		want     string // reply, %d is the next number
		check    func(*format.Record) string
	}{
		{"a bare line gets stream, time, level and actor", `{"category":"backup","msg":"Finished backup"}`, `{"seq":%d}`, func(r *format.Record) string {
			if r.Stream != format.StreamLog || r.Level != format.LevelInfo || time.Since(r.Time) > time.Minute {
				return "stream log, level INFO, time now"
			}
			if r.Actor.Name != me.Username || r.Actor.ID != me.Uid || r.Actor.Type != format.ActorUser {
				return "actor " + me.Username
			}
			return ""
		}},
		{"an actor that is named stays, and who sent it is kept", `{"msg":"x","actor":{"name":"alice"}}`, `{"seq":%d}`, func(r *format.Record) string {
			if r.Actor.Name != "alice" || r.Actor.Type != format.ActorUser || !strings.Contains(r.Src.Agent, me.Username) {
				return "actor alice sent by " + me.Username
			}
			return ""
		}},
		{"a failure is an error", `{"msg":"x","status":"aborted"}`, `{"seq":%d}`, func(r *format.Record) string {
			if r.Level != format.LevelError || r.Outcome != format.OutcomeFailure {
				return "level ERROR, outcome failure"
			}
			return ""
		}},
		{"an event that is shown gets its position", `{"stream":"event","category":"export","action":"task.export","data":{"qnap":{"state":"running","tid":1}}}`, `{"seq":%d}`, func(r *format.Record) string {
			if r.Eseq != 1 {
				return "eseq 1"
			}
			return ""
		}},
		{"an event of another category gets none", `{"stream":"event","category":"backup","action":"a"}`, `{"seq":%d}`, func(r *format.Record) string {
			if r.Eseq != 0 {
				return "no eseq"
			}
			return ""
		}},
		{"a secret is hidden, the rest is kept as sent", `{"msg":"login --password hunter2 ok","args":"{\"b\":1, \"a\":2}","data":{"token":"hunter2","n":1.50}}`, `{"seq":%d}`, func(r *format.Record) string {
			if strings.Contains(r.Msg+string(r.Data), "hunter2") || r.Args != `{"b":1, "a":2}` || !strings.Contains(string(r.Data), "1.50") {
				return "hunter2 hidden, args and numbers verbatim"
			}
			return ""
		}},
		{"a secret in an unknown member is hidden", `{"msg":"x","password":"hunter2","more":{"env":{"A":"hunter2"}}}`, `{"seq":%d}`, func(r *format.Record) string {
			if len(r.Extra) != 2 || strings.Contains(string(format.AppendLine(nil, r)), "hunter2") {
				return "two members without hunter2"
			}
			return ""
		}},
		{"unknown members survive", `{"msg":"x","note":{"a":[1,2]}}`, `{"seq":%d}`, func(r *format.Record) string {
			if len(r.Extra) != 1 || r.Extra[0].Name != "note" {
				return "member note"
			}
			return ""
		}},
		{"garbage is refused", `backup done`, `{"error":`, nil},
		{"an array is refused", `[1]`, `{"error":`, nil},
		{"an empty line is refused", ``, `{"error":`, nil},
		{"a number of its own is refused", `{"seq":7,"msg":"x"}`, `{"error":"seq and eseq are given by shiplog; leave them out"}`, nil},
		{"a position of its own is refused", `{"eseq":7,"stream":"event","msg":"x"}`, `{"error":`, nil},
		{"an engine speaks for itself", `{"stream":"event","category":"container","action":"container.start","engine":"docker","actor":{"type":"engine"}}`, `{"error":"actor type engine`, nil},
		{"nothing said is refused", `{"category":"backup"}`, `{"error":`, nil},
		{"an unknown level is refused", `{"msg":"x","level":"WARNING"}`, `{"error":`, nil},
		{"an unknown stream is refused", `{"msg":"x","stream":"both"}`, `{"error":`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := b.records(t)
			want := tc.want
			if strings.Contains(want, "%d") {
				want = fmt.Sprintf(want, len(before)+1)
			}
			got := b.talk(t, tc.in+"\n")
			if len(got) != 1 || !strings.HasPrefix(got[0], want) {
				t.Fatalf("reply = %q, want %q", got, want)
			}
			after := b.records(t)
			if tc.check == nil {
				if len(after) != len(before) {
					t.Fatalf("%d records stored, want none", len(after)-len(before))
				}
				return
			}
			r := after[len(after)-1]
			if want := tc.check(r); want != "" {
				t.Errorf("stored %s, want %s", format.AppendLine(nil, r), want)
			}
		})
	}
}

func TestSocketAnswersEachLineInOrder(t *testing.T) {
	b := newSocketBox(t, time.Second)
	got := b.talk(t, "{\"msg\":\"a\"}\nnonsense\n{\"msg\":\"b\"}\n{\"msg\":\"c\"}\n")
	want := []string{`{"seq":1}`, `{"error":`, `{"seq":2}`, `{"seq":3}`}
	if len(got) != len(want) {
		t.Fatalf("replies = %q, want %q", got, want)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("reply %d = %s, want %s", i+1, got[i], want[i])
		}
	}
}

func TestSocketRefusesLinesThatDoNotEnd(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"half a line", `{"msg":"half`, "newline"},
		{"a whole record without its newline", `{"msg":"x"}`, "newline"},
		{"a giant line", `{"msg":"` + strings.Repeat("x", 3<<20) + "\"}\n", "longer than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newSocketBox(t, 10*time.Second)
			got := b.talk(t, tc.in)
			if len(got) != 1 || !strings.Contains(got[0], tc.want) {
				t.Errorf("reply = %.200q, want one naming %q", got, tc.want)
			}
			if n := len(b.records(t)); n != 0 {
				t.Errorf("%d records stored, want none", n)
			}
		})
	}
}

func TestSocketLetsASlowClientGo(t *testing.T) {
	b := newSocketBox(t, 100*time.Millisecond)
	conn, err := dialSocket(t.Context(), b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, `{"msg":`); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	got, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(got), "not finished in time") {
		t.Errorf("reply = %q, %v; want one that says the line was not finished in time", got, err)
	}
}

func TestSocketServesManyClientsAtOnce(t *testing.T) {
	b := newSocketBox(t, 5*time.Second)
	const clients, each = 16, 20
	seqs := make(chan uint64, clients*each)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				seq, err := SendRecord(t.Context(), b.path, fmt.Appendf(nil, `{"msg":"client %d line %d"}`, c, i))
				if err != nil {
					t.Error(err)
					return
				}
				seqs <- seq
			}
		})
	}
	wg.Wait()
	close(seqs)
	seen := map[uint64]bool{}
	for s := range seqs {
		if seen[s] {
			t.Errorf("number %d given twice", s)
		}
		seen[s] = true
	}
	if len(seen) != clients*each || len(b.records(t)) != clients*each {
		t.Errorf("%d acknowledged, %d stored, want %d", len(seen), len(b.records(t)), clients*each)
	}
}

func TestSocketBoundsItsClients(t *testing.T) {
	b := newSocketBox(t, 5*time.Second)
	var conns []net.Conn
	for range maxClients {
		c, err := dialSocket(t.Context(), b.path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	waitFor(t, "the refusal of one client more", func() bool {
		_, err := SendRecord(t.Context(), b.path, []byte(`{"msg":"x"}`))
		return errors.Is(err, format.ErrAgentDown) && strings.Contains(err.Error(), "clients are connected")
	})
	conns[0].Close()
	waitFor(t, "a free place", func() bool {
		_, err := SendRecord(t.Context(), b.path, []byte(`{"msg":"x"}`))
		return err == nil
	})
}

func TestSocketFileOfTheDeadIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SocketName)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "served by another process") {
		t.Errorf("listen beside a living server: %v, want a refusal", err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	if _, err := SendRecord(t.Context(), path, []byte(`{"msg":"x"}`)); !errors.Is(err, ErrNoAgent) {
		t.Errorf("SendRecord to a dead socket: %v, want ErrNoAgent", err)
	}
	l, err := listenSocket(path)
	if err != nil {
		t.Fatalf("listen on a dead socket: %v", err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o660 {
		t.Errorf("mode = %v, %v, want 0660", st.Mode().Perm(), err)
	}
	l.close()
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("%v left behind, want nothing", names)
	}
	if err := os.WriteFile(path, []byte("notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("listen on a file: %v, want a refusal", err)
	}
}

func TestSocketInADirectoryWithALongName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, SocketName)
	l, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	conn, err := dialSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestSocketStopsWithClientsConnected(t *testing.T) {
	b := newSocketBox(t, time.Minute)
	conn, err := dialSocket(t.Context(), b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("stopping took %v, want less than 3s", d)
	}
	if _, err := os.Stat(b.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket is still there: %v", err)
	}
}

func FuzzClientRecord(f *testing.F) {
	f.Add([]byte(`{"msg":"x","category":"backup","actor":{"name":"a"},"data":{"password":"p"}}`))
	f.Add([]byte(`{"stream":"event","category":"image","data":{"qnap":{}}}`))
	f.Add([]byte(`{"msg":`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ClientRecord(line, os.Getuid(), time.Unix(1700000000, 0))
		if err != nil {
			return
		}
		out := format.AppendLine(nil, r)
		if !json.Valid(out) || strings.Count(string(out), "\n") != 1 {
			t.Errorf("ClientRecord(%q) writes %q, want one line of JSON", line, out)
		}
		if r.Seq != 0 || r.Actor.ID == "" && r.Actor.Name == "" && r.Actor.Type == "" {
			t.Errorf("ClientRecord(%q): seq %s actor %+v", line, strconv.FormatUint(r.Seq, 10), r.Actor)
		}
	})
}
