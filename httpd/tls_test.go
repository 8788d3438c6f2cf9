package httpd

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// newSecureBox is newBox with a certificate; its client trusts that and speaks HTTP of a version.
func newSecureBox(t *testing.T, version int, tweak func(*Options)) *box {
	t.Helper()
	other := httptest.NewTLSServer(nil)
	cert, roots := other.TLS.Certificates[0], x509.NewCertPool()
	roots.AddCert(other.Certificate())
	other.Close()
	b := newBox(t, "fixture-qnap.jsonl", func(o *Options) {
		o.Certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }
		if tweak != nil {
			tweak(o)
		}
	})
	b.url = strings.Replace(b.url, "http://", "https://", 1)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(version == 1)
	transport.Protocols.SetHTTP2(version == 2)
	b.client = &http.Client{Transport: transport, Timeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	return b
}

func TestOverTLS(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", version), func(t *testing.T) {
			b := newSecureBox(t, version, nil)
			login := b.do("POST", "/api/v1/login", "username=admin&password=admin-pw")
			if got := login.header.Get("Set-Cookie"); login.status != 200 || !strings.Contains(got, "; Secure") {
				t.Errorf("login = %d, Set-Cookie %q; want 200 and a cookie for https alone", login.status, got)
			}
			cookie := b.cookie("admin")
			if got := b.do("GET", "/api/v1/log?limit=1", "", "Cookie", cookie); got.status != 200 || !strings.Contains(got.body, `"id": 59`) {
				t.Errorf("GET log = %d %s, want the newest record", got.status, got.body)
			}
			origin := b.do("DELETE", "/api/v1/log", "", "Cookie", cookie, "Origin", b.url)
			if origin.status != 200 {
				t.Errorf("DELETE from a page of this server = %d %s, want 200", origin.status, origin.body)
			}
			wantError(t, "DELETE from another page", b.do("DELETE", "/api/v1/log", "", "Cookie", cookie, "Origin", "https://evil.example"), 403)
			wantError(t, "a body that is too large", b.do("POST", "/api/v1/login", strings.Repeat("x", 2<<20)), 413)
			res, err := b.client.Get(b.url + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.ProtoMajor != version {
				t.Errorf("GET /healthz is spoken in %s, want HTTP/%d", res.Proto, version)
			}
		})
	}
}

func TestHeadsAreBoundedInHTTP2(t *testing.T) {
	b := newSecureBox(t, 2, nil)
	for size, want := range map[int]int{32 << 10: 200, 96 << 10: 431} {
		req, err := http.NewRequest("GET", b.url+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Long", strings.Repeat("x", size))
		res, err := b.client.Do(req)
		if err != nil {
			if want == 200 {
				t.Errorf("a header of %d bytes: %v, want 200", size, err)
			}
			continue // hung up on, which bounds it as well
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("a header of %d bytes = %d, want %d", size, res.StatusCode, want)
		}
	}
}

func TestPlainHTTPOnATLSPort(t *testing.T) {
	b := newSecureBox(t, 1, nil)
	res, err := http.Get(strings.Replace(b.url, "https://", "http://", 1) + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != 400 || !strings.Contains(string(body), "HTTPS") {
		t.Errorf("plain http on a TLS port = %d %q, want 400 and a word of HTTPS", res.StatusCode, body)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	b := newSecureBox(t, 1, nil)
	addr := strings.TrimPrefix(b.url, "https://")
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if err == nil {
			c.Close()
		}
		if (err == nil) != want {
			t.Errorf("a handshake in %s: %v, want success %t", tls.VersionName(version), err, want)
		}
	}
}

// TestHandshakesEnd opens a connection that never shakes hands: it must not keep its place.
func TestHandshakesEnd(t *testing.T) {
	b := newSecureBox(t, 1, func(o *Options) { o.limits = limits{connections: 1, readHeader: 200 * time.Millisecond} })
	idle, err := net.Dial("tcp", strings.TrimPrefix(b.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if got := b.do("GET", "/healthz", ""); got.status != 200 {
		t.Errorf("GET /healthz behind a connection that does not shake hands = %d, want 200", got.status)
	}
}

// TestStreamsAreCountedTogether takes all places, as requests of many connections do.
func TestStreamsAreCountedTogether(t *testing.T) {
	const places = 4
	b := newSecureBox(t, 2, func(o *Options) { o.limits = limits{connections: places} })
	cookie := b.cookie("admin")
	for range places {
		b.server.streams <- struct{}{}
	}
	got := b.do("GET", "/api/v1/log", "", "Cookie", cookie)
	wantError(t, "a request when all places are taken", got, 503)
	if got.header.Get("Retry-After") == "" {
		t.Error("a 503 without Retry-After")
	}
	for range places {
		<-b.server.streams
	}
	if got := b.do("GET", "/api/v1/log?limit=1", "", "Cookie", cookie); got.status != 200 {
		t.Errorf("a request when a place is free = %d %s, want 200", got.status, got.body)
	}
	if n := len(b.server.streams); n != 0 {
		t.Errorf("%d places are still taken, want none", n)
	}
}
