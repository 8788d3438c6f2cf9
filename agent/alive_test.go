package agent

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

func askedFor(a *Agent, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return a.Alive(ctx)
}

// running starts an agent that watches Docker; it ends with the test.
func running(t *testing.T, f *fakeDocker, w *memory) *Agent {
	t.Helper()
	a := New(Options{Writer: w, Docker: "unix://" + f.path, Incus: "none", Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	return a
}

func TestAgentWithoutAnEngineIsAlive(t *testing.T) {
	a := running(t, newFakeDocker(t), &memory{})
	for range 3 {
		if err := askedFor(a, 20*time.Second); err != nil {
			t.Errorf("Alive without an engine = %v, want nil", err)
		}
	}
}

func TestAgentOnAFullDiskIsAlive(t *testing.T) {
	f, failed := newFakeDocker(t), make(chan struct{}, 100)
	f.start(t)
	done := false
	w := &memory{fail: func() error {
		if done {
			return nil
		}
		failed <- struct{}{}
		return format.ErrFull
	}}
	a := running(t, f, w)
	<-failed
	for range 3 {
		if err := askedFor(a, 20*time.Second); err != nil {
			t.Errorf("Alive on a full disk = %v, want nil", err)
		}
	}
	w.mu.Lock()
	done = true
	w.mu.Unlock()
}

func TestAgentSaysWhatHangs(t *testing.T) {
	f := newFakeDocker(t)
	f.start(t)
	w := &memory{gate: make(chan struct{})}
	a := running(t, f, w)
	for end := time.Now().Add(20 * time.Second); ; { // until what it wrote first hangs
		err := askedFor(a, 100*time.Millisecond)
		if errors.Is(err, context.DeadlineExceeded) && strings.Contains(err.Error(), "what writes the events of docker") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("Alive while a write hangs = %v, want that what writes does not answer", err)
		}
	}
	close(w.gate)
	if err := askedFor(a, 20*time.Second); err != nil {
		t.Errorf("Alive after it = %v, want nil", err)
	}
	release, busy := make(chan struct{}), make(chan struct{})
	go a.pumps[0].q.handle(func() {
		close(busy)
		<-release
	})
	<-busy
	if err := askedFor(a, 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "what reads the events of docker is stuck") {
		t.Errorf("Alive while a reader is at one event = %v, want that it is stuck", err)
	}
	close(release)
}
