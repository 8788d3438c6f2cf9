package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// story runs events through a mapper and returns its human lines. An event is "ms type action key=value ...".
func story(t *testing.T, o MapperOptions, events ...string) string {
	t.Helper()
	m := NewDockerMapper(o)
	base := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	id := hexID(1)
	var out tape
	for _, s := range events {
		f := strings.Fields(s)
		var ms int
		fmt.Sscan(f[0], &ms)
		attr := map[string]string{"name": "web", "image": "busybox"}
		on := id
		if f[1] == "network" {
			attr, on = map[string]string{"name": "bridge", "container": id}, "net1"
		}
		for _, kv := range f[3:] {
			k, v, _ := strings.Cut(kv, "=")
			if k == "id" {
				on = v
			} else {
				attr[k] = v
			}
		}
		at := base.Add(time.Duration(ms) * time.Millisecond)
		got, err := m.Event([]byte(event(at, f[1], strings.ReplaceAll(f[2], ":", ": "), on, attr)))
		if err != nil {
			t.Fatal(err)
		}
		if err := Store(got, out.write); err != nil {
			t.Fatal(err)
		}
	}
	if err := Store(m.Tick(base.Add(time.Hour)), out.write); err != nil {
		t.Fatal(err)
	}
	if left := m.Flush(); len(left) != 0 || !m.Due().IsZero() {
		t.Errorf("%d lines are held for more than an hour", len(left))
	}
	var lines []string
	for _, r := range out.recs {
		if r.Stream == format.StreamLog {
			lines = append(lines, strings.ReplaceAll(r.Msg, " (docker, "+shortID(id)+", web)", ""))
		}
	}
	return strings.Join(lines, "; ")
}

func TestDockerLines(t *testing.T) {
	failed := MapperOptions{Container: func(string) (DockerInfo, bool) {
		return DockerInfo{Name: "web", Error: "port is already allocated"}, true
	}}
	fine := MapperOptions{Container: func(string) (DockerInfo, bool) { return DockerInfo{Name: "web"}, true }}
	health := MapperOptions{LogExec: true, Container: func(string) (DockerInfo, bool) {
		return DockerInfo{Health: []string{"CMD", "curl", "-f", "x"}}, true
	}}
	for _, tc := range []struct {
		name   string
		opts   MapperOptions
		events []string
		want   string
	}{
		{"a restart is one line", fine, []string{"0 container kill signal=15", "100 container die exitCode=0", "200 network disconnect", "210 container stop", "260 network connect", "900 container start", "900 container restart"},
			"Restart container"},
		{"a restart whose start takes ten seconds is one line", fine, []string{"0 container stop", "50 network connect", "10000 container start", "10000 container restart"}, "Restart container"},
		{"stop and start by hand are two", fine, []string{"0 container stop", "500 network connect", "900 container start", "5000 container top"}, "Stop container; Start container"},
		{"a stop that nothing follows", fine, []string{"0 container stop"}, "Stop container"},
		{"a stop is not overtaken by the destroy", fine, []string{"0 container stop", "100 container destroy"}, "Stop container; Destroy container"},
		{"a signal that ends in a stop", fine, []string{"0 container kill signal=15", "10000 container kill signal=9", "10050 container die exitCode=137", "10100 container stop"}, "Stop container"},
		{"a signal that nothing follows", fine, []string{"0 container kill signal=9", "50 container die exitCode=137"}, "Kill container (signal=9)"},
		{"a signal that the process expects", fine, []string{"0 container kill signal=1", "50 container kill signal=SIGUSR1"}, ""},
		{"an exit of its own accord", fine, []string{"0 container start", "5000 container die exitCode=0"}, "Start container; Container exited (exit=0)"},
		{"a crash", fine, []string{"0 container start", "5000 container die exitCode=3"}, "Start container; Container died (exit=3)"},
		{"die overtakes the signal that explains it", fine, []string{"0 container start", "5010 container die exitCode=137", "5000 container kill signal=9", "5100 container destroy"}, "Start container; Destroy container"},
		{"a health status between signal and end", fine, []string{"0 container kill signal=15", "500 container health_status:healthy", "900 container die exitCode=0", "950 container stop"}, "Container health: healthy; Stop container"},
		{"a start that fails", failed, []string{"0 container create", "100 network connect", "300 network disconnect"}, "Create container; Failed to start container: port is already allocated"},
		{"a start that fails before the network", failed, []string{"0 container create", "100 network disconnect", "120 network disconnect"}, "Create container; Failed to start container: port is already allocated"},
		{"a start that fails twice", failed, []string{"0 container create", "100 network connect", "300 network disconnect", "2000 network connect", "2300 network disconnect"},
			"Create container; Failed to start container: port is already allocated; Failed to start container: port is already allocated"},
		{"taken off a network while stopped", fine, []string{"0 container create", "100 network disconnect"}, "Create container; Disconnect container from network bridge"},
		{"connected while running", fine, []string{"0 container start", "1000 network connect", "2000 network disconnect", "2050 network disconnect"}, "Start container; Connect container to network bridge; Disconnect container from network bridge"},
		{"the disconnect of an end says nothing", fine, []string{"0 container start", "1000 container die exitCode=1", "1100 network disconnect"}, "Start container; Container died (exit=1)"},
		{"a crash loop is said once", fine, []string{"0 container start", "100 container die exitCode=9", "200 container start", "300 container die exitCode=9", "500 container start", "600 container die exitCode=9", "1000 container start", "1100 container die exitCode=9", "1900 container start"},
			"Start container; Container died (exit=9); Start container; Container died (exit=9); Start container; Container died (exit=9); Start container; Container keeps restarting (exit=9, restarts=3); Container died (exit=9); Start container"},
		{"executions when asked for, health checks never", health, []string{"0 container exec_create:curl execID=1", "10 container exec_die execID=1 exitCode=7"}, "Exec in container (exit=7)"},
		{"an image with two names removed", MapperOptions{}, []string{"0 image tag id=sha256:1 name=a:1", "1 image tag id=sha256:1 name=b:1", "10 image untag id=sha256:1", "20 image untag id=sha256:1", "30 image delete id=sha256:1"},
			"Image tagged (docker, a:1); Image tagged (docker, b:1); Image removed (docker, b:1); Image removed (docker, a:1)"},
		{"the last name of an image in use", MapperOptions{}, []string{"0 image tag id=sha256:1 name=a:1", "10 image untag id=sha256:1"}, "Image tagged (docker, a:1); Image removed (docker, a:1)"},
		{"a restart after the clock was set back an hour", fine, []string{"3600000 container start", "0 container kill signal=15", "100 container die exitCode=0", "210 container stop", "260 network connect", "900 container start", "900 container restart"},
			"Start container; Restart container"},
		{"oom and commit", fine, []string{"0 container oom", "10 container commit imageID=sha256:12 imageRef=a:2"}, "Container out of memory; commit container (docker, " + shortID(hexID(1)) + ", a:2)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := story(t, tc.opts, tc.events...); got != tc.want {
				t.Errorf("lines\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestHealthChecksAreLeftOut compares executions with the configured check, in both its forms.
func TestHealthChecksAreLeftOut(t *testing.T) {
	for _, tc := range []struct {
		name string
		info DockerInfo
		cmd  string
		want uint64
	}{
		{"by the shell", DockerInfo{Health: []string{"CMD-SHELL", "test -e /ok "}}, "/bin/sh -c test -e /ok", 3},
		{"by a shell of its own", DockerInfo{Health: []string{"CMD-SHELL", "x"}, Shell: []string{"/bin/bash", "-ec"}}, "/bin/bash -ec x", 3},
		{"as words", DockerInfo{Health: []string{"CMD", "curl", "-f", "http://localhost/"}}, "curl -f http://localhost/", 3},
		{"with a secret in it", DockerInfo{Health: []string{"CMD", "curl", "--token", "hunter2"}}, "curl --token hunter2", 3},
		{"longer than what is kept of one", DockerInfo{Health: []string{"CMD", "echo", strings.Repeat("x", 2*maxAttr)}}, "echo " + strings.Repeat("x", 2*maxAttr), 3},
		{"another command", DockerInfo{Health: []string{"CMD", "curl"}}, "curl -v", 0},
		{"switched off", DockerInfo{Health: []string{"NONE"}}, "NONE", 0},
		{"none", DockerInfo{}, "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := NewDockerMapper(MapperOptions{Container: func(string) (DockerInfo, bool) { return tc.info, true }})
			n := 0
			for i, action := range []string{"exec_create: " + tc.cmd + " ", "exec_start: " + tc.cmd + " ", "exec_die"} {
				ms, err := m.Event([]byte(event(time.Unix(1e9, int64(i)), "container", action, hexID(1), map[string]string{"execID": "e"})))
				if err != nil {
					t.Fatal(err)
				}
				n += len(ms)
			}
			if m.filtered != tc.want || n != 3-int(tc.want) {
				t.Errorf("filtered %d and kept %d, want %d and %d", m.filtered, n, tc.want, 3-tc.want)
			}
		})
	}
}

// TestHealthChecksThatCannotStart never die: they must not make the others be recorded in the end.
func TestHealthChecksThatCannotStart(t *testing.T) {
	m := NewDockerMapper(MapperOptions{Container: func(string) (DockerInfo, bool) { return DockerInfo{Health: []string{"CMD", "curl", "x"}}, true }})
	exec := func(n int, action string) int {
		ms, err := m.Event([]byte(event(time.Unix(1e9+int64(n), 0), "container", action, hexID(1), map[string]string{"execID": hexID(n)})))
		if err != nil {
			t.Fatal(err)
		}
		return len(ms)
	}
	kept := 0
	for n := range 2 * maxExecs {
		kept += exec(n, "exec_create: curl x") + exec(n, "exec_start: curl x")
	}
	if kept += exec(2*maxExecs-1, "exec_die"); kept != 0 {
		t.Errorf("%d records of health checks, want none", kept)
	}
	if n := len(m.execs.health.young) + len(m.execs.health.old); n > maxExecs {
		t.Errorf("%d ids remembered, want at most %d", n, maxExecs)
	}
}

func TestImageOwner(t *testing.T) {
	d := newDockerImages()
	d.add("sha256:1", "ghcr.io/lgsd/diamond/x:1")
	for ref, want := range map[string]string{
		"lgsd/diamond": "lgsd diamond", "busybox": "library busybox", "busybox:1.36": "library busybox", "localhost:5000/team/aaa:v1": "team aaa",
		"localhost/x": "library x", "docker.io/library/redis@sha256:2": "library redis", "sha256:1": "lgsd diamond/x", "sha256:9": " ", "": " ",
		"1ea28900a4bc": " ",
	} {
		ns, repo := d.owner(ref)
		if got := ns + " " + repo; got != want {
			t.Errorf("owner(%q) = %q, want %q", ref, got, want)
		}
	}
}
