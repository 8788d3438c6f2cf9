package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/agent"
	"shiplog/format"
	"shiplog/format/seal"
)

// hook is where a loop of a real part can be made to hang.
type hook struct {
	mu   sync.Mutex
	gate chan struct{} // guarded by mu; nil: pass waits for nothing
}

func (h *hook) hang() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate = make(chan struct{})
}

func (h *hook) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gate != nil {
		close(h.gate)
		h.gate = nil
	}
}

// pass returns at once, or when what hangs is released.
func (h *hook) pass() {
	h.mu.Lock()
	gate := h.gate
	h.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

// Enabled, Handle, WithAttrs and WithGroup make hook a log that hangs.
func (h *hook) Enabled(context.Context, slog.Level) bool { return true }

func (h *hook) Handle(context.Context, slog.Record) error {
	h.pass()
	return nil
}

func (h *hook) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h *hook) WithGroup(string) slog.Handler { return h }

// slowAppender is a writer that hangs.
type slowAppender struct {
	*format.Writer
	hook *hook
}

// Write writes recs, once it may.
func (w slowAppender) Write(recs ...*format.Record) error {
	w.hook.pass()
	return w.Writer.Write(recs...)
}

// hearing is what a notifier says and logs.
type hearing struct {
	mu   sync.Mutex
	said []string     // guarded by mu, as the next
	log  bytes.Buffer // text
}

func (h *hearing) send(state string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, state)
	return nil
}

// Write takes a line of the log.
func (h *hearing) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(b)
}

func (h *hearing) count(line string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, msg := range h.said {
		n += strings.Count("\n"+msg+"\n", "\n"+line+"\n")
	}
	return n
}

func (h *hearing) logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

// eventually waits for what is true sooner or later.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// TestWatchdogSeesWhatHangs runs the parts of each kind of process, has a loop of one hang and go on again.
func TestWatchdogSeesWhatHangs(t *testing.T) {
	for _, c := range []struct {
		kind, stuck string
		open        func(t *testing.T, d *daemon, h *hook) (all []stage, provoke func())
	}{
		{"run: a sync of the disk hangs", "part=writer ", runThatHangs},
		{"agent: a write of an event hangs", "part=agent ", agentThatHangs},
		{"agent: the sealing hangs", "part=seals ", sealsThatHang},
		{"serve: the index hangs", "part=index ", serveThatHangs},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			h, heard := &hook{}, &hearing{}
			d := &daemon{dir: t.TempDir(), indexDir: "none", log: slog.New(slog.DiscardHandler)}
			stages, provoke := c.open(t, d, h)
			const watch = 4 * time.Second // a ping each 2 s; what does not answer within 1 s is named
			n := newNotifier(slog.New(slog.NewTextHandler(heard, nil)), watch, heard.send)
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- runStages(ctx, n.guard(stages, d.statusText), stopLimit) }()
			eventually(t, "two pings of a healthy process", func() bool { return heard.count("WATCHDOG=1") >= 2 })
			h.hang()
			provoke()
			eventually(t, "a line that names what hangs", func() bool { return strings.Contains(heard.logged(), c.stuck) })
			pings := heard.count("WATCHDOG=1")
			time.Sleep(watch)
			if now := heard.count("WATCHDOG=1"); now != pings {
				t.Errorf("%d pings while a loop hung, want none", now-pings)
			}
			if got := strings.Count(heard.logged(), c.stuck); got != 1 {
				t.Errorf("log = %s, want %q once", heard.logged(), c.stuck)
			}
			h.release()
			eventually(t, "a ping after it went on", func() bool { return heard.count("WATCHDOG=1") > pings })
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("runStages = %v, want nil", err)
			}
			if heard.count("READY=1") != 1 || heard.count("STOPPING=1") != 1 {
				t.Errorf("said %q, want READY and STOPPING once", heard.said)
			}
		})
	}
}

// runThatHangs is a whole run whose disk does not come back from a sync.
func runThatHangs(t *testing.T, d *daemon, h *hook) ([]stage, func()) {
	var err error
	d.writer, err = format.Open(d.dir, format.Options{Synced: func(time.Duration) { h.pass() }})
	if err != nil {
		t.Fatal(err)
	}
	return serving(t, d), func() { go appendOne(d.writer) }
}

// agentThatHangs watches a Docker that goes away: that cannot be written down.
func agentThatHangs(t *testing.T, d *daemon, h *hook) ([]stage, func()) {
	var err error
	if d.writer, err = format.Open(d.dir, format.Options{}); err != nil {
		t.Fatal(err)
	}
	docker, cut := smallDocker(t)
	d.agent = agent.New(agent.Options{Writer: slowAppender{d.writer, h}, Docker: "unix://" + docker, Incus: "none", Logger: d.log})
	return d.captureStages(), cut
}

// sealsThatHang seals a segment and cannot even log that.
func sealsThatHang(t *testing.T, d *daemon, h *hook) ([]stage, func()) {
	var err error
	if d.writer, err = format.Open(d.dir, format.Options{}); err != nil {
		t.Fatal(err)
	}
	if d.seals, err = seal.Open(d.dir, d.writer, seal.Options{Logger: slog.New(h)}); err != nil {
		t.Fatal(err)
	}
	return d.captureStages(), func() {
		appendOne(d.writer)
		if _, err := d.writer.Seal(); err != nil {
			t.Error(err)
		}
	}
}

// serveThatHangs serves a log whose index cannot be written any more: the index cannot even log that.
func serveThatHangs(t *testing.T, d *daemon, h *hook) ([]stage, func()) {
	must(t, "", "record", "--data", d.dir, "--category", "test", "--message", "first")
	d.log, d.indexDir = slog.New(h), filepath.Join(t.TempDir(), "index")
	return serving(t, d), func() {
		if err := os.Remove(d.indexDir); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(d.indexDir, nil, 0o600); err != nil {
			t.Error(err)
		}
		must(t, "", "seal", "--data", d.dir)
	}
}

func serving(t *testing.T, d *daemon) []stage {
	t.Helper()
	if err := d.openServing(); err != nil {
		t.Fatal(err)
	}
	server, err := d.server()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.exporting.release)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return d.stages(server, []net.Listener{ln})
}

func appendOne(w *format.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = w.Append(ctx, &format.Record{Stream: format.StreamLog, Category: "system", Msg: "one"})
}

// smallDocker is a daemon without containers; cut ends its streams.
func smallDocker(t *testing.T) (path string, cut func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "docker") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	cut = sync.OnceFunc(func() { close(ended) })
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/_ping":
			w.Header().Set("Api-Version", "1.41")
		case strings.HasSuffix(r.URL.Path, "/events"):
			if r.URL.Query().Get("until") == "" {
				_ = http.NewResponseController(w).Flush()
				<-ended
			}
		case strings.HasSuffix(r.URL.Path, "/volumes"):
			_, _ = io.WriteString(w, "{}")
		default:
			_, _ = io.WriteString(w, "[]")
		}
	})}
	go s.Serve(ln)
	t.Cleanup(func() {
		cut()
		s.Close()
		os.RemoveAll(dir)
	})
	return path, cut
}

// simulated is a notifier with parts that answer, but for one that is told how long to take.
func simulated(heard *hearing, watch time.Duration, takes func() time.Duration) (*notifier, []stage) {
	n := newNotifier(slog.New(slog.NewTextHandler(heard, nil)), watch, heard.send)
	blocks := func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	}
	return n, []stage{
		{name: "quick", run: blocks, alive: func(context.Context) error { return nil }},
		{name: "silent", run: blocks},
		{name: "slow", run: blocks, alive: func(ctx context.Context) error {
			select {
			case <-time.After(takes()):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}},
	}
}

func TestPingsComeTwiceInTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := &hearing{}
		n, parts := simulated(heard, time.Minute, func() time.Duration { return 10 * time.Second })
		asked := 0
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour+time.Minute)
		defer cancel()
		if err := runStages(ctx, n.guard(parts, func() string { asked++; return "the same" }), stopLimit); err != nil {
			t.Errorf("runStages = %v, want nil", err)
		}
		if got := heard.count("WATCHDOG=1"); got < 119 || got > 122 {
			t.Errorf("%d pings in an hour, want 120", got)
		}
		if got := heard.count("STATUS=the same"); got != 1 {
			t.Errorf("the status was told %d times (made %d times), want once", got, asked)
		}
		if heard.logged() != "" {
			t.Errorf("log = %s, want nothing", heard.logged())
		}
	})
}

func TestStatusIsToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := &hearing{}
		n, parts := simulated(heard, 0, func() time.Duration { return 0 })
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		made := 0
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil {
				n.change()
				time.Sleep(10 * time.Millisecond)
			}
		})
		n.run(ctx, parts, func() string { made++; return strings.Repeat("x", made) })
		wg.Wait()
		if made < 11 || made > 14 {
			t.Errorf("%d statuses in a minute of changes, want 12", made)
		}
		if heard.count("WATCHDOG=1") > 0 {
			t.Error("a ping that nobody asked for")
		}
	})
}

func TestLongStartGetsMoreTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := &hearing{}
		n, parts := simulated(heard, time.Minute, func() time.Duration { return 0 })
		extend, cancel := context.WithTimeout(context.Background(), startLimit)
		n.started = cancel
		var wg sync.WaitGroup
		wg.Go(func() { n.extend(extend) })
		time.Sleep(95 * time.Second)
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		n.run(ctx, parts, func() string { return "" })
		wg.Wait()
		if got := heard.count("EXTEND_TIMEOUT_USEC=30000000"); got != 9 {
			t.Errorf("asked %d times for more time in a start of 95 s, want 9", got)
		}
	})
}

func TestReloadIsTold(t *testing.T) {
	heard := &hearing{}
	n, _ := simulated(heard, 0, func() time.Duration { return 0 })
	n.reloading()()
	if len(heard.said) > 0 {
		t.Errorf("said %q during the start, want nothing", heard.said)
	}
	n.up.Store(true)
	n.reloading()()
	if len(heard.said) != 2 || !strings.HasPrefix(heard.said[0], "RELOADING=1\nMONOTONIC_USEC=") || heard.said[1] != "READY=1" {
		t.Errorf("said %q, want RELOADING with its time, then READY", heard.said)
	}
	ready := n.reloading()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n.run(ctx, nil, func() string { return "" })
	ready()
	if last := heard.said[len(heard.said)-1]; !strings.HasPrefix(last, "STOPPING=1") {
		t.Errorf("said %q, want nothing after STOPPING", heard.said)
	}
	var none *notifier
	none.reloading()() // must not fail
}
