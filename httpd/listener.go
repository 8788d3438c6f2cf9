package httpd

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// sendBuffer bounds what the kernel takes of an answer ahead of its client, in bytes. A blocked write goes on
// when a third of it is free, so a large one makes a slow client look as if it did not read at all.
const sendBuffer = 128 << 10

// limitConnections lets at most n connections of ln be open at one time; more wait in the kernel's queue.
func limitConnections(ln net.Listener, n int) *limitedListener {
	return &limitedListener{Listener: ln, slots: make(chan struct{}, n), done: make(chan struct{}),
		asked: make(chan struct{}, 1), answered: make(chan struct{}, 1)}
}

type limitedListener struct {
	net.Listener
	slots chan struct{} // one token per open connection
	done  chan struct{}
	once  sync.Once

	silent sync.WaitGroup // connections on which no request has begun

	asked, answered chan struct{} // size 1 each: one question of alive at a time, which waits while Accept is woken
}

// Accept waits for a free place, then for a connection. It answers alive during both.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.asked:
			l.answer()
			continue
		case <-l.done:
			return nil, net.ErrClosed
		}
		c, err := l.Listener.Accept()
		if err == nil {
			if t, ok := c.(*net.TCPConn); ok {
				_ = t.SetWriteBuffer(sendBuffer) // only a hint
			}
			l.silent.Add(1)
			return &limitedConn{Conn: c, free: func() { <-l.slots }, begun: sync.OnceFunc(l.silent.Done)}, nil
		}
		<-l.slots
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		l.wake(time.Time{})
		select {
		case <-l.asked:
			l.answer()
		default: // answered while all places were taken
		}
	}
}

// wake makes Accept of the listener return at the time at; zero: not any more. False when it has no deadlines.
func (l *limitedListener) wake(at time.Time) bool {
	d, ok := l.Listener.(interface{ SetDeadline(time.Time) error })
	return ok && d.SetDeadline(at) == nil
}

func (l *limitedListener) answer() {
	select {
	case l.answered <- struct{}{}:
	default:
	}
}

// alive returns nil when Accept has answered, else the error of ctx at its end. A listener that is closed, or
// has no deadlines, cannot be asked and counts as alive. One call at a time.
func (l *limitedListener) alive(ctx context.Context) error {
	select {
	case <-l.answered: // too late for who asked before
	default:
	}
	select {
	case l.asked <- struct{}{}:
	default: // the question of who gave up is still there
	}
	if !l.wake(time.Unix(1, 0)) {
		return nil
	}
	select {
	case <-l.answered:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements net.Listener.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// awaitFirstRequests waits until a request has begun on each connection or it is closed, at most d. The listener
// must be closed and Accept must not be called any more.
func (l *limitedListener) awaitFirstRequests(d time.Duration) {
	all := make(chan struct{})
	go func() { l.silent.Wait(); close(all) }() // ends with the connections
	select {
	case <-all:
	case <-time.After(d):
	}
}

type limitedConn struct {
	net.Conn
	once  sync.Once
	free  func()
	begun func() // by the first request; again does nothing
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.free)
	c.begun()
	return err
}
