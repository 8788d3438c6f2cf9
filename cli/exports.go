package cli

import (
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"shiplog/httpd"
)

// exportFlags are the flags of exports in the Quay API: where their messages may go, and by whom.
type exportFlags struct {
	allowed           []string
	retry             time.Duration
	status, publicURL string
	smtp              httpd.SMTP
	passwordFile      string
}

func (f *exportFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.publicURL, "public-url", "", "`URL` under which clients find this server, for links to exports; default the one that the request used")
	flags.StringSliceVar(&f.allowed, "export-allowed-hosts", nil, "host names, addresses and CIDRs that callbacks of exports may go to although they are not on the public Internet (comma `list`)")
	flags.DurationVar(&f.retry, "export-retry-delay", time.Minute, "before an export or its message is tried again; then twice as long, three times in all")
	choiceFlag(flags, &f.status, "quay-export-status", "", "what a request for an export answers: as documented, or as the product does", "201", "200")
	flags.StringVar(&f.smtp.Addr, "smtp", "", "mail `server` for e-mails about exports, as mail.example.com:587; default none, and requests that want an e-mail are refused")
	flags.StringVar(&f.smtp.From, "smtp-from", "", "`address` of their sender")
	flags.StringVar(&f.smtp.Username, "smtp-user", "", "`name` to log in with at the mail server")
	flags.StringVar(&f.passwordFile, "smtp-password-file", "", "read its password from the first line of this `file`; default the credential smtp-password, if there is one")
	choiceFlag(flags, &f.smtp.TLS, "smtp-tls", "", "how it is spoken to", httpd.MailSTARTTLS, httpd.MailTLS, httpd.MailPlain)
	reloadable(flags, "public-url", "export-allowed-hosts", "export-retry-delay", "quay-export-status",
		"smtp", "smtp-from", "smtp-user", "smtp-password-file", "smtp-tls")
}

// settings returns what the flags say, without the mail server's password.
func (f *exportFlags) settings() httpd.Settings {
	set := httpd.Settings{ExportAllowedHosts: f.allowed, ExportRetryDelay: f.retry, PublicURL: f.publicURL}
	set.QuayExportStatus, _ = strconv.Atoi(f.status) // one of two words, or none
	if f.smtp.Addr != "" {
		smtp := f.smtp
		set.SMTP = &smtp
	}
	return set
}

// check returns what is wrong with the flags.
func (f *exportFlags) check() (all []flagError) {
	one := func(flag string, set httpd.Settings) {
		if err := set.Check(); err != nil {
			all = append(all, flagError{flag, err})
		}
	}
	one("public-url", httpd.Settings{PublicURL: f.publicURL})
	one("export-allowed-hosts", httpd.Settings{ExportAllowedHosts: f.allowed})
	one("export-retry-delay", httpd.Settings{ExportRetryDelay: f.retry})
	const aServer, aSender = "localhost:25", "box@example.com"
	if f.smtp.Addr != "" {
		one("smtp", httpd.Settings{SMTP: &httpd.SMTP{Addr: f.smtp.Addr, From: aSender}})
		if f.smtp.From == "" {
			all = append(all, flagError{"smtp", errors.New("smtp-from is missing: an e-mail needs a sender")})
		}
	}
	if f.smtp.From != "" {
		one("smtp-from", httpd.Settings{SMTP: &httpd.SMTP{Addr: aServer, From: f.smtp.From}})
	}
	for flag, value := range map[string]string{"smtp-from": f.smtp.From, "smtp-user": f.smtp.Username, "smtp-password-file": f.passwordFile} {
		if f.smtp.Addr == "" && value != "" {
			all = append(all, flagError{flag, errors.New("smtp is missing: the other settings of smtp say how to use that server")})
		}
	}
	return all
}
