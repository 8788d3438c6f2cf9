package httpd

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"shiplog/agent"
	"shiplog/format"
)

// overSocket puts a real agent socket between o and what it has, as between two processes, and returns what ends
// the agent's side.
func (b *box) overSocket(o *Options) (stop func()) {
	b.t.Helper()
	remote := agent.Remote{Path: filepath.Join(b.dir, agent.SocketName)}
	served := agent.SocketOptions{Append: o.Append, Inspect: o.Inspect, List: o.List, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	stop = b.serveSocket(remote.Path, served)
	if o.Append != nil {
		o.Append = remote.Append
	}
	if o.Inspect != nil {
		o.Inspect = remote.Inspect
	}
	if o.List != nil {
		o.List = remote.List
	}
	return stop
}

// serveSocket serves path and returns what ends that.
func (b *box) serveSocket(path string, o agent.SocketOptions) (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- agent.RunSocket(ctx, path, o) }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			break
		}
		if time.Now().After(end) {
			b.t.Fatal("the agent's socket did not appear")
		}
	}
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("socket: %v", err)
		}
	})
}

// agentBox is a box whose agent can go and come back while the server stays.
type agentBox struct {
	*box
	cookie string
	leave  func()
	path   string
	served agent.SocketOptions
}

func newAgentBox(t *testing.T) *agentBox {
	t.Helper()
	a := &agentBox{}
	a.box = newBoxIn(t, false, "", func(o *Options) {
		o.limits = noBelt
		if a.path != "" {
			return
		}
		a.path = filepath.Join(t.TempDir(), agent.SocketName)
		a.served = agent.SocketOptions{Append: o.Append, Inspect: o.Inspect, List: o.List, Logger: o.Logger}
		remote := agent.Remote{Path: a.path}
		o.Append, o.Inspect, o.List = remote.Append, remote.Inspect, remote.List
	})
	a.come()
	t.Cleanup(func() { a.leave() })
	a.engine.change(web)
	a.engine.change(utest)
	a.cookie = a.box.cookie("admin")
	return a
}

func (a *agentBox) come() { a.leave = a.serveSocket(a.path, a.served) }

func TestAgentGoneAndBackAgain(t *testing.T) {
	a := newAgentBox(t)
	const v2 = "/container-station/api/v1"
	all := [][2]string{{"DELETE", v2 + "/log"}, {"GET", v2 + "/container"}, {"GET", v2 + "/container/docker/web"}, {"GET", waitPath + "docker/web/stopped?duration=0"}}
	for range 2 {
		for _, call := range all {
			if got := a.do(call[0], call[1], "", "Cookie", a.cookie); got.status != 200 {
				t.Errorf("%s %s with an agent = %d %s, want 200", call[0], call[1], got.status, got.body)
			}
		}
		a.leave()
		for _, call := range all {
			got := a.do(call[0], call[1], "", "Cookie", a.cookie)
			wantError(t, call[0]+" "+call[1]+" without an agent", got, 503)
			if got.header.Get("Retry-After") == "" {
				t.Errorf("%s %s without an agent: no Retry-After", call[0], call[1])
			}
		}
		if got := a.do("GET", v2+"/log", "", "Cookie", a.cookie); got.status != 200 {
			t.Errorf("GET log without an agent = %d, want 200", got.status)
		}
		a.box.cookie("alice") // a login needs no agent
		a.come()
	}
}

func TestSocketKeepsWhatErrorsMean(t *testing.T) {
	for err, want := range map[error]int{
		format.ErrNoContainer: 404, format.ErrAmbiguous: 400, format.ErrEngineDown: 503, context.DeadlineExceeded: 503,
	} {
		b := newBoxIn(t, true, "", nil)
		cookie := b.cookie("admin")
		b.engine.fail(err)
		wantError(t, err.Error(), b.do("GET", "/container-station/api/v1/container/docker/"+webID[:12], "", "Cookie", cookie), want)
	}
	for _, err := range []error{format.ErrFull, format.ErrReadOnly} {
		b := newBoxIn(t, true, "", func(o *Options) {
			o.Append = func(context.Context, ...*format.Record) error { return err }
		})
		got := b.do("DELETE", "/container-station/api/v1/log", "", "Cookie", b.cookie("admin"))
		wantError(t, err.Error(), got, 503)
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%v: no Retry-After", err)
		}
	}
}

func TestWaitOutlivesItsAgent(t *testing.T) {
	stopped := web
	stopped.State = stateStopped
	t.Run("the state is reached after the agent is back", func(t *testing.T) {
		a := newAgentBox(t)
		got := a.waiting(a.cookie, "docker/web/stopped?duration=30")
		a.leave()
		time.Sleep(2 * awayBelt) // it is seen to be away
		a.come()
		a.engine.change(stopped)
		a.report(stopped, "die")
		wantWait(t, "wait", <-got, "reached", stateStopped)
	})
	t.Run("the state is reached and left again while the agent is away", func(t *testing.T) {
		a := newAgentBox(t)
		got := a.waiting(a.cookie, "lxc/utest/stopped?duration=30")
		a.leave()
		a.report(utest, "stop")
		a.report(utest, "start")
		time.Sleep(awayBelt)
		a.come()
		// A look between the two events is answered from the first alone: it was stopped then.
		r, state := <-got, stateRunning
		if strings.Contains(r.body, `"stopped"`) {
			state = stateStopped
		}
		wantWait(t, "wait", r, "reached", state)
	})
	t.Run("the wait begins without an agent", func(t *testing.T) {
		a := newAgentBox(t)
		a.leave()
		a.engine.change(stopped)
		out := make(chan reply, 1)
		go func() { out <- a.do("GET", waitPath+"docker/web/stopped?duration=30", "", "Cookie", a.cookie) }()
		time.Sleep(awayBelt)
		a.come()
		wantWait(t, "wait", <-out, "reached", stateStopped)
	})
	t.Run("a container that is not there is told when the agent is back", func(t *testing.T) {
		a := newAgentBox(t)
		a.leave()
		out := make(chan reply, 1)
		go func() { out <- a.do("GET", waitPath+"docker/none/stopped?duration=30", "", "Cookie", a.cookie) }()
		time.Sleep(awayBelt)
		a.come()
		wantError(t, "wait", <-out, 404)
	})
	t.Run("no agent until the end", func(t *testing.T) {
		a := newAgentBox(t)
		a.leave()
		got := a.do("GET", waitPath+"docker/web/stopped?duration=1", "", "Cookie", a.cookie)
		wantError(t, "wait", got, 503)
		if got.took < time.Second {
			t.Errorf("the wait ended after %v, want its whole second", got.took)
		}
		a.come()
	})
}
