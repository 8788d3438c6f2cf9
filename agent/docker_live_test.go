package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shiplog/format"
)

// TestDockerRefused covers a socket that may not be opened.
func TestDockerRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "docker.sock")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := refused(path, "docker", &os.PathError{Op: "dial", Path: path, Err: syscall.EACCES})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "add the user to group docker") {
		t.Errorf("refused = %v, want what to do about it", err)
	}
	var log strings.Builder
	s := newDockerSource(Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: time.Now}, &meter{})
	s.complain(err)
	s.complain(err)
	if n := strings.Count(log.String(), "group docker"); n != 1 {
		t.Errorf("said %d times, want once per change", n)
	}
}

func TestDockerInspect(t *testing.T) {
	f, w := newFakeDocker(t), &memory{}
	f.start(t)
	s, _ := watch(t, Options{Writer: w, Docker: f.path})
	if _, err := s.inspect(t.Context(), "web"); !errors.Is(err, format.ErrEngineDown) && !errors.Is(err, format.ErrNoContainer) {
		t.Errorf("inspect before connected: %v", err)
	}
	eventually(t, "connected", func() bool { return w.count(format.StreamLog, "engine.connected") == 1 })
	a, b := "aaaaaaaaaaaa1"+strings.Repeat("0", 51), "aaaaaaaaaaaa2"+strings.Repeat("0", 51)
	f.set(a, "web", "running", time.Now(), time.Time{}, map[string]any{"NetworkSettings": map[string]any{
		"Networks": map[string]any{"n": map[string]any{"IPAddress": "10.1.2.3"}, "m": map[string]any{"IPAddress": ""}},
		"Ports": map[string]any{"80/tcp": []any{map[string]any{"HostIp": "0.0.0.0", "HostPort": "8080"}, map[string]any{"HostIp": "::", "HostPort": "8080"}},
			"53/udp": []any{map[string]any{"HostPort": "53"}}, "81/tcp": nil},
	}})
	f.set(b, "db", "exited", time.Now(), time.Now(), nil)
	for _, tc := range []struct {
		name, id string
		err      error
	}{
		{"by name", "web", nil},
		{"by whole id", a, nil},
		{"by 13 digits of the id", a[:13], nil},
		{"12 digits that two ids begin with", a[:12], format.ErrAmbiguous},
		{"too few digits", "aaaaaaaaaaa", format.ErrAmbiguous},
		{"unknown", "nosuch", format.ErrNoContainer},
	} {
		if _, err := s.inspect(t.Context(), tc.id); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
		}
	}
	c, err := s.inspect(t.Context(), "web")
	if err != nil || c.State != "running" || fmt.Sprint(c.IPAddress, c.TCPPort) != "[10.1.2.3] [8080]" || c.Type != "docker" || c.Image != "busybox" {
		t.Errorf("inspect(web) = %+v, %v", c, err)
	}
	if all, err := s.list(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("list = %d containers, %v, want 2", len(all), err)
	}
}

// TestReadProc reads this very process's group of resources, where the kernel shows one.
func TestReadProc(t *testing.T) {
	if _, ok := readProc(os.Getpid(), strings.Repeat("f", 64)); ok {
		t.Error("readProc trusts a process that is not the container's")
	}
	if _, ok := readProc(0, ""); ok {
		t.Error("readProc of no process")
	}
	path := filepath.Join(t.TempDir(), "dev")
	text := "Inter-|   Receive\n face |bytes    packets\n    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n  eth0: 393 4 0 0 0 0 0 0 354 5 0 0 0 0 0 0\n  eth1:7 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if rx, tx := netDev(path); rx != 400 || tx != 360 {
		t.Errorf("netDev = %d, %d, want 400, 360", rx, tx)
	}
}
