package httpd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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

// listen serves handler on ln until ctx ends; it calls closing before it waits for the requests in flight.
func (s *Server) listen(ctx context.Context, ln net.Listener, handler http.Handler, closing func()) error {
	hs := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: s.limits.readHeader,
		ReadTimeout:       s.limits.read,
		IdleTimeout:       s.limits.idle,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	served := make(chan error, 1)
	limited := limitConnections(ln, s.limits.connections)
	s.serving.add(limited)
	go func() { served <- s.serveOn(hs, limited) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	closing()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.shutdown)
	defer cancel()
	if err := hs.Shutdown(patience); err != nil {
		s.opts.Logger.Warn("requests cut off by shutdown", "err", err)
		_ = hs.Close()
	}
	<-served
	return nil
}
