package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"shiplog/format"
)

// demoStep is one thing that happened on the made-up box: a raw event of an engine, or a record that a
// program wrote.
type demoStep struct {
	at     time.Time
	engine format.Engine // docker or incus for raw, else empty
	raw    []byte
	record *format.Record

	box   *demoBox // whose state it changed, if any
	state string
}

// demoBox is one container of the made-up box.
type demoBox struct {
	format.Container
	network string
	labels  map[string]string
}

// demoWorld makes up what happened, always the same for the same end.
type demoWorld struct {
	rnd   *rand.Rand
	steps []demoStep
	boxes []*demoBox
}

func (d *demoWorld) id(bytes int) string {
	var b strings.Builder
	for range bytes {
		fmt.Fprintf(&b, "%02x", d.rnd.IntN(256))
	}
	return b.String()
}

// jitter is at and up to max later.
func (d *demoWorld) jitter(at time.Time, max time.Duration) time.Time {
	return at.Add(time.Duration(d.rnd.Int64N(int64(max))))
}

// docker adds one event as dockerd sends it.
func (d *demoWorld) docker(at time.Time, typ, action, id string, attrs map[string]string) {
	type actor struct {
		ID         string
		Attributes map[string]string
	}
	raw, err := json.Marshal(struct {
		Type, Action string
		Actor        actor
		Scope        string `json:"scope"`
		Time         int64  `json:"time"`
		TimeNano     int64  `json:"timeNano"`
	}{typ, action, actor{id, attrs}, "local", at.Unix(), at.UnixNano()})
	if err != nil {
		panic(err) // strings and numbers only
	}
	d.steps = append(d.steps, demoStep{at: at, engine: format.EngineDocker, raw: raw})
}

// event adds a docker event of one container.
func (d *demoWorld) event(b *demoBox, at time.Time, action string, more ...string) {
	attrs := map[string]string{"name": b.Name, "image": b.Image}
	maps.Copy(attrs, b.labels)
	for i := 0; i+1 < len(more); i += 2 {
		attrs[more[i]] = more[i+1]
	}
	d.docker(at, "container", action, b.ID, attrs)
}

func (d *demoWorld) net(b *demoBox, at time.Time, action string) {
	d.docker(at, "network", action, b.network, map[string]string{"container": b.ID, "name": "bridge", "type": "bridge"})
}

func (d *demoWorld) create(b *demoBox, at time.Time) {
	b.ID = d.id(32)
	d.event(b, at, "create")
	d.start(b, at.Add(280*time.Millisecond))
}

func (d *demoWorld) start(b *demoBox, at time.Time) {
	d.net(b, at, "connect")
	d.event(b, at.Add(340*time.Millisecond), "start")
	d.became(b, "running")
}

func (d *demoWorld) stop(b *demoBox, at time.Time) {
	d.event(b, at, "kill", "signal", "15")
	at = at.Add(time.Duration(200+d.rnd.IntN(2000)) * time.Millisecond)
	d.event(b, at, "die", "exitCode", "0")
	d.net(b, at.Add(60*time.Millisecond), "disconnect")
	d.event(b, at.Add(80*time.Millisecond), "stop")
	d.became(b, "stopped")
}

func (d *demoWorld) restart(b *demoBox, at time.Time) {
	d.stop(b, at)
	at = d.steps[len(d.steps)-1].at.Add(30 * time.Millisecond)
	d.start(b, at)
	d.event(b, at.Add(340*time.Millisecond), "restart")
}

func (d *demoWorld) destroy(b *demoBox, at time.Time) {
	d.event(b, at, "destroy")
	d.became(b, "")
}

// became notes the state that the last step brought b into; empty: it is gone.
func (d *demoWorld) became(b *demoBox, state string) {
	b.State = state
	last := &d.steps[len(d.steps)-1]
	last.box, last.state = b, state
}

// crash ends the container by itself and starts it again, as a restart policy does.
func (d *demoWorld) crash(b *demoBox, at time.Time, code string) {
	if code == "137" {
		d.event(b, at, "oom")
	}
	d.event(b, at.Add(40*time.Millisecond), "die", "exitCode", code)
	d.net(b, at.Add(110*time.Millisecond), "disconnect")
	d.start(b, at.Add(900*time.Millisecond))
}

// update pulls a new image and makes the container again.
func (d *demoWorld) update(b *demoBox, at time.Time) {
	name, _, _ := strings.Cut(b.Image, ":")
	d.docker(at, "image", "pull", b.Image, map[string]string{"name": name})
	d.stop(b, at.Add(4*time.Second))
	d.destroy(b, at.Add(8*time.Second))
	d.create(b, at.Add(9*time.Second))
}

// incus adds a lifecycle event as incusd sends it; no user: the instance did it by itself.
func (d *demoWorld) incus(b *demoBox, at time.Time, action, user string) {
	meta := map[string]any{"action": action, "source": "/1.0/instances/" + b.Name, "name": b.Name, "project": "default"}
	if user != "" {
		meta["requestor"] = map[string]string{"username": user, "protocol": "unix", "address": "@"}
	}
	if snap, ok := strings.CutPrefix(action, "instance-snapshot-"); ok && snap != "" {
		meta["source"] = "/1.0/instances/" + b.Name + "/snapshots/" + at.Format("auto-0102")
	}
	d.incusFrame(at, "lifecycle", meta)
	switch action {
	case "instance-started", "instance-restarted":
		d.became(b, "running")
	case "instance-stopped", "instance-shutdown":
		d.became(b, "stopped")
	}
}

// backup adds the operation of an instance's export.
func (d *demoWorld) backup(b *demoBox, at time.Time, takes time.Duration) {
	op := map[string]any{
		"id": d.id(4) + "-0000-4000-8000-" + d.id(6), "class": "task", "description": "Backing up instance",
		"created_at": at, "err": "", "location": "none", "may_cancel": false, "metadata": nil,
		"resources": map[string][]string{"instances": {"/1.0/instances/" + b.Name}, "backups": {"/1.0/instances/" + b.Name + "/backups/backup0"}},
	}
	for _, s := range []struct {
		after  time.Duration
		status string
		code   int
	}{{0, "Pending", 105}, {time.Millisecond, "Running", 103}, {takes, "Success", 200}} {
		state := maps.Clone(op)
		state["status"], state["status_code"], state["updated_at"] = s.status, s.code, at.Add(s.after)
		d.incusFrame(at.Add(s.after), "operation", state)
	}
}

func (d *demoWorld) incusFrame(at time.Time, typ string, meta map[string]any) {
	raw, err := json.Marshal(map[string]any{"type": typ, "timestamp": at.UTC(), "metadata": meta, "location": "none", "project": "default"})
	if err != nil {
		panic(err) // strings, numbers and times only
	}
	d.steps = append(d.steps, demoStep{at: at, engine: format.EngineIncus, raw: raw})
}

// op adds a record that a program wrote.
func (d *demoWorld) op(at time.Time, level format.Level, category, user, msg string) *format.Record {
	r := &format.Record{Time: at.UTC(), Stream: format.StreamLog, Level: level, Category: category, Msg: msg,
		Actor: format.Actor{Name: user, Type: format.ActorUser}}
	if user == "system" {
		r.Actor.Type = format.ActorSystem
	}
	d.steps = append(d.steps, demoStep{at: at, record: r})
	return r
}

// done returns the steps in the order of time, those of the future left out, and leaves the containers in
// the state they had at the end.
func (d *demoWorld) done(end time.Time) []demoStep {
	slices.SortStableFunc(d.steps, func(a, b demoStep) int { return a.at.Compare(b.at) })
	n, _ := slices.BinarySearchFunc(d.steps, end, func(s demoStep, t time.Time) int { return s.at.Compare(t) })
	for _, s := range d.steps[:n] {
		if s.box != nil {
			s.box.State = s.state
		}
	}
	return d.steps[:n]
}
