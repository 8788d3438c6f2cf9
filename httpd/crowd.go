package httpd

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// stalled is how long a client may leave a piece of an answer unread before its connection can be given up for
// another client's.
const stalled = time.Second

// crowd keeps clients that only hold connections from shutting out the others. When more than max are open, the
// one that has waited longest for its client is closed: it was opened and nothing came, a head or a body is half
// sent, it is kept for a next request, or its answer is not read. One whose request is being answered is kept.
// So it is when the heads that have not come to their end are more than maxHeads together: what net/http makes of
// a head takes up to ten times its size.
type crowd struct {
	max int

	mu      sync.Mutex
	open    int         // guarded by mu
	heads   int         // guarded by mu; bytes of heads that came so far
	waiting *list.List  // guarded by mu; of *crowdConn, the one that waits longest first
	again   *time.Timer // guarded by mu; looks again when nobody could be closed; nil: not needed so far
}

// maxHeads bounds the heads of requests that are being read at one time, in bytes.
const maxHeads = 1 << 20

func newCrowd(max int) *crowd { return &crowd{max: max, waiting: list.New()} }

// listener takes the connections of ln into the crowd.
func (o *crowd) listener(ln net.Listener) net.Listener { return crowdListener{ln, o} }

type crowdListener struct {
	net.Listener
	crowd *crowd
}

// Accept implements net.Listener.
func (l crowdListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	n := &crowdConn{Conn: c, crowd: l.crowd}
	l.crowd.join(n)
	return n, nil
}

// crowdConn is a connection in a crowd.
type crowdConn struct {
	net.Conn
	crowd *crowd

	place   *list.Element // guarded by crowd.mu; nil: it waits for nothing
	since   time.Time     // guarded by crowd.mu; when it began to wait
	sending bool          // guarded by crowd.mu; what it waits for is that an answer is read
	reading bool          // guarded by crowd.mu; what it waits for is a head
	head    int           // guarded by crowd.mu; bytes of it that came
	gone    bool          // guarded by crowd.mu; closed, or given up
}

// Read counts what comes of a head.
func (n *crowdConn) Read(b []byte) (int, error) {
	k, err := n.Conn.Read(b)
	n.crowd.came(n, k)
	return k, err
}

// Write sends a piece of an answer; meanwhile the connection waits for its client.
func (n *crowdConn) Write(b []byte) (int, error) {
	began := n.crowd.send(n)
	k, err := n.Conn.Write(b)
	if began {
		n.crowd.sent(n)
	}
	return k, err
}

// Close implements net.Conn.
func (n *crowdConn) Close() error {
	n.crowd.leave(n)
	return n.Conn.Close()
}

func (o *crowd) join(n *crowdConn) {
	o.mu.Lock()
	o.open++
	o.wait(n, false)
	n.reading = true
	victim := o.victim(n)
	o.mu.Unlock()
	giveUp(victim)
}

func (o *crowd) leave(n *crowdConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !n.gone {
		o.remove(n)
	}
}

// remove forgets n. o.mu is held.
func (o *crowd) remove(n *crowdConn) {
	n.gone = true
	o.open--
	o.forgetHead(n)
	o.proceed(n)
}

// forgetHead ends the reading of a head. o.mu is held.
func (o *crowd) forgetHead(n *crowdConn) {
	o.heads -= n.head
	n.head, n.reading = 0, false
}

// came notes k more bytes of what n waits for.
func (o *crowd) came(n *crowdConn, k int) {
	o.mu.Lock()
	var victim *crowdConn
	if n.reading && !n.gone {
		n.head += k
		if o.heads += k; o.heads > maxHeads {
			victim = o.longHead()
		}
	}
	o.mu.Unlock()
	giveUp(victim)
}

// longHead forgets and returns the connection that has waited longest of those with more than their part of
// maxHeads; there is one when all have more together. o.mu is held.
func (o *crowd) longHead() *crowdConn {
	for e := o.waiting.Front(); e != nil; e = e.Next() {
		if n := e.Value.(*crowdConn); n.head > maxHeads/(o.max+1) {
			o.remove(n)
			return n
		}
	}
	return nil
}

// headCame notes that the head of a request of n is whole.
func (o *crowd) headCame(n *crowdConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgetHead(n)
}

// wait puts n at the end of those that wait. o.mu is held.
func (o *crowd) wait(n *crowdConn, sending bool) {
	o.proceed(n)
	n.place, n.since, n.sending = o.waiting.PushBack(n), time.Now(), sending
}

// proceed takes n from those that wait. o.mu is held.
func (o *crowd) proceed(n *crowdConn) {
	if n.place != nil {
		o.waiting.Remove(n.place)
		n.place, n.sending = nil, false
	}
}

// send notes that a piece is being sent on n, unless n waits for something already.
func (o *crowd) send(n *crowdConn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n.gone || n.place != nil {
		return false
	}
	o.wait(n, true)
	return true
}

func (o *crowd) sent(n *crowdConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n.sending {
		o.proceed(n)
	}
}

// idle notes that n waits for its client to begin a request.
func (o *crowd) idle(n *crowdConn) {
	o.mu.Lock()
	if !n.gone {
		o.wait(n, false)
		n.reading = true
	}
	victim := o.victim(nil)
	o.mu.Unlock()
	giveUp(victim)
}

// busy notes that a request of n came whole and is being answered. False: n was given up.
func (o *crowd) busy(n *crowdConn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.proceed(n)
	return !n.gone
}

// victim forgets and returns the connection that must be closed; nil: none. It is not spared. o.mu is held.
func (o *crowd) victim(spared *crowdConn) *crowdConn {
	if o.open <= o.max {
		return nil
	}
	for e := o.waiting.Front(); e != nil; e = e.Next() {
		n := e.Value.(*crowdConn)
		if n == spared || n.sending && time.Since(n.since) < stalled {
			continue
		}
		o.remove(n)
		return n
	}
	o.later()
	return nil
}

// later looks again after a while: a client may have stopped to read by then. o.mu is held.
func (o *crowd) later() {
	if o.again == nil {
		o.again = time.AfterFunc(stalled, func() {
			o.mu.Lock()
			o.again = nil
			victim := o.victim(nil)
			o.mu.Unlock()
			giveUp(victim)
		})
	}
}

func giveUp(n *crowdConn) {
	if n != nil {
		_ = n.Conn.Close()
	}
}

// crowdKey is the key of a request's crowdConn in its context.
type crowdKey struct{}

// connContext lets a request find its connection.
func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, crowdKey{}, crowdConnOf(c))
}

// connState follows what http.Server does with a connection. It has sent all of an answer when it calls it idle.
func connState(c net.Conn, state http.ConnState) {
	if n := crowdConnOf(c); n != nil && state == http.StateIdle {
		n.crowd.idle(n)
	}
}

// crowdConnOf returns the connection below c; nil: it is in no crowd.
func crowdConnOf(c net.Conn) *crowdConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	n, _ := c.(*crowdConn)
	return n
}

// beginning notes that the request with this context has begun: its head is whole.
func beginning(ctx context.Context) {
	if n, _ := ctx.Value(crowdKey{}).(*crowdConn); n != nil {
		n.crowd.headCame(n)
	}
}

// answering notes that the request with this context came whole. False: nobody is there to answer any more.
func answering(ctx context.Context) bool {
	n, _ := ctx.Value(crowdKey{}).(*crowdConn)
	return n == nil || n.crowd.busy(n)
}
