package httpd

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// streamsPerConnection bounds the requests that one HTTP/2 connection may have in flight. A browser uses a few; a
// client that waits for many containers at one time opens further connections.
const streamsPerConnection = 32

// serveOn serves hs on ln: over TLS when there is a certificate. The handshake has the time of a request's head,
// and who speaks plain http there is told so in a 400.
func (s *Server) serveOn(hs *http.Server, ln net.Listener) error {
	if s.opts.Certificate == nil {
		return hs.Serve(ln)
	}
	hs.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.opts.Certificate}
	// What a connection of HTTP/1 may hold is what one of HTTP/2 may: a body on its way fills at most these windows,
	// and who does not read for the time of a piece is closed.
	hs.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams:          streamsPerConnection,
		MaxReceiveBufferPerConnection: 128 << 10,
		MaxReceiveBufferPerStream:     64 << 10,
		WriteByteTimeout:              s.limits.write,
	}
	return hs.ServeTLS(ln, "", "")
}

// enter gives a request of HTTP/2 a place. With HTTP/1 the connections bound how many requests are in flight;
// the streams of HTTP/2 are held to the same number, together. leave must be called when it was answered.
func (s *Server) enter(r *http.Request) (leave func(), err error) {
	if r.ProtoMajor < 2 {
		return func() {}, nil
	}
	select {
	case s.streams <- struct{}{}:
		return func() { <-s.streams }, nil
	default:
		return nil, failf(http.StatusServiceUnavailable, "Too many requests at the moment").retryAfter(time.Second)
	}
}
