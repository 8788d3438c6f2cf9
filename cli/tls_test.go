package cli

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// tlsInit makes a pair in dir and returns its files and its certificate.
func tlsInit(t *testing.T, dir string, args ...string) (cert, key string, leaf *x509.Certificate) {
	t.Helper()
	must(t, "", append([]string{"tls", "init", "--out", dir}, args...)...)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	b, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	if leaf, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return cert, key, leaf
}

func TestTLSInit(t *testing.T) {
	data := t.TempDir()
	out := must(t, "", "tls", "init", "--data", data, "--name", "NAS.lan,10.1.2.3,[2001:db8::7]")
	dir := filepath.Join(data, "tls")
	for name, want := range map[string]os.FileMode{"": 0o700 | os.ModeDir, "cert.pem": 0o644, "key.pem": 0o600} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode() != want {
			t.Errorf("tls/%s has mode %v (%v), want %v", name, fi.Mode(), err, want)
		}
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "SHA-256     " + fingerprint(pair.Leaf.Raw) + "\n"; !strings.Contains(out, want) {
		t.Errorf("tls init prints %q, want it to have %q", out, want)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	for _, name := range []string{"nas.lan", "10.1.2.3", "2001:db8::7", "localhost", "127.0.0.1", "::1"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("the certificate is not for %s: %v", name, err)
		}
	}
	if days := pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore) / (24 * time.Hour); days >= maxDays || pair.Leaf.IsCA {
		t.Errorf("valid for %d days and an authority: %t; want less than %d and false", days+1, pair.Leaf.IsCA, maxDays)
	}
	before, _ := os.ReadFile(filepath.Join(dir, "key.pem"))
	if _, errs, status := shiplog(t, "", "tls", "init", "--data", data); status != exitFailed || !strings.Contains(errs, "--force") {
		t.Errorf("a second tls init = exit %d %q, want 1 and a word of --force", status, errs)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "key.pem")); !bytes.Equal(before, after) {
		t.Error("a tls init that was refused changed the key")
	}
	must(t, "", "tls", "init", "--data", data, "--force")
	if after, _ := os.ReadFile(filepath.Join(dir, "key.pem")); bytes.Equal(before, after) {
		t.Error("tls init --force left the key as it was")
	}
	before, _ = os.ReadFile(filepath.Join(dir, "key.pem"))
	if err := errors.Join(os.Remove(filepath.Join(dir, "cert.pem")), os.Mkdir(filepath.Join(dir, "cert.pem"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := shiplog(t, "", "tls", "init", "--data", data, "--force"); status != exitFailed || !strings.Contains(errs, "is a directory") {
		t.Errorf("tls init --force over a directory = exit %d %q, want 1 and a word of it", status, errs)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "key.pem")); !bytes.Equal(before, after) {
		t.Error("a tls init that failed changed the key, which the certificate in use still needs")
	}
	for _, args := range [][]string{{"--name", "a b"}, {"--name", "http://nas"}, {"--days", "0"}} {
		if _, errs, status := shiplog(t, "", append([]string{"tls", "init", "--out", t.TempDir()}, args...)...); status != exitUsage {
			t.Errorf("tls init %s = exit %d %q, want 2", args, status, errs)
		}
	}
}

// trusting makes the client of s trust one certificate.
func (s *server) trusting(leaf *x509.Certificate) {
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
}

func TestServeOverTLS(t *testing.T) {
	cert, key, leaf := tlsInit(t, t.TempDir())
	other, _, _ := tlsInit(t, t.TempDir())
	s := startServerOn(t, "0.0.0.0:0", "run", "--data", t.TempDir(), "--docker", "none", "--incus", "none",
		"--journal-listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	port := s.url[strings.LastIndex(s.url, ":"):]
	if !strings.HasPrefix(s.url, "https://") || !strings.HasPrefix(s.journal, "https://") {
		t.Fatalf("listening on %s, journal on %s; want https", s.url, s.journal)
	}
	s.url = "https://127.0.0.1" + port
	s.trusting(leaf)
	s.want(t, "POST", v2+"/login", "username=admin&password="+s.password, 200)
	s.want(t, "GET", "/metrics", "", 200, "shiplog_tls_certificate_expiry_timestamp_seconds", "shiplog_tls_certificate_last_reload_successful 1")
	resp, err := s.client.Get(s.journal)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("GET of the journal = %d, want 401", resp.StatusCode)
	}
	for name, row := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"its certificate":                      {[]string{"--listen", "0.0.0.0" + port, "--tls-cert", cert}, 0, "ready"},
		"its certificate and a URL":            {[]string{"--url", s.url, "--tls-cert", cert}, 0, "ready"},
		"another certificate":                  {[]string{"--listen", "127.0.0.1" + port, "--tls-cert", other}, 1, "another certificate"},
		"no certificate, as the system trusts": {[]string{"--url", s.url}, 1, "certificate"},
		"no word of https":                     {[]string{"--listen", "127.0.0.1" + port}, 1, "--tls-cert"},
		"a file that is no certificate":        {[]string{"--listen", "127.0.0.1" + port, "--tls-cert", key}, 1, "begin with a certificate"},
		"a file that is not there":             {[]string{"--listen", "127.0.0.1" + port, "--tls-cert", key + "x"}, 1, "no such file"},
	} {
		if out, errs, status := shiplog(t, "", append([]string{"health"}, row.args...)...); status != row.status || !strings.Contains(out+errs, row.says) {
			t.Errorf("health with %s = exit %d %q %q, want exit %d and %q", name, status, out, errs, row.status, row.says)
		}
	}
	if strings.Contains(s.stderr.String(), "unencrypted") {
		t.Errorf("over TLS it says %q, want no warning of plain http", s.stderr)
	}
}

func TestPlainHTTPForOthersIsRefused(t *testing.T) {
	for _, flag := range []string{"--listen", "--journal-listen"} {
		dir := t.TempDir()
		args := []string{"run", "--data", dir, "--docker", "none", "--incus", "none", "--listen", "127.0.0.1:0", flag, "0.0.0.0:0"}
		_, errs, status := shiplog(t, "", args...)
		for _, word := range []string{"tls init", "proxy", "--insecure-http"} {
			if status != exitFailed || !strings.Contains(errs, word) {
				t.Errorf("run %s 0.0.0.0:0 = exit %d %q, want 1 and a word of %s", flag, status, errs, word)
			}
		}
		if out := must(t, "", "user", "list", "--data", dir); strings.Contains(out, "admin") {
			t.Errorf("accounts after a start that was refused = %q; want none, nobody was told a password", out)
		}
	}
}

func TestPlainHTTPOnASocketForOthersIsRefused(t *testing.T) {
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4zero})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cmd := passed(t, "http", ln, "run", "--data", t.TempDir(), "--docker", "none", "--incus", "none")
	ended := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer ended.Stop()
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "--insecure-http") {
		t.Errorf("run on such a socket = %v, %q; want an error that names --insecure-http", err, out)
	}
	cert, key, leaf := tlsInit(t, t.TempDir())
	secure := passed(t, "http", ln, "run", "--data", t.TempDir(), "--docker", "none", "--incus", "none", "--tls-cert", cert, "--tls-key", key)
	if line := startCommand(t, secure); !strings.HasPrefix(line, "listening on https://") {
		t.Errorf("first line = %q, want listening on https://", line)
	}
	if got := shown(t, ln.Addr().String()); got != fingerprint(leaf.Raw) {
		t.Errorf("the socket shows certificate %s, want %s", got, fingerprint(leaf.Raw))
	}
}

// shown is the fingerprint of the certificate that a server shows.
func shown(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", port), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return fingerprint(c.ConnectionState().PeerCertificates[0].Raw)
}

func TestHalfAPair(t *testing.T) {
	cert, key, _ := tlsInit(t, t.TempDir())
	_, otherKey, _ := tlsInit(t, t.TempDir())
	for name, row := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"a certificate alone":   {[]string{"--tls-cert", cert}, exitUsage, "--tls-cert: tells the certificate alone"},
		"a key alone":           {[]string{"--tls-key", key}, exitUsage, "--tls-key: tells the key alone"},
		"the key of another":    {[]string{"--tls-cert", cert, "--tls-key", otherKey}, exitFailed, "does not match"},
		"a key that is missing": {[]string{"--tls-cert", cert, "--tls-key", key + "x"}, exitFailed, "tls init"},
		"a directory":           {[]string{"--tls-cert", filepath.Dir(cert), "--tls-key", key}, exitFailed, "is not a file"},
		"two keys":              {[]string{"--tls-cert", key, "--tls-key", key}, exitFailed, "certificate " + key},
	} {
		args := append([]string{"run", "--data", t.TempDir(), "--docker", "none", "--incus", "none", "--listen", "127.0.0.1:0"}, row.args...)
		if _, errs, status := shiplog(t, "", args...); status != row.status || !strings.Contains(errs, row.says) {
			t.Errorf("run with %s = exit %d %q, want exit %d and %q", name, status, errs, row.status, row.says)
		}
	}
}

func TestTheCertificateIsReadAgain(t *testing.T) {
	dir, pairs := t.TempDir(), t.TempDir()
	cert, key, first := tlsInit(t, pairs)
	r := startReloaded(t, dir, "run", "tls-cert: "+cert, "tls-key: "+key)
	addr := strings.TrimPrefix(r.url, "https://")
	if got := shown(t, addr); got != fingerprint(first.Raw) {
		t.Fatalf("the server shows %s, want %s", got, fingerprint(first.Raw))
	}
	_, _, second := tlsInit(t, pairs, "--force")
	r.wait("the new certificate without a signal", func() bool { return shown(t, addr) == fingerprint(second.Raw) })
	if err := os.WriteFile(key, []byte("no key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.wait("a word of the broken key", func() bool {
		return shown(t, addr) == fingerprint(second.Raw) && strings.Contains(r.said(), "the one before stays in use")
	})
	r.reload("configuration not read again", "key.pem")
	time.Sleep(lookEvery + 100*time.Millisecond)
	shown(t, addr)
	if n := strings.Count(r.said(), "the one before stays in use"); n != 1 {
		t.Errorf("the broken key is told %d times, want once", n)
	}
	_, _, third := tlsInit(t, pairs, "--force")
	r.reload("configuration read again")
	if got := shown(t, addr); got != fingerprint(third.Raw) {
		t.Errorf("after SIGHUP the server shows %s, want %s at once", got, fingerprint(third.Raw))
	}
}

// TestAPairThatChanges drives one pair by a clock of its own, and by many handshakes at one time.
func TestAPairThatChanges(t *testing.T) {
	dir := t.TempDir()
	cert, key, first := tlsInit(t, dir)
	var mu sync.Mutex
	now := time.Now()
	var said bytes.Buffer
	p := &keyPair{certFile: cert, keyFile: key, log: slog.New(slog.NewTextHandler(&said, nil)), now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}}
	fresh, err := p.read()
	if err != nil {
		t.Fatal(err)
	}
	p.use(fresh)
	inForce := func() string {
		c, err := p.certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return fingerprint(c.Leaf.Raw)
	}
	pass := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	_, _, second := tlsInit(t, dir, "--force")
	if got := inForce(); got != fingerprint(first.Raw) {
		t.Errorf("within %s of the last look it shows %s, want what it had", lookEvery, got)
	}
	pass(lookEvery)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { inForce() })
	}
	wg.Wait()
	if got := inForce(); got != fingerprint(second.Raw) {
		t.Errorf("after %s it shows %s, want the new one", lookEvery, got)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	pass(lookEvery)
	if got := inForce(); got != fingerprint(second.Raw) || p.good.Load() {
		t.Errorf("with a certificate that is gone it shows %s, good %t; want what it had, and not good", got, p.good.Load())
	}
	_, _, third := tlsInit(t, dir, "--force")
	pass(-time.Hour) // a clock that was set back
	if got := inForce(); got != fingerprint(third.Raw) || !p.good.Load() {
		t.Errorf("with a new pair it shows %s, good %t; want it", got, p.good.Load())
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := p.read(); err != nil || !strings.Contains(said.String(), "every user of this machine may read the TLS key") {
		t.Errorf("a key that others may read: %v, %q; want a warning", err, said.String())
	}
}

func TestThePairIsACredential(t *testing.T) {
	dir := t.TempDir()
	d := &daemon{credentials: dir, log: slog.New(slog.DiscardHandler)}
	if p, err := d.openPair(); p != nil || err != nil {
		t.Errorf("openPair() without credentials = %v, %v; want nothing", p, err)
	}
	cert, key, leaf := tlsInit(t, t.TempDir())
	if err := os.Symlink(cert, filepath.Join(dir, "tls-cert")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.openPair(); err == nil || !strings.Contains(err.Error(), "tls-key") {
		t.Errorf("openPair() with the certificate alone = %v, want an error that names tls-key", err)
	}
	if err := os.Symlink(key, filepath.Join(dir, "tls-key")); err != nil {
		t.Fatal(err)
	}
	if p, err := d.openPair(); err != nil || !p.expires().Equal(leaf.NotAfter) {
		t.Errorf("openPair() with both credentials = %v, want the pair", err)
	}
}
