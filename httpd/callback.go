package httpd

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// callbackPatience bounds one call, from the DNS to the head of the answer.
const callbackPatience = 10 * time.Second

// caller of callbacks: it follows nothing, keeps nothing open, believes no proxy and reads no answer.
type callbackClient struct {
	guard    *callbackGuard
	http     *http.Client
	agent    string
	patience time.Duration
}

func newCallbackClient(g *callbackGuard, agent string, patience time.Duration) *callbackClient {
	c := &callbackClient{guard: g, agent: agent, patience: orDefault(patience, callbackPatience)}
	c.http = &http.Client{
		Transport:     &http.Transport{DialContext: c.dial, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// dial looks at the address that is really dialled: what the DNS said before, it need not say again.
func (c *callbackClient) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	name, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	host := canonicalHost(name)
	d := net.Dialer{Resolver: c.guard.resolver, Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil || !c.guard.mayDial(host, a.Addr()) {
			return fmt.Errorf("address %s of %s is not allowed; add it to the allowed export hosts if it is meant", address, host)
		}
		return nil
	}}
	return d.DialContext(ctx, network, hostport)
}

// post sends body to url. Only the answer 200 is a success.
func (c *callbackClient) post(ctx context.Context, url string, body []byte) error {
	if _, err := parseCallback(url); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.agent)
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close() // closes the connection: nothing of the body is of interest
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %d, want 200", res.StatusCode)
	}
	return nil
}
