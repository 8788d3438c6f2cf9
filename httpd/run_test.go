package httpd

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lateListener gives away one connection only when it is being closed, as accept(2) does for the one that
// came just before.
type lateListener struct {
	net.Listener
	waiting, closing chan struct{} // closed when Accept waits, and when Close is called
	wait, end        sync.Once
	given            bool // by the one that accepts
}

func (l *lateListener) Accept() (net.Conn, error) {
	l.wait.Do(func() { close(l.waiting) })
	<-l.closing
	if l.given {
		return nil, net.ErrClosed
	}
	l.given = true
	time.Sleep(50 * time.Millisecond)
	return l.Listener.Accept()
}

func (l *lateListener) Close() error {
	l.end.Do(func() { close(l.closing) })
	return nil
}

func TestConnectionTakenAtTheEndIsAnswered(t *testing.T) {
	b := newBox(t, "", nil)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	var answered atomic.Bool
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		time.Sleep(100 * time.Millisecond)
		answered.Store(true)
	})
	conn, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	ln := &lateListener{Listener: tcp, waiting: make(chan struct{}), closing: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-ln.waiting; cancel() }()
	if err := b.server.listen(ctx, ln, handler, func() {}); err != nil {
		t.Errorf("listen = %v, want nil", err)
	}
	if !answered.Load() {
		t.Error("listen came back before the request of the last connection was answered")
	}
}
