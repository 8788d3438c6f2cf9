package httpd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// How a mail server is spoken to.
const (
	MailSTARTTLS = "starttls" // begins in the clear and must offer TLS
	MailTLS      = "tls"      // TLS from the first byte
	MailPlain    = "none"     // in the clear; passwords are only sent by methods that do not show them
)

// SMTP is the server through which e-mails are sent.
type SMTP struct {
	Addr     string // host:port
	From     string // address of the sender, as "Name <box@example.com>"
	Username string // "": without authentication
	Password string
	TLS      string         // starttls (default), tls, none
	RootCAs  *x509.CertPool // who may sign the server's certificate; nil: whom the system trusts
}

const (
	mailPatience = 20 * time.Second // for each step of a conversation
	maxAddress   = 320              // bytes of an e-mail address
)

// mailer sends short texts.
type mailer struct {
	smtp     SMTP
	host     string
	port     int
	patience time.Duration
}

// newMailer checks what it is given. It connects nowhere.
func newMailer(s SMTP, patience time.Duration) (*mailer, error) {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return nil, fmt.Errorf("mail server %q: %w; give host:port", s.Addr, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" {
		return nil, fmt.Errorf("mail server %q must be host:port with a numeric port", s.Addr)
	}
	if _, err := netmail.ParseAddress(s.From); err != nil {
		return nil, fmt.Errorf("sender %q of e-mails: %w; give an address as box@example.com", s.From, err)
	}
	switch s.TLS = orDefault(s.TLS, MailSTARTTLS); s.TLS {
	case MailSTARTTLS, MailTLS, MailPlain:
	default:
		return nil, fmt.Errorf("mail encryption %q is unknown (starttls, tls, none)", s.TLS)
	}
	if (s.Username == "") != (s.Password == "") {
		return nil, errors.New("mail server: user name and password must both be given or neither")
	}
	return &mailer{smtp: s, host: host, port: int(n), patience: orDefault(patience, mailPatience)}, nil
}

// send sends one e-mail. When it returns nil the server has taken it.
func (m *mailer) send(ctx context.Context, to, subject, body string) error {
	msg := mail.NewMsg()
	if err := msg.From(m.smtp.From); err != nil {
		return err
	}
	if err := msg.To(to); err != nil {
		return err
	}
	msg.Subject(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, subject))
	msg.SetMessageID()
	msg.SetDate()
	msg.SetBodyString(mail.TypeTextPlain, body)
	ctx, done := context.WithCancel(ctx) // nothing of this mail stays registered with the server's own context
	defer done()
	var line net.Conn
	client, err := mail.NewClient(m.host, append(m.options(), mail.WithDialContextFunc(func(dialing context.Context, network, addr string) (conn net.Conn, err error) {
		line, conn, err = m.dial(dialing, network, addr)
		if err == nil {
			raw := line
			context.AfterFunc(ctx, func() { _ = raw.Close() }) // the library looks at ctx only while it connects
		}
		return conn, err
	}))...)
	if err != nil {
		return err
	}
	defer func() {
		if line != nil {
			_ = line.Close()
		}
	}()
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err == nil {
		err = client.SendWithSMTPClient(conn, msg)
	}
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	_ = client.CloseWithSMTPClient(conn) // the server has the mail; how it says goodbye changes nothing
	return nil
}

// dial returns the connection to the server, and the one of TCP below it.
func (m *mailer) dial(ctx context.Context, network, addr string) (line, conn net.Conn, err error) {
	if line, err = (&net.Dialer{}).DialContext(ctx, network, addr); err != nil || m.smtp.TLS != MailTLS {
		return line, line, err
	}
	secure := tls.Client(line, m.tls())
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = line.Close()
		return nil, nil, err
	}
	return line, secure, nil
}

func (m *mailer) tls() *tls.Config {
	return &tls.Config{ServerName: m.host, RootCAs: m.smtp.RootCAs, MinVersion: tls.VersionTLS12}
}

func (m *mailer) options() []mail.Option {
	opts := []mail.Option{mail.WithTimeout(m.patience), mail.WithPort(m.port), mail.WithoutNoop(), mail.WithTLSConfig(m.tls())}
	switch m.smtp.TLS {
	case MailTLS:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSOpportunistic)) // dial has begun TLS; the library finds out
	case MailPlain:
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.smtp.Username != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.smtp.Username), mail.WithPassword(m.smtp.Password))
	}
	return opts
}

// checkAddress returns the one address that text is, or the refusal. A name before it is let go.
func checkAddress(text string) (string, error) {
	refused := failf(http.StatusBadRequest, "Invalid callback e-mail")
	if len(text) > maxAddress || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '�' }) {
		return "", refused
	}
	a, err := netmail.ParseAddress(text)
	if err != nil || strings.HasPrefix(a.Address, "-") || strings.HasPrefix(a.Address, `"`) ||
		strings.ContainsAny(a.Address, " <>,;:\"\\()[]") {
		return "", refused
	}
	local, domain, ok := strings.Cut(a.Address, "@")
	if !ok || local == "" || !isHostName(canonicalHost(domain)) {
		return "", refused
	}
	return a.Address, nil
}
