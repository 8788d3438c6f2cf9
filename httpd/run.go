package httpd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Run serves on ln until ctx ends: then it takes no more connections, ends waits, lets other requests finish
// for a few seconds and returns nil. It closes ln. Exports are worked on meanwhile.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	s.exports.start(s.closing)
	defer s.exports.stop()
	defer s.hub.stop()
	defer s.close()
	return s.listen(ctx, ln, s.Handler(), s.close)
}

// RunJournal serves the journal API alone, and /healthz, on a listener of its own, with the limits and the end
// of Run. Either may run without the other.
func (s *Server) RunJournal(ctx context.Context, ln net.Listener) error {
	journal := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, s.journal) })
	return s.listen(ctx, ln, journal, func() {})
}

// firstRequest is how long, at the end, a connection that was taken may take to send its request. Those who connect
// ahead of need, as browsers do, send none.
const firstRequest = time.Second

// listen serves handler on ln until ctx ends; it calls closing before it waits for the requests in flight.
//
// Shutdown of http.Server hangs up on connections whose first request it has not read. Who connects to a socket
// that a service manager keeps open must not notice a restart, so they are waited for before.
func (s *Server) listen(ctx context.Context, ln net.Listener, handler http.Handler, closing func()) error {
	hs := &http.Server{
		Handler:           begins(handler),
		ReadHeaderTimeout: s.limits.readHeader,
		ReadTimeout:       s.limits.read,
		IdleTimeout:       s.limits.idle,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		ConnContext:       connContext,
		ConnState:         connState,
		// OPTIONS * is answered like all else: by the one way out, and not before the host is looked at.
		DisableGeneralOptionsHandler: true,
	}
	served := make(chan error, 1)
	all := newCrowd(s.limits.connections)
	// One more than the crowd holds can be accepted: the newest, before another is given up for it.
	limited := limitConnections(ln, s.limits.connections+1)
	s.serving.add(limited)
	go func() { served <- s.serveOn(hs, all.listener(limited)) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	closing()
	_ = limited.Close()
	<-served
	limited.awaitFirstRequests(firstRequest)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.shutdown)
	defer cancel()
	if err := hs.Shutdown(patience); err != nil {
		s.opts.Logger.Warn("requests cut off by shutdown", "err", err)
		_ = hs.Close()
	}
	return nil
}

// begins tells the connection of each request that one has begun.
func begins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, _ := r.Context().Value(crowdKey{}).(*crowdConn); n != nil {
			if c, ok := n.Conn.(*limitedConn); ok {
				c.begun()
			}
		}
		next.ServeHTTP(w, r)
	})
}
