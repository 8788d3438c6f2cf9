package httpd

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxCallbackURL = 2048 // bytes
	lookupPatience = 5 * time.Second
)

// callbackGuard decides which hosts the server may call because a client said so. Without it a client could
// make this machine knock at what only it can reach: its own services, a router's page, a cloud's metadata.
type callbackGuard struct {
	names    map[string]bool // host names that may be anywhere
	nets     []netip.Prefix  // addresses that are allowed whatever they are
	resolver *net.Resolver
}

// newCallbackGuard takes the allowed host names, addresses and CIDRs.
func newCallbackGuard(allowed []string, resolver *net.Resolver) (*callbackGuard, error) {
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	g := &callbackGuard{names: map[string]bool{}, resolver: resolver}
	for _, entry := range allowed {
		entry = canonicalHost(strings.TrimSpace(entry))
		if p, err := netip.ParsePrefix(entry); err == nil {
			g.nets = append(g.nets, unmapPrefix(p).Masked())
		} else if a, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil && a.Zone() == "" {
			a = a.Unmap()
			g.nets = append(g.nets, netip.PrefixFrom(a, a.BitLen()))
		} else if isHostName(entry) {
			g.names[entry] = true
		} else {
			return nil, fmt.Errorf("allowed export host %q is no host name, address or CIDR", entry)
		}
	}
	return g, nil
}

// unmapPrefix is an IPv4 network for one that was written as mapped into IPv6.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// errCallbackURL says no more than that, whatever is wrong: the answer must not tell a client what is where.
var errCallbackURL = failf(http.StatusBadRequest, "Invalid callback URL")

// check returns the refusal of a callback URL, or nil. It asks the DNS, but not the host.
func (g *callbackGuard) check(ctx context.Context, text string) error {
	host, err := parseCallback(text)
	if err != nil {
		return err
	}
	if g.names[host] {
		return nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if !g.mayDial(host, a) {
			return errCallbackURL
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	addrs, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return errCallbackURL
	}
	for _, a := range addrs {
		if !g.mayDial(host, a) {
			return errCallbackURL
		}
	}
	return nil
}

// mayDial tells whether a connection to a may be made for a URL with this host.
func (g *callbackGuard) mayDial(host string, a netip.Addr) bool {
	if g.names[host] {
		return true
	}
	a = a.Unmap()
	for _, p := range g.nets {
		if p.Contains(a) {
			return true
		}
	}
	return !isLocalName(host) && isGlobal(a)
}

// parseCallback returns the canonical host of a callback URL whose form is right.
func parseCallback(text string) (host string, err error) {
	if len(text) > maxCallbackURL || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return "", errCallbackURL
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errCallbackURL
	}
	if s := strings.ToLower(u.Scheme); s != "http" && s != "https" {
		return "", failf(http.StatusBadRequest, "Invalid URL scheme: only http and https are allowed")
	}
	if u.User != nil {
		return "", failf(http.StatusBadRequest, "URLs with embedded credentials are not allowed")
	}
	host = canonicalHost(u.Hostname())
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" || a.Is6() != strings.HasPrefix(u.Host, "[") {
			return "", errCallbackURL
		}
	} else if !isHostName(host) || strings.HasPrefix(u.Host, "[") {
		return "", errCallbackURL
	}
	if !callbackPort(u.Port(), strings.HasSuffix(u.Host, ":")) {
		return "", errCallbackURL
	}
	return host, nil
}

// callbackPort refuses what is no port, and those of services that may take an HTTP request for their own
// language.
func callbackPort(port string, colon bool) bool {
	if port == "" {
		return !colon
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n != 0 && !otherPorts[uint16(n)]
}

var otherPorts = func() map[uint16]bool {
	ports := map[uint16]bool{}
	for _, p := range []uint16{1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111,
		113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 445, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556,
		563, 587, 601, 636, 873, 989, 990, 993, 995, 1433, 1719, 1720, 1723, 2049, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5900, 6000,
		6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9100, 10080, 11211, 27017} {
		ports[p] = true
	}
	return ports
}()

// isHostName accepts names of the DNS in ASCII, canonical. A name whose last part is a number is refused: some
// resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses.
func isHostName(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
		last = label
	}
	return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

// isLocalName tells names that by convention lead no further than this machine or network.
func isLocalName(host string) bool {
	for _, domain := range []string{"localhost", "localdomain", "local", "internal"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

// notGlobal4 are the IPv4 networks that are not part of the public Internet (RFC 6890 and its registry).
var notGlobal4 = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")

// notGlobal6 are those within global6: protocol assignments with Teredo and benchmarking, documentation, 6to4.
var (
	global6    = netip.MustParsePrefix("2000::/3")
	notGlobal6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)

func prefixes(all ...string) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// isGlobal tells whether a is an address of one host in the public Internet. Addresses that carry an IPv4 one
// (mapped, NAT64, 6to4, Teredo) are not: whatever they lead to is decided elsewhere.
func isGlobal(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	not := notGlobal4
	if a.Is6() {
		if not = notGlobal6; !global6.Contains(a) {
			return false
		}
	}
	for _, p := range not {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
