package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shiplog/format"
)

const waitPath = "/container-station/api/v1/event/wait/"

var (
	webID  = strings.Repeat("0f7bfee7f449aa24", 4)
	web    = format.Container{Type: "docker", ID: webID, Name: "web", Image: "busybox:latest", State: stateRunning, TCPPort: []int{80}}
	utest  = format.Container{Type: "lxc", ID: "utest", Name: "utest", Image: "ubuntu", State: stateRunning}
	noBelt = limits{belt: time.Hour} // only events wake
)

// waiting sends a wait and returns where its answer will come out. It returns when the server has looked at the
// container and waits.
func (b *box) waiting(cookie, path string) <-chan reply {
	b.t.Helper()
	before := b.pinned()
	out := make(chan reply, 1)
	go func() { out <- b.do("GET", waitPath+path, "", "Cookie", cookie) }()
	for end := time.Now().Add(30 * time.Second); b.pinned() <= before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatal("nothing waits")
		}
	}
	return out
}

// pinned is how many waiters have found their container.
func (b *box) pinned() (n int) {
	h := b.server.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.waiters {
		if w.id != "" {
			n++
		}
	}
	return n
}

func wantWait(t *testing.T, what string, got reply, result, state string) {
	t.Helper()
	var info struct{ State string }
	if err := json.Unmarshal([]byte(got.body), &info); got.status != 200 || err != nil || info.State != state || got.header.Get("X-Wait-Result") != result {
		t.Errorf("%s = %d %s %s, want %s with state %s", what, got.status, got.header.Get("X-Wait-Result"), got.body, result, state)
	}
}

func newWaitBox(t *testing.T, tweak func(*Options)) (*box, string) {
	b := newBox(t, "", func(o *Options) {
		o.limits = noBelt
		if tweak != nil {
			tweak(o)
		}
	})
	b.engine.change(web)
	b.engine.change(utest)
	return b, b.cookie("admin")
}

func TestWaitAnswersAtOnce(t *testing.T) {
	b, cookie := newWaitBox(t, nil)
	for path, want := range map[string][2]string{
		"docker/web/running":                    {"reached", "running"},
		"docker/" + webID + "/running":          {"reached", "running"},
		"docker/" + webID[:12] + "/running":     {"reached", "running"},
		"docker/web/stopped?duration=0":         {"timeout", "running"},
		"lxc/utest/running":                     {"reached", "running"},
		"lxd/utest/running":                     {"reached", "running"},
		"incus/utest/running":                   {"reached", "running"},
		"incus/%75test/stopped?duration=0":      {"timeout", "running"},
		"lxc/utest/running?duration=":           {"reached", "running"},
		"lxc/utest/running?duration=9999999999": {"reached", "running"},
	} {
		wantWait(t, path, b.do("GET", waitPath+path, "", "Cookie", cookie), want[0], want[1])
	}
	asked := b.engine.asked()
	for _, id := range []string{"..%2Fimages%2Fbusybox", "a%2F..%2F..%2Finfo", "%2Fweb", "-v", "web%00", "w%20b", "web%3Fx", strings.Repeat("a", 300)} {
		wantError(t, "the id "+id, b.do("GET", waitPath+"docker/"+id+"/running", "", "Cookie", cookie), 404)
	}
	if n := b.engine.asked() - asked; n != 0 {
		t.Errorf("the engine was asked %d times for what cannot be a container", n)
	}
	wantError(t, "a prefix of eleven digits", b.do("GET", waitPath+"docker/"+webID[:11]+"/running", "", "Cookie", cookie), 404)
	other := web
	other.ID, other.Name = webID[:40]+strings.Repeat("0", 24), "other"
	b.engine.change(other)
	wantError(t, "an ambiguous prefix", b.do("GET", waitPath+"docker/"+webID[:12]+"/running", "", "Cookie", cookie), 400)
	wantError(t, "an ambiguous prefix of eleven digits", b.do("GET", waitPath+"docker/"+webID[:11]+"/running", "", "Cookie", cookie), 404)
	b.engine.fail(format.ErrEngineDown)
	got := b.do("GET", waitPath+"docker/web/running", "", "Cookie", cookie)
	wantError(t, "an engine that is down", got, 503)
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if n := b.server.hub.count(); n != 0 {
		t.Errorf("%d waiters are left", n)
	}
}

func TestWaitIsWokenByEvents(t *testing.T) {
	b, cookie := newWaitBox(t, nil)
	for name, row := range map[string]struct {
		path        string
		do          func()
		result, now string
	}{
		"docker by name": {"docker/web/stopped", func() {
			c := web
			c.State = stateStopped
			b.engine.change(c)
			b.report(c, "die")
		}, "reached", "stopped"},
		"docker by prefix": {"docker/" + webID[:12] + "/running", func() {
			b.engine.change(web)
			b.report(web, "start")
		}, "reached", "running"},
		"an Incus event for a container asked for as lxc": {"lxc/utest/stopped", func() {
			c := utest
			c.State = stateStopped
			b.engine.change(c)
			c.Type = "incus"
			b.report(c, "stop")
		}, "reached", "stopped"},
		"a state that flips back at once": {"lxd/utest/running", func() {
			b.report(utest, "start")
			b.report(utest, "stop")
		}, "reached", "stopped"},
		"a restart, for the state between": {"docker/web/stopped", func() { b.report(web, "restart") }, "reached", "running"},
	} {
		t.Run(name, func(t *testing.T) {
			now := web
			if strings.Contains(row.path, "utest") {
				now = utest
			}
			if now.State = stateRunning; strings.HasSuffix(row.path, "running") {
				now.State = stateStopped
			}
			b.engine.change(now)
			answer := b.waiting(cookie, row.path+"?duration=30")
			began := time.Now()
			row.do()
			wantWait(t, row.path, <-answer, row.result, row.now)
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("woken after %v", took)
			}
		})
	}
}

func TestWaitIsNotWokenByOthers(t *testing.T) {
	b, cookie := newWaitBox(t, nil)
	answer := b.waiting(cookie, "docker/web/stopped?duration=1")
	b.report(utest, "stop")                                                            // another engine
	b.report(format.Container{Type: "lxc", ID: "web", Name: "web"}, "stop")            // another engine's container of the same name
	b.report(format.Container{Type: "docker", ID: webID[1:] + "1", Name: "x"}, "stop") // another container
	b.report(format.Container{Type: "docker", ID: webID[1:] + "1", Name: "web"}, "stop")
	b.report(web, "exec_start")
	wantWait(t, "wait", <-answer, "timeout", "running")
}

// TestWaitTellsProjectsApart has the name of the container in another project too, which stops while the
// container is looked at and once more while it is waited for.
func TestWaitTellsProjectsApart(t *testing.T) {
	stopped := func(project string) *format.Record {
		r := containerEvent(utest, "stop")
		r.Project = project
		return r
	}
	var b *box
	var looks atomic.Int32
	b, cookie := newWaitBox(t, func(o *Options) {
		o.Inspect = func(context.Context, string, string) (format.Container, error) {
			if looks.Add(1) == 1 {
				b.append(stopped("dev"))
				b.delivered()
			}
			c := utest
			c.Project = "default"
			return c, nil
		}
	})
	answer := b.waiting(cookie, "lxc/utest/stopped?duration=1")
	b.append(stopped("dev"))
	wantWait(t, "while another project's container stops", <-answer, "timeout", "running")
	answer = b.waiting(cookie, "lxc/utest/stopped?duration=20")
	b.append(stopped("default"))
	wantWait(t, "when the container itself stops", <-answer, "reached", "stopped")
}

// delivered waits until the waiters have heard of the newest event.
func (b *box) delivered() {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		b.server.hub.mu.Lock()
		n := 0
		for w := range b.server.hub.waiters {
			n += len(w.ring)
		}
		b.server.hub.mu.Unlock()
		if n > 0 {
			return
		}
	}
	b.t.Error("no waiter heard of the event")
}

func TestWaitForStoppedDoesNotAskTheEngineAgain(t *testing.T) {
	b, cookie := newWaitBox(t, nil)
	answer := b.waiting(cookie, "docker/web/stopped")
	b.engine.fail(errors.New("the engine is busy with the container's network"))
	b.report(web, "die")
	got := <-answer
	wantWait(t, "wait", got, "reached", "stopped")
	if strings.Contains(got.body, "cpu") {
		t.Errorf("answer = %s, want nothing measured", got.body)
	}
}

func TestAnEventFromBeforeTheWaitIsNoReason(t *testing.T) {
	b, cookie := newWaitBox(t, nil)
	late := containerEvent(utest, "stop") // the container was restarted, and its agent writes it only now
	answer := b.waiting(cookie, "lxc/utest/stopped?duration=1")
	b.append(late)
	wantWait(t, "wait", <-answer, "timeout", "running")
}

func TestWaitForARemovedContainer(t *testing.T) {
	b, cookie := newWaitBox(t, nil)
	for _, state := range []string{"stopped", "running"} {
		for _, c := range []format.Container{web, utest} {
			c.State = map[string]string{"stopped": "running", "running": "stopped"}[state]
			b.engine.change(c)
			answer := b.waiting(cookie, c.Type+"/"+c.Name+"/"+state)
			gone := c
			gone.State = ""
			b.engine.change(gone)
			b.report(c, "destroy")
			wantError(t, "removed while waiting for "+state, <-answer, 404)
		}
	}
}

func TestWaitEndsWhenTheEngineGoes(t *testing.T) {
	b, cookie := newWaitBox(t, func(o *Options) { o.limits = limits{belt: 50 * time.Millisecond} })
	answer := b.waiting(cookie, "docker/web/stopped")
	b.engine.fail(format.ErrEngineDown)
	wantError(t, "engine gone", <-answer, 503)
}

func TestBeltFindsAChangeWithoutAnEvent(t *testing.T) {
	b, cookie := newWaitBox(t, func(o *Options) { o.limits = limits{belt: 50 * time.Millisecond} })
	answer := b.waiting(cookie, "lxc/utest/stopped")
	c := utest
	c.State = stateStopped
	b.engine.change(c)
	wantWait(t, "wait", <-answer, "reached", "stopped")
}

func TestWaitOutlivesTheDeadlinesOfOtherRequests(t *testing.T) {
	b, cookie := newWaitBox(t, func(o *Options) { o.limits = limits{read: 700 * time.Millisecond, write: 700 * time.Millisecond} })
	got := b.do("GET", waitPath+"lxc/utest/stopped?duration=2", "", "Cookie", cookie)
	wantWait(t, "wait", got, "timeout", "running")
	if got.took < 2*time.Second {
		t.Errorf("answered after %v, want the whole two seconds", got.took)
	}
}

func TestContainerInfo(t *testing.T) {
	b, cookie := newWaitBox(t, nil)
	b.engine.change(format.Container{Type: "lxc", ID: "off", Name: "off", Image: "i", State: stateStopped, Memory: 5})
	get := func(path string) string { return b.do("GET", path, "", "Cookie", cookie).body }
	const v2 = `{
  "cpu": 0,
  "id": "utest",
  "image": "ubuntu",
  "ipaddress": [],
  "memory": 0,
  "name": "utest",
  "rx": 0,
  "state": "running",
  "tcpPort": [],
  "tx": 0,
  "type": "lxc"
}
`
	if got := get("/container-station/api/v1/container/incus/utest"); got != v2 {
		t.Errorf("version 2 = %s, want %s", got, v2)
	}
	if got, want := get("/api/v1/container/lxc/utest"), strings.Replace(v2, "  \"tcpPort\": [],\n", "", 1); got != want {
		t.Errorf("version 1 = %s, want no tcpPort", got)
	}
	const off = "{\n  \"id\": \"off\",\n  \"image\": \"i\",\n  \"name\": \"off\",\n  \"state\": \"stopped\",\n  \"type\": \"lxc\"\n}\n"
	if got := get("/api/v1/container/lxc/off"); got != off {
		t.Errorf("stopped = %s, want %s", got, off)
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(get("/api/v1/container")), &list); err != nil || len(list) != 3 || list[0]["name"] != "web" {
		t.Errorf("list = %v %v, want three", list, err)
	}
	b.engine.fail(errors.New("something else"))
	wantError(t, "an inquiry that fails", b.do("GET", "/api/v1/container/lxc/utest", "", "Cookie", cookie), 500)
}
