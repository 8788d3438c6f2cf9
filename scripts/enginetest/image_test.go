package enginetest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// socketGroup stands for the group docker of a host: no other user of the test has it.
const socketGroup = "4242"

// TestImage runs the container image (scripts/package oci) as README.md says, in the real dockerd and with its socket.
func TestImage(t *testing.T) {
	image := os.Getenv("SHIPLOG_IMAGE")
	if image == "" {
		t.Skip("SHIPLOG_IMAGE is not set: scripts/test builds the image and sets it")
	}
	e := openEngines(t)
	e.env = append(e.env, "IMAGE="+image, "GROUP="+socketGroup, "SOCKET="+e.dockerSocket())
	tag, ok := strings.CutPrefix(e.do(t, `docker load -q -i "$IMAGE"`), "Loaded image: ")
	if !ok || !strings.HasPrefix(tag, "shiplog:") {
		t.Fatalf("docker load said %q, want Loaded image: shiplog:VERSION", tag)
	}
	e.env = append(e.env, "TAG="+tag)
	t.Cleanup(func() {
		// The context of the test has ended by now.
		cmd := exec.Command("sh", "-c", `docker rm -f watch; docker volume rm watch; docker rmi "$TAG"; chgrp root "$SOCKET"`)
		cmd.Env = e.env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("clean up after the image: %v\n%s", err, out)
		}
	})
	e.do(t, `chgrp "$GROUP" "$SOCKET"`)

	began := time.Now()
	start := `docker run -d --name watch --group-add "$GROUP" --read-only --tmpfs /tmp --cap-drop ALL --health-interval 1s \
		-v "$SOCKET":/var/run/docker.sock -v watch:/var/lib/shiplog "$TAG"`
	id := e.do(t, start)[:12]
	awaitImageLine(t, e, "Start container", id)
	eventually(t, 30*time.Second, "HEALTHCHECK says healthy", func() bool {
		out, _ := e.run(t, `docker inspect -f '{{.State.Health.Status}}' watch`)
		return strings.TrimSpace(out) == "healthy"
	})
	t.Logf("captured its own start and healthy after %v", time.Since(began))
	if got := e.do(t, `docker inspect -f '{{.Config.User}} {{index .Config.Labels "org.opencontainers.image.licenses"}}' watch`); got != "65532:65532 MIT" {
		t.Errorf("user and licence = %q, want 65532:65532 MIT", got)
	}
	if got := e.do(t, `docker exec -e TZ=Asia/Tokyo watch /usr/bin/shiplog query -n 1 -o short`); got == "" || strings.Contains(got, "unknown time zone") {
		t.Errorf("a query in the container = %q, want a line", got)
	}
	imageAnswers(t, e, id)
	// Its own health check would else write to the disk for ever. (dockerd may still tell of a container that is gone.)
	if got := imageRun(t, e, `docker exec watch /usr/bin/shiplog query -o jsonl | grep '"obj":{"type":"container","id":"`+id+`' | grep -c 'shiplog health'`); strings.TrimSpace(got) != "0" {
		t.Errorf("%s records are about the health check of shiplog itself, want none", strings.TrimSpace(got))
	}

	began = time.Now()
	e.do(t, `docker stop -t 30 watch`)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("docker stop took %v, want less than 10 s", took)
	}
	if got := e.do(t, `docker inspect -f '{{.State.ExitCode}}' watch`); got != "0" {
		t.Errorf("exit status after docker stop = %s, want 0", got)
	}

	// Another container on the same volume has what the first one wrote.
	before := e.do(t, `docker logs watch 2>&1 | grep -c 'user admin, password'`)
	e.do(t, `docker rm watch`, start)
	awaitImageLine(t, e, "Stop container", id)
	awaitImageLine(t, e, "Destroy container", id)
	if after := strings.TrimSpace(imageRun(t, e, `docker logs watch 2>&1 | grep -c 'user admin, password'`)); before != "1" || after != "0" {
		t.Errorf("the first account was made %s times on the empty volume and %s times on the used one, want 1 and 0", before, after)
	}
}

// imageAnswers logs in from outside of the container with the password that it printed, and reads the log.
func imageAnswers(t *testing.T, e *engines, id string) {
	t.Helper()
	got := e.do(t, `
		password=$(docker logs watch 2>&1 | sed -n 's/^user admin, password \([^ ]*\) .*/\1/p')
		address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' watch)
		api=http://$address:7446/container-station/api/v1
		"$ENGINES" run "$DIR" curl -sf -m 10 -c "$WORK/cookies" -d "username=admin&password=$password" "$api/login" >/dev/null &&
		"$ENGINES" run "$DIR" curl -sf -m 10 -b "$WORK/cookies" "$api/log?text=watch"`)
	if !lineWith(got, "Start container", id) {
		t.Errorf("the API of the container answers %s\nwant its own start", got)
	}
}

func imageRun(t *testing.T, e *engines, line string) string {
	t.Helper()
	out, _ := e.run(t, line)
	return out
}

// awaitImageLine waits until a line of the log in the container has all parts.
func awaitImageLine(t *testing.T, e *engines, parts ...string) {
	t.Helper()
	eventually(t, 30*time.Second, "the log in the container has "+strings.Join(parts, " ... "), func() bool {
		return lineWith(imageRun(t, e, `docker exec watch /usr/bin/shiplog query --stream log -o short`), parts...)
	})
}

// lineWith tells whether one line of text has all parts.
func lineWith(text string, parts ...string) bool {
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			return true
		}
	}
	return false
}
