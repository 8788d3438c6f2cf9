package httpd

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// dnsServer answers every question for an address with the next of its answers, the last one for ever.
type dnsServer struct {
	mu      sync.Mutex
	answers []netip.Addr
	asked   int
}

// newDNS starts a DNS server and returns a resolver that asks it.
func newDNS(t *testing.T, answers ...string) (*dnsServer, *net.Resolver) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	d := &dnsServer{}
	for _, a := range answers {
		d.answers = append(d.answers, netip.MustParseAddr(a))
	}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(d.answer(buf[:n]), from)
		}
	}()
	return d, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// answer makes the message that answers a query of one question.
func (d *dnsServer) answer(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	typ := binary.BigEndian.Uint16(query[end+1:])
	question := query[12 : end+5]
	msg := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.answers[0]
	if (typ == 1) != a.Is4() { // no address of that kind
		return msg
	}
	if d.asked++; len(d.answers) > 1 {
		d.answers = d.answers[1:]
	}
	raw := a.AsSlice()
	msg[7] = 1
	msg = append(msg, 0xc0, 12, byte(typ>>8), byte(typ), 0, 1, 0, 0, 0, 0, 0, byte(len(raw)))
	return append(msg, raw...)
}

// trap is a listener that nobody may reach.
func trap(t *testing.T) (port string, touched func() int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	n := 0
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			n++
			mu.Unlock()
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close() })
	_, port, _ = net.SplitHostPort(ln.Addr().String())
	return port, func() int {
		time.Sleep(20 * time.Millisecond) // a connection is accepted by then
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// What is wrong with a callback URL, as the answer says it.
const (
	badURL         = "Invalid callback URL"
	badScheme      = "Invalid URL scheme: only http and https are allowed"
	badCredentials = "URLs with embedded credentials are not allowed"
)

var callbackLAN = []string{"192.168.0.0/16", "NAS.local", "fd00::1", "::ffff:10.1.0.0/112"}

var callbackURLs = map[string]struct {
	url     string
	allowed []string
	want    string // "": allowed
}{
	"a public address":                      {"http://93.184.216.34/cb", nil, ""},
	"a public IPv6 address":                 {"https://[2606:2800:220:1:248:1893:25c8:1946]:8443/cb?x=y", nil, ""},
	"a name":                                {"https://hooks.example.com/cb", nil, ""},
	"a name with a dot at the end":          {"https://hooks.example.com./cb", nil, ""},
	"a scheme in capitals":                  {"HTTP://hooks.example.com", nil, ""},
	"ftp":                                   {"ftp://hooks.example.com/", nil, badScheme},
	"file":                                  {"file:///etc/passwd", nil, badScheme},
	"gopher":                                {"gopher://127.0.0.1:6379/_x", nil, badScheme},
	"no scheme":                             {"hooks.example.com/cb", nil, badScheme},
	"two slashes only":                      {"//hooks.example.com/cb", nil, badScheme},
	"an opaque URL":                         {"http:hooks.example.com", nil, badURL},
	"no host":                               {"http:///cb", nil, badURL},
	"a port without a host":                 {"http://:80/cb", nil, badURL},
	"a user":                                {"http://user@hooks.example.com/", nil, badCredentials},
	"a user and a password":                 {"http://u:p@hooks.example.com/", nil, badCredentials},
	"an empty user":                         {"http://@127.0.0.1/", nil, badCredentials},
	"credentials for an allowed host":       {"http://u:p@192.168.1.1/", callbackLAN, badCredentials},
	"a scheme that an allowed host has not": {"ftp://192.168.1.1/", callbackLAN, badScheme},
	"loopback":                              {"http://127.0.0.1/cb", nil, badURL},
	"loopback, another":                     {"http://127.255.1.2:8080/cb", nil, badURL},
	"IPv6 loopback":                         {"http://[::1]/cb", nil, badURL},
	"mapped loopback":                       {"http://[::ffff:127.0.0.1]/cb", nil, badURL},
	"mapped loopback in hex":                {"http://[::ffff:7f00:1]/cb", nil, badURL},
	"compatible loopback":                   {"http://[::127.0.0.1]/cb", nil, badURL},
	"NAT64 loopback":                        {"http://[64:ff9b::7f00:1]/cb", nil, badURL},
	"6to4 loopback":                         {"http://[2002:7f00:1::]/cb", nil, badURL},
	"Teredo":                                {"http://[2001:0:7f00:1::]/cb", nil, badURL},
	"decimal":                               {"http://2130706433/cb", nil, badURL},
	"hex":                                   {"http://0x7f000001/cb", nil, badURL},
	"hex in parts":                          {"http://0x7f.0.0.0x1/cb", nil, badURL},
	"octal":                                 {"http://0177.0.0.1/cb", nil, badURL},
	"octal in one":                          {"http://017700000001/cb", nil, badURL},
	"short":                                 {"http://127.1/cb", nil, badURL},
	"full width digits":                     {"http://１２７.０.０.１/cb", nil, badURL},
	"escaped digits":                        {"http://%31%32%37.0.0.1/cb", nil, badURL},
	"a dot at the end of an address":        {"http://127.0.0.1./cb", nil, badURL},
	"unspecified":                           {"http://0.0.0.0/cb", nil, badURL},
	"unspecified IPv6":                      {"http://[::]/cb", nil, badURL},
	"private 10":                            {"http://10.1.2.3/cb", nil, badURL},
	"private 172":                           {"http://172.31.255.255/cb", nil, badURL},
	"beside private 172":                    {"http://172.32.0.1/cb", nil, ""},
	"private 192":                           {"http://192.168.1.1/cb", nil, badURL},
	"carrier NAT":                           {"http://100.64.0.1/cb", nil, badURL},
	"metadata of a cloud":                   {"http://169.254.169.254/latest/meta-data", nil, badURL},
	"benchmarks":                            {"http://198.19.0.1/", nil, badURL},
	"documentation":                         {"http://203.0.113.1/", nil, badURL},
	"documentation IPv6":                    {"http://[2001:db8::1]/", nil, badURL},
	"multicast":                             {"http://224.0.0.1/", nil, badURL},
	"broadcast":                             {"http://255.255.255.255/", nil, badURL},
	"reserved":                              {"http://240.0.0.1/", nil, badURL},
	"link-local IPv6":                       {"http://[fe80::1]/", nil, badURL},
	"link-local with a zone":                {"http://[fe80::1%25eth0]/", nil, badURL},
	"unique local":                          {"http://[fd00::2]/", nil, badURL},
	"multicast IPv6":                        {"http://[ff02::1]/", nil, badURL},
	"localhost":                             {"http://localhost/", nil, badURL},
	"localhost in capitals":                 {"http://LOCALHOST:80/", nil, badURL},
	"localhost with a dot":                  {"http://localhost./", nil, badURL},
	"below localhost":                       {"http://x.localhost/", nil, badURL},
	"mDNS":                                  {"http://nas2.local/", nil, badURL},
	"internal":                              {"http://metadata.google.internal/", nil, badURL},
	"a backslash":                           {`http://hooks.example.com\@127.0.0.1/`, nil, badURL},
	"a line break":                          {"http://hooks.example.com/\r\nX: y", nil, badURL},
	"a space":                               {"http://hooks.example.com/ HTTP/1.1", nil, badURL},
	"a NUL":                                 {"http://hooks.example.com\x00.local/", nil, badURL},
	"port 0":                                {"http://hooks.example.com:0/", nil, badURL},
	"a port too large":                      {"http://hooks.example.com:65536/", nil, badURL},
	"the port of a mail server":             {"http://hooks.example.com:25/", nil, badURL},
	"no port after the colon":               {"http://hooks.example.com:/", nil, badURL},
	"too long":                              {"http://hooks.example.com/" + strings.Repeat("x", maxCallbackURL), nil, badURL},
	"an allowed network":                    {"http://192.168.1.1:9000/cb", callbackLAN, ""},
	"an allowed network, mapped":            {"http://[::ffff:192.168.1.1]/cb", callbackLAN, ""},
	"a network allowed as mapped":           {"http://10.1.2.3/cb", callbackLAN, ""},
	"beside an allowed network":             {"http://10.2.0.1/cb", callbackLAN, badURL},
	"an allowed name":                       {"http://nas.local:5000/cb", callbackLAN, ""},
	"a name below an allowed one":           {"http://x.nas.local/cb", callbackLAN, badURL},
	"an allowed address":                    {"http://[fd00::1]/cb", callbackLAN, ""},
	"beside an allowed address":             {"http://[fd00::2]/cb", callbackLAN, badURL},
}

func TestCallbackURL(t *testing.T) {
	_, dns := newDNS(t, "93.184.216.34")
	for name, row := range callbackURLs {
		t.Run(name, func(t *testing.T) {
			g, err := newCallbackGuard(row.allowed, dns)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := g.check(t.Context(), row.url); err != nil {
				got = err.Error()
				if asStatus(err).status != 400 {
					t.Errorf("check(%q): status %d, want 400", row.url, asStatus(err).status)
				}
			}
			if got != row.want {
				t.Errorf("check(%q) = %q, want %q", row.url, got, row.want)
			}
		})
	}
	for _, entry := range []string{"", "a b", "http://x", "10.0.0.0/33", "2130706433", "x/24", "fe80::1%eth0"} {
		if _, err := newCallbackGuard([]string{entry}, nil); err == nil {
			t.Errorf("allowed host %q is taken, want an error", entry)
		}
	}
}

func TestCallbackNamesLeadNowhereElse(t *testing.T) {
	port, touched := trap(t)
	_, loopback := newDNS(t, "127.0.0.1")
	g, err := newCallbackGuard(nil, loopback)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.check(t.Context(), "http://hooks.example.com:"+port+"/"); err == nil {
		t.Error("a name of a loopback address is allowed")
	}
	rebinding, resolver := newDNS(t, "93.184.216.34", "127.0.0.1")
	if g, err = newCallbackGuard(nil, resolver); err != nil {
		t.Fatal(err)
	}
	if err := g.check(t.Context(), "http://hooks.example.com:"+port+"/"); err != nil {
		t.Errorf("a name of a public address: %v", err)
	}
	c := newCallbackClient(g, "test", time.Second)
	if err := c.post(t.Context(), "http://hooks.example.com:"+port+"/", nil); err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("post to a name that has moved = %v, want a refusal", err)
	}
	if rebinding.mu.Lock(); rebinding.asked < 2 {
		t.Errorf("the DNS was asked %d times, want 2: the test shows nothing", rebinding.asked)
	}
	rebinding.mu.Unlock()
	if n := touched(); n != 0 {
		t.Errorf("%d connections to the loopback, want none", n)
	}
	if g, err = newCallbackGuard([]string{"hooks.example.com"}, loopback); err != nil {
		t.Fatal(err)
	}
	_ = newCallbackClient(g, "test", time.Second).post(t.Context(), "http://hooks.example.com:"+port+"/", nil)
	if n := touched(); n != 1 {
		t.Errorf("%d connections to an allowed name, want 1", n)
	}
}

func TestCallbackAnswers(t *testing.T) {
	port, touched := trap(t)
	g, err := newCallbackGuard([]string{"127.0.0.1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	hang := make(chan struct{})
	handlers := map[string]http.HandlerFunc{
		"/200": func(http.ResponseWriter, *http.Request) {},
		"/201": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) },
		"/500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"/302": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:"+port+"/", http.StatusFound)
		},
		"/307": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:"+port+"/", http.StatusTemporaryRedirect)
		},
		"/endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"/head": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) },
		"/hang": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-hang:
			}
		},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handlers[r.URL.Path](w, r) }))
	defer s.Close()
	defer close(hang)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:"+port)
	c := newCallbackClient(g, "test", 300*time.Millisecond)
	for path, want := range map[string]bool{"/200": true, "/201": false, "/500": false, "/302": false, "/307": false, "/endless": true, "/head": false, "/hang": false} {
		began := time.Now()
		if err := c.post(t.Context(), s.URL+path, []byte("{}")); (err == nil) != want {
			t.Errorf("post to %s = %v, want success: %t", path, err, want)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("post to %s took %s, want it to end soon", path, took)
		}
	}
	if n := touched(); n != 0 {
		t.Errorf("%d connections where a redirect led, want none", n)
	}
}

func FuzzCallbackURL(f *testing.F) {
	for _, text := range []string{"http://93.184.216.34/", "http://127.0.0.1", "https://[::ffff:7f00:1]:443/x?y#z", "http://a@b", "http://0x7f.1", "http://localhost.", "http:///"} {
		f.Add(text)
	}
	g, err := newCallbackGuard(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		host, err := parseCallback(text)
		if err != nil {
			if asStatus(err).status != 400 {
				t.Errorf("parseCallback(%q) = %v, want a 400", text, err)
			}
			return
		}
		req, err := http.NewRequest("POST", text, nil)
		if err != nil {
			t.Fatalf("parseCallback(%q) = %q, but a client says %v", text, host, err)
		}
		if dialled := canonicalHost(req.URL.Hostname()); dialled != host {
			t.Errorf("parseCallback(%q) = %q, a client would dial %q", text, host, dialled)
		}
		if a, err := netip.ParseAddr(host); err == nil && g.mayDial(host, a) && (a.IsPrivate() || a.IsLoopback() || !a.IsGlobalUnicast() || a.Is4In6() && !isGlobal(a)) {
			t.Errorf("%q may be dialled", text)
		}
	})
}

func FuzzExportBody(f *testing.F) {
	for _, text := range []string{`{}`, `{"callback_url":"http://x","callback_email":"a@b"}`, `{"starttime":"01/01/2024","endtime":null}`, `[]`, `null`, `{"callback_url":1}`, `{`, ``} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := parseExportBody(body)
		if err == nil {
			_, err = parseSpan("", b.day, time.Now())
		}
		if err == nil && b.callbackEmail != "" {
			var a string
			if a, err = checkAddress(b.callbackEmail); err == nil && (strings.ContainsAny(a, "\r\n <>,") || strings.HasPrefix(a, "-") || strings.Count(a, "@") != 1) {
				t.Errorf("checkAddress(%q) = %q", b.callbackEmail, a)
			}
		}
		if err != nil && asStatus(err).status != 400 && asStatus(err).status != 413 {
			t.Errorf("body %q: %v, want a 400", body, err)
		}
	})
}
