package enginetest

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// trap is a container's command that ends at SIGTERM, so that a daemon which ends its containers is quick.
const trap = `sh -c 'trap exit TERM; while :; do sleep 0.1; done'`

// run is one run of the test: the engines, what they said, and shiplog.
type run struct {
	e     *engines
	o     *oracle
	b     *box
	began time.Time
	// blind are the stretches in which shiplog could not see everything, by engine; incusd repeats nothing.
	blind map[string][]stretch
	// before is what /metrics said when both engines were connected and nothing had been done.
	before map[string]float64
}

type stretch struct{ from, to time.Time }

func (r *run) sees(engine string, at time.Time) bool {
	for _, s := range r.blind[engine] {
		if at.After(s.from) && at.Before(s.to) {
			return false
		}
	}
	return at.After(r.began)
}

func (r *run) blinded(from time.Time, names ...string) {
	for _, engine := range names {
		r.blind[engine] = append(r.blind[engine], stretch{from, time.Now()})
	}
}

func TestEngines(t *testing.T) {
	e := openEngines(t)
	r := &run{e: e, o: listen(t, e), b: newBox(t, e), blind: map[string][]stretch{}}
	r.b.start(t, true)
	r.b.awaitLine(t, 0, "Container engine docker connected")
	r.b.awaitLine(t, 0, "Container engine incus connected")
	r.before, r.began = r.b.samples(t), time.Now()

	// The order matters: the later steps compare all that the earlier ones did.
	t.Run("stories", r.stories)
	t.Run("secrets are given to the engines", r.secrets)
	t.Run("event wait", r.wait)
	t.Run("curl as the documents write it", r.curl)
	t.Run("three things in all five dialects", r.dialects)
	t.Run("other programs write records", r.recorded)
	t.Run("both daemons are killed and stopped", r.daemons)
	t.Run("the metrics tell what was done", r.metrics)
	t.Run("shiplog is stopped for a while", r.away)
	t.Run("shiplog is killed", r.killed)
	t.Run("more happens unseen than dockerd remembers", r.overrun)
	t.Run("nothing lost, nothing twice", r.compare)
	t.Run("the API tells what was done", r.told)
	t.Run("a copy answers the same", r.copied)
	t.Run("nothing happens, nothing is written", r.idle)
	t.Run("no secret is on the disk or in an answer", r.noSecret)
	t.Run("clear", r.cleared)
	t.Run("stop", func(t *testing.T) {
		if code, took := r.b.stop(t, syscall.SIGTERM); code != 0 || took > 10*time.Second {
			t.Errorf("SIGTERM: exit status %d after %v, want 0 within 10 s", code, took)
		}
	})
}

// stories does what docker_test.go and incus_test.go tell, for both engines at once.
func (r *run) stories(t *testing.T) {
	for _, list := range [][]story{dockerStories, incusStories} {
		t.Run(list[0].engine, func(t *testing.T) {
			t.Parallel()
			for _, s := range list {
				began := time.Now()
				r.e.do(t, s.do...)
				t.Logf("%s: %.1f s", s.name, time.Since(began).Seconds())
			}
		})
	}
}

// daemons takes both daemons away, with violence and politely, while containers live and die.
func (r *run) daemons(t *testing.T) {
	r.e.do(t,
		"docker run -d --name lives busybox "+trap,
		"docker run -d --name comesback --restart always busybox "+trap,
		"docker run -d --name dies busybox "+trap,
		"incus -q launch busybox ilives", "incus -q launch busybox idies")
	pid := r.e.do(t, "docker inspect -f '{{.State.Pid}}' dies")
	ipid := r.e.do(t, "incus info idies | sed -n 's/^PID: //p'")
	for _, verb := range []string{"kill", "stop"} {
		after, from := r.b.newest(t), time.Now()
		r.e.daemon(t, verb, "docker")
		r.e.daemon(t, verb, "incus")
		r.b.awaitLine(t, after, "Container engine docker disconnected")
		r.b.awaitLine(t, after, "Container engine incus disconnected")
		if verb == "kill" {
			r.e.do(t, `"$ENGINES" run "$DIR" kill -9 `+pid, `"$ENGINES" run "$DIR" kill -9 `+ipid)
		}
		r.e.daemon(t, "start", "docker")
		r.e.daemon(t, "start", "incus")
		r.b.awaitLine(t, after, "Container engine docker connected")
		r.b.awaitLine(t, after, "Container engine incus connected")
		r.gapSaid(t, after, "incus", "")
		r.blinded(from, "lxc")
		t.Logf("%s and start of both daemons: %.1f s", verb, time.Since(from).Seconds())
	}
	r.e.do(t, "docker rm -f lives comesback dies", "incus delete -f ilives idies")
}

// gapSaid waits for a gap record of the engine after seq, with the reason unless that is "".
func (r *run) gapSaid(t *testing.T, after uint64, engine, reason string) {
	t.Helper()
	eventually(t, 10*time.Second, fmt.Sprintf("no gap of %s (%s) after seq %d", engine, reason, after), func() bool {
		for _, rec := range r.b.records(t) {
			if rec.Seq > after && rec.Action == "engine.gap" && rec.Engine == engine &&
				(reason == "" || strings.Contains(string(rec.Data["reason"]), reason)) {
				return true
			}
		}
		return false
	})
}

// away stops shiplog politely; dockerd remembers what happens meanwhile, incusd does not.
func (r *run) away(t *testing.T) {
	r.e.do(t, "docker run -d --name before busybox "+trap, "incus -q launch busybox ibefore")
	time.Sleep(time.Second)
	after, from := r.b.newest(t), time.Now()
	if code, took := r.b.stop(t, syscall.SIGTERM); code != 0 || took > 10*time.Second {
		t.Errorf("SIGTERM: exit status %d after %v, want 0 within 10 s", code, took)
	}
	r.e.do(t, "docker run -d --name meanwhile busybox sleep 1000", "docker rm -f before",
		"incus -q launch busybox imeanwhile", "incus delete -f ibefore")
	r.b.start(t, false)
	r.b.awaitLine(t, after, "Container engine docker connected")
	r.b.awaitLine(t, after, "Container engine incus connected")
	r.gapSaid(t, after, "incus", "")
	r.blinded(from, "lxc")
	r.e.do(t, "docker rm -f meanwhile", "incus delete -f imeanwhile")
}

// killed ends shiplog with SIGKILL in the middle of things and starts it again.
func (r *run) killed(t *testing.T) {
	after, from := r.b.newest(t), time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 12 {
			r.e.do(t, fmt.Sprintf("docker run --rm --name quick%d busybox true", i))
		}
	}()
	time.Sleep(1500 * time.Millisecond)
	r.b.stop(t, syscall.SIGKILL)
	time.Sleep(time.Second)
	r.b.start(t, true)
	<-done
	r.b.awaitLine(t, after, "Container engine docker connected")
	r.b.awaitLine(t, after, "Container engine incus connected")
	r.blinded(from, "lxc")
}

// idle watches shiplog with both engines connected and nothing to tell: the disks must be able to sleep. What was told
// before is still signed on one of the next beats; a whole idle minute is looked at by quiettest.
func (r *run) idle(t *testing.T) {
	r.settle(t)
	const tries = 8
	for try := range tries {
		seq, before := r.b.newest(t), r.b.proc(t, "io", "write_bytes")
		time.Sleep(3 * time.Second)
		after := r.b.proc(t, "io", "write_bytes")
		if after == before {
			break
		}
		if try == tries-1 && r.b.newest(t) == seq {
			t.Errorf("%d bytes were written to the disk while nothing happened", after-before)
		}
	}
	t.Logf("resident %d kB, of it anonymous %d kB", r.b.proc(t, "status", "VmRSS"), r.b.proc(t, "status", "RssAnon"))
}

// overrun lets more happen than the 256 events that dockerd remembers, while shiplog is away.
func (r *run) overrun(t *testing.T) {
	after, from := r.b.newest(t), time.Now()
	r.b.stop(t, syscall.SIGTERM)
	tags := `curl -sf -o /dev/null --unix-socket "$DIR/docker.sock" `
	r.e.do(t,
		"docker run -d --name hidden busybox sleep 1000",
		tags+`-X POST "http://d/images/busybox/tag?repo=flood&tag=t[1-300]"`,
		tags+`-X DELETE "http://d/images/flood:t[1-300]"`)
	r.b.start(t, true)
	r.b.awaitLine(t, after, "Container engine docker connected")
	r.b.awaitLine(t, after, "Container engine incus connected")
	r.gapSaid(t, after, "docker", "overrun")
	r.blinded(from, "docker", "lxc")
	r.e.do(t, "docker rm -f hidden")
}
