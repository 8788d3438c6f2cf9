package httpd

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a mail server that keeps what it gets.
type mailServer struct {
	addr string
	cert tls.Certificate
	pool *x509.CertPool

	mu       sync.Mutex
	failures int      // guarded by mu; this many mails are refused first
	hang     bool     // guarded by mu; takes a mail and says nothing more
	tried    int      // guarded by mu
	mails    []string // guarded by mu
	to, from []string // guarded by mu
	users    []string // guarded by mu; who logged in
	secure   []bool   // guarded by mu; whether the mail came over TLS
	end      chan struct{}
}

// newMailServer starts one; implicit makes it speak TLS from the first byte.
func newMailServer(t *testing.T, offerTLS, implicit bool) *mailServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	m := &mailServer{cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool: x509.NewCertPool(), end: make(chan struct{})}
	m.pool.AddCert(leaf)
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &mailSession{m: m, c: c}, nil }))
	s.Domain, s.ErrorLog, s.AllowInsecureAuth = "mail.test", log.New(io.Discard, "", 0), true
	if offerTLS {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{m.cert}}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = ln.Addr().String()
	if implicit {
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{m.cert}})
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(ln)
	}()
	t.Cleanup(func() {
		close(m.end)
		_ = s.Close()
		<-served
	})
	return m
}

type mailSession struct {
	m        *mailServer
	c        *smtp.Conn
	from, to string
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "nas" || password != "s3cret" {
			return smtp.ErrAuthFailed
		}
		s.m.mu.Lock()
		defer s.m.mu.Unlock()
		s.m.users = append(s.m.users, user)
		return nil
	}), nil
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.m.mu.Lock()
	if s.m.tried++; s.m.hang {
		s.m.mu.Unlock()
		<-s.m.end
		return errors.New("over")
	}
	defer s.m.mu.Unlock()
	if s.m.failures > 0 {
		s.m.failures--
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "try again"}
	}
	_, secure := s.c.TLSConnectionState()
	s.m.mails, s.m.from, s.m.to, s.m.secure = append(s.m.mails, string(text)), append(s.m.from, s.from), append(s.m.to, s.to), append(s.m.secure, secure)
	return nil
}

func (m *mailServer) got() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mails)
}

func TestMailWays(t *testing.T) {
	for name, row := range map[string]struct {
		offer, implicit bool
		smtp            SMTP
		trust           bool
		want            bool
		secure          bool
	}{
		"in the clear":                           {false, false, SMTP{TLS: MailPlain}, true, true, false},
		"STARTTLS":                               {true, false, SMTP{}, true, true, true},
		"STARTTLS and a password":                {true, false, SMTP{TLS: MailSTARTTLS, Username: "nas", Password: "s3cret"}, true, true, true},
		"STARTTLS and a wrong password":          {true, false, SMTP{Username: "nas", Password: "secret"}, true, false, true},
		"STARTTLS that is not offered":           {false, false, SMTP{}, true, false, false},
		"a certificate that nobody trusts":       {true, false, SMTP{}, false, false, false},
		"TLS":                                    {false, true, SMTP{TLS: MailTLS}, true, true, true},
		"TLS and a password":                     {false, true, SMTP{TLS: MailTLS, Username: "nas", Password: "s3cret"}, true, true, true},
		"TLS and a certificate nobody trusts":    {false, true, SMTP{TLS: MailTLS}, false, false, false},
		"a password that would be sent in clear": {false, false, SMTP{TLS: MailPlain, Username: "nas", Password: "s3cret"}, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newMailServer(t, row.offer, row.implicit)
			row.smtp.Addr, row.smtp.From = srv.addr, "The box <nas@example.com>"
			if row.trust {
				row.smtp.RootCAs = srv.pool
			}
			m, err := newMailer(row.smtp, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			err = m.send(t.Context(), "a@example.org", "Über\r\nBcc: x@example.org", "text\n.\nmore\n")
			if (err == nil) != row.want {
				t.Fatalf("send = %v, want success: %t", err, row.want)
			}
			srv.mu.Lock()
			defer srv.mu.Unlock()
			if !row.want {
				if len(srv.mails) != 0 || len(srv.users) != 0 {
					t.Errorf("the server has %q from %v", srv.mails, srv.users)
				}
				return
			}
			msg, err := mail.ReadMessage(strings.NewReader(srv.mails[0]))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(msg.Body)
			if err != nil {
				t.Fatal(err)
			}
			if srv.from[0] != "nas@example.com" || srv.to[0] != "a@example.org" || srv.secure[0] != row.secure || msg.Header.Get("Bcc") != "" ||
				msg.Header.Get("Date") == "" || msg.Header.Get("Message-Id") == "" || !strings.Contains(string(body), "text\r\n.\r\nmore") {
				t.Errorf("from %s to %s over TLS %t: %s", srv.from[0], srv.to[0], srv.secure[0], srv.mails[0])
			}
			if row.smtp.Username != "" && !slices.Equal(srv.users, []string{"nas"}) {
				t.Errorf("logged in: %v", srv.users)
			}
		})
	}
}

func TestMailSettingsThatCannotBe(t *testing.T) {
	for name, s := range map[string]SMTP{
		"no port":             {Addr: "mail", From: "a@b.c"},
		"a port by name":      {Addr: "mail:smtp", From: "a@b.c"},
		"no host":             {Addr: ":25", From: "a@b.c"},
		"no sender":           {Addr: "mail:25"},
		"a bad sender":        {Addr: "mail:25", From: "a"},
		"an unknown TLS":      {Addr: "mail:25", From: "a@b.c", TLS: "ssl3"},
		"a user, no password": {Addr: "mail:25", From: "a@b.c", Username: "x"},
	} {
		if _, err := newMailer(s, 0); err == nil {
			t.Errorf("%s: taken, want an error", name)
		}
	}
}

// countedContext is a context without an end that counts what is registered with it.
type countedContext struct {
	context.Context
	never chan struct{}

	mu   sync.Mutex
	open int // guarded by mu
}

func (r *countedContext) Done() <-chan struct{} { return r.never }

func (r *countedContext) AfterFunc(func()) (stop func() bool) {
	r.add(1)
	return sync.OnceValue(func() bool {
		r.add(-1)
		return true
	})
}

func (r *countedContext) add(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open += n
}

func (r *countedContext) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// TestMailsLeaveNothingBehind sends with a context that goes on for ever, as a server's does.
func TestMailsLeaveNothingBehind(t *testing.T) {
	s := newMailServer(t, false, false)
	m, err := newMailer(SMTP{Addr: s.addr, From: "a@example.com", TLS: MailPlain}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	forever := &countedContext{Context: context.Background(), never: make(chan struct{})}
	for range 3 {
		if err := m.send(forever, "b@example.com", "subject", "body"); err != nil {
			t.Fatal(err)
		}
	}
	if n := forever.count(); n != 0 {
		t.Errorf("%d functions wait for the end of the context, want none", n)
	}
}

func TestMailDoesNotWaitForEver(t *testing.T) {
	srv := newMailServer(t, false, false)
	srv.hang = true
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, addr := range map[string]string{"after the mail": srv.addr, "before the greeting": silent.Addr().String()} {
		for _, mode := range []string{MailPlain, MailTLS} {
			if mode == MailTLS && addr == srv.addr {
				continue
			}
			m, err := newMailer(SMTP{Addr: addr, From: "a@example.com", TLS: mode}, 200*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := m.send(t.Context(), "a@example.org", "s", "b"); err == nil || time.Since(began) > 5*time.Second {
				t.Errorf("%s, %s: send = %v after %s, want an error soon", name, mode, err, time.Since(began))
			}
			m.patience = time.Minute
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			began = time.Now()
			if err := m.send(ctx, "a@example.org", "s", "b"); err == nil || time.Since(began) > 5*time.Second {
				t.Errorf("%s, %s, ended: send = %v after %s, want an error soon", name, mode, err, time.Since(began))
			}
		}
	}
}

func TestExportByMail(t *testing.T) {
	srv := newMailServer(t, true, false)
	srv.failures = 2
	b := newBox(t, "fixture-quay.jsonl", func(o *Options) {
		allowLoopback(o)
		o.SMTP = &SMTP{Addr: srv.addr, From: "nas@example.com", Username: "nas", Password: "s3cret", RootCAs: srv.pool}
	})
	c := newCallbackReceiver(t)
	id := b.order("/api/v1/organization/admin/exportlogs", `{"callback_email":"Ann <ann@example.org>","callback_url":"`+c.url+`"}`)
	j := b.until(id, "over", over)
	if j.State != exportDone || srv.got() != 1 || srv.tried != 3 || srv.to[0] != "ann@example.org" {
		t.Fatalf("job %+v, %d mails of %d tries", j, srv.got(), srv.tried)
	}
	plain := strings.ReplaceAll(strings.ReplaceAll(srv.mails[0], "=\r\n", ""), "=3D", "=")
	if !strings.Contains(plain, j.url()) || !strings.Contains(plain, "Subject: Log export of admin") {
		t.Errorf("mail %s, want it to name %s", plain, j.url())
	}
	if got := c.messages(t); len(got) != 1 || got[0].Status != exportSuccess {
		t.Errorf("callbacks beside the mail: %+v, want one", got)
	}
	srv.mu.Lock()
	srv.failures = 100
	srv.mu.Unlock()
	id = b.order("/api/v1/organization/admin/exportlogs", `{"callback_email":"ann@example.org"}`)
	if j := b.until(id, "over", over); j.State != exportFailed || !j.Mail.GaveUp || j.Mail.Attempts != 4 {
		t.Errorf("job %+v, want it given up after 4 tries", j)
	}
}
