package httpd

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"shiplog/format"
)

func TestTooManyWaiters(t *testing.T) {
	b, cookie := newWaitBox(t, nil)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 256 {
		wg.Go(func() {
			req, _ := http.NewRequestWithContext(ctx, "GET", b.url+waitPath+"docker/web/stopped", nil)
			req.Header.Set("Cookie", cookie)
			if res, err := b.client.Do(req); err == nil {
				res.Body.Close()
			}
		})
	}
	for end := time.Now().Add(60 * time.Second); b.server.hub.count() < 256; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d waiters, want 256", b.server.hub.count())
		}
	}
	got := b.do("GET", waitPath+"docker/web/stopped", "", "Cookie", cookie)
	wantError(t, "waiter 257", got, 503)
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After = %q, want 1", got.header.Get("Retry-After"))
	}
	if got := b.do("GET", "/api/v1/log", "", "Cookie", cookie); got.status != 200 {
		t.Errorf("GET log beside 256 waiters = %d, want 200", got.status)
	}
	cancel() // all clients go
	wg.Wait()
	b.wantNoWaiters()
}

// wantNoWaiters waits until no waiter and no follower is left.
func (b *box) wantNoWaiters() {
	b.t.Helper()
	h := b.server.hub
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		h.mu.Lock()
		idle := len(h.waiters) == 0 && h.cancel == nil
		h.mu.Unlock()
		if idle {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%d waiters are left", h.count())
		}
	}
}

func TestShutdownEndsWaits(t *testing.T) {
	b, cookie := newWaitBox(t, func(o *Options) { o.limits.shutdown = time.Minute })
	answer := b.waiting(cookie, "docker/web/stopped?duration=3600")
	began := time.Now()
	b.stop()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("shutdown took %v with a wait under way", took)
	}
	wantError(t, "wait at shutdown", <-answer, 503)
	b.start() // for the clean-up
}

// TestNoWakeUpIsLost flips a container as fast as it can while waits begin and end: each wait must see the
// change that happened after it was sent, by its event alone.
func TestNoWakeUpIsLost(t *testing.T) {
	b, cookie := newWaitBox(t, nil)
	const rounds, clients = 40, 6
	for round := range rounds {
		name := fmt.Sprintf("c%d", round)
		c := format.Container{Type: "lxc", ID: name, Name: name, State: stateRunning}
		b.engine.change(c)
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				time.Sleep(time.Duration(i*300) * time.Microsecond) // around the moment of the change
				got := b.do("GET", waitPath+"lxc/"+name+"/stopped?duration=60", "", "Cookie", cookie)
				wantWait(t, name, got, "reached", "stopped")
				if got.took > 30*time.Second {
					t.Errorf("%s: woken after %v", name, got.took)
				}
			})
		}
		time.Sleep(time.Duration(round%10*200) * time.Microsecond)
		c.State = stateStopped
		b.engine.change(c)
		b.report(c, "stop")
		wg.Wait()
	}
}

func TestClientGoneReleasesItsWaiter(t *testing.T) {
	b, cookie := newWaitBox(t, nil)
	c := b.dial("GET", waitPath+"docker/web/stopped", cookie)
	for b.server.hub.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	c.Close()
	b.wantNoWaiters()
}
