package httpd

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// takes accepts connections and keeps them until ln is closed.
func takes(ln net.Listener) (ended chan error) {
	ended = make(chan error, 1)
	go func() {
		for {
			if _, err := ln.Accept(); err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

func TestListenerAnswers(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := limitConnections(tcp, 2)
	asked := func(patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return ln.alive(ctx)
	}
	if err := asked(100 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("alive when nobody accepts = %v, want that the time is up", err)
	}
	ended := takes(ln)
	for open := range 4 { // the last two wait for a place
		for range 3 {
			if err := asked(20 * time.Second); err != nil {
				t.Errorf("alive with %d connections = %v, want nil", open, err)
			}
		}
		conn, err := net.Dial("tcp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	ln.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a closed listener = %v, want net.ErrClosed", err)
	}
}
