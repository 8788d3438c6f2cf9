package httpd

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard refuses requests that a browser was tricked into: by a name that was made to point here (DNS
// rebinding), or by another site's page.
type guard struct {
	hosts  map[string]bool
	origin *http.CrossOriginProtection
}

func newGuard(hostname string, configured []string) guard {
	g := guard{hosts: map[string]bool{"localhost": true}, origin: http.NewCrossOriginProtection()}
	if hostname != "" {
		short, _, _ := strings.Cut(hostname, ".")
		for _, name := range []string{hostname, short, short + ".local"} { // .local: what mDNS makes of it
			g.hosts[canonicalHost(name)] = true
		}
	}
	for _, name := range configured {
		g.hosts[canonicalHost(name)] = true
	}
	return g
}

func canonicalHost(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// check returns the refusal of r, or nil.
func (g guard) check(r *http.Request) error {
	if !g.knows(r.Host) {
		return failf(http.StatusMisdirectedRequest, "This server does not answer to that host name; use its address or add the name to its hosts")
	}
	if err := g.origin.Check(r); err != nil {
		return failf(http.StatusForbidden, "Cross-origin request refused")
	}
	return nil
}

// knows tells whether a Host header names this server.
func (g guard) knows(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = canonicalHost(host)
	if g.hosts[host] {
		return true
	}
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil
}
