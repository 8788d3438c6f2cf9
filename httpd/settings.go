package httpd

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Settings are the options of a server that may change while it runs.
type Settings struct {
	// ExportAllowedHosts are host names, addresses and CIDRs that callbacks may go to although they are not part
	// of the public Internet; none by default.
	ExportAllowedHosts []string
	ExportRetryDelay   time.Duration // before the first retry of an export or its message, then doubling; default 1m
	QuayExportStatus   int           // what POST exportlogs answers: 201 (default) or 200
	// PublicURL is where clients find this server, as https://logs.example.com; "": where the request that queued
	// an export found it.
	PublicURL string
	SMTP      *SMTP // the mail server for e-mails about exports; nil: requests that want one are refused

	Hosts               []string // names of this server besides IP addresses, localhost and the host name
	Project             string   // project of records that name none; default "default"
	QNAPRootEventFormat string   // v1 (default) or v2: the form of event messages under /api/v1
}

// settings are Settings with what is made of them. They never change: Apply makes new ones.
type settings struct {
	Settings
	guard guard
	calls *callbackClient
	mail  *mailer // nil: e-mails are off
}

// Apply makes all of new what the server works with, or none of it and returns what is wrong. Requests that have
// begun go on with what was. Safe for concurrent use.
func (s *Server) Apply(new Settings) error {
	next, err := s.compile(new)
	if err != nil {
		return err
	}
	s.settings.Store(next)
	s.exports.ring() // another delay may make something due
	return nil
}

// Check returns what is wrong with settings, as Apply would. It connects nowhere.
func (set Settings) Check() error {
	_, err := new(Server).compile(set)
	return err
}

// compile sets the defaults of set, refuses what cannot be, and makes what the server works with.
func (s *Server) compile(set Settings) (*settings, error) {
	if err := set.complete(); err != nil {
		return nil, err
	}
	set.Hosts = slices.Clone(set.Hosts)
	for i, name := range set.Hosts {
		name = strings.TrimSpace(name)
		set.Hosts[i] = name
		if _, err := netip.ParseAddr(name); err != nil && !isHostName(canonicalHost(name)) {
			return nil, fmt.Errorf("host %q is no host name; give it without a port, as logs.example.com", name)
		}
	}
	guard, err := newCallbackGuard(set.ExportAllowedHosts, s.limits.resolver)
	if err != nil {
		return nil, err
	}
	next := &settings{Settings: set, guard: newGuard(s.hostname, set.Hosts),
		calls: newCallbackClient(guard, "shiplog/"+orDefault(s.opts.Version, "unknown"), s.limits.callback)}
	if set.SMTP != nil {
		if next.mail, err = newMailer(*set.SMTP, s.limits.mail); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// complete sets the defaults.
func (set *Settings) complete() error {
	set.Project = orDefault(set.Project, "default")
	switch set.QNAPRootEventFormat = orDefault(set.QNAPRootEventFormat, "v1"); set.QNAPRootEventFormat {
	case "v1", "v2":
	default:
		return fmt.Errorf("event format %q of the root prefix is unknown (v1, v2)", set.QNAPRootEventFormat)
	}
	set.ExportRetryDelay = orDefault(set.ExportRetryDelay, time.Minute)
	if set.ExportRetryDelay < 0 || set.ExportRetryDelay > 24*time.Hour {
		return fmt.Errorf("export retry delay %s must be between 0 and 24h", set.ExportRetryDelay)
	}
	switch set.QuayExportStatus = orDefault(set.QuayExportStatus, http.StatusCreated); set.QuayExportStatus {
	case http.StatusCreated, http.StatusOK:
	default:
		return fmt.Errorf("export status %d must be 201 or 200", set.QuayExportStatus)
	}
	if set.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(set.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("public URL %q must be like https://logs.example.com", set.PublicURL)
	}
	set.PublicURL = strings.TrimRight(u.String(), "/")
	return nil
}
