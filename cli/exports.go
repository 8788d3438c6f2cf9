package cli

import (
	"fmt"
	"net/http"
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
	flags.StringVar(&f.passwordFile, "smtp-password-file", "", "read its password from the first line of this `file`")
	choiceFlag(flags, &f.smtp.TLS, "smtp-tls", "", "how it is spoken to", httpd.MailSTARTTLS, httpd.MailTLS, httpd.MailPlain)
}

// apply puts the flags into o.
func (f *exportFlags) apply(o *httpd.Options) error {
	status, err := strconv.Atoi(f.status)
	if err != nil {
		status = http.StatusCreated
	}
	o.ExportAllowedHosts, o.ExportRetryDelay, o.QuayExportStatus, o.PublicURL = f.allowed, f.retry, status, f.publicURL
	if f.smtp.Addr == "" {
		if f.smtp.From != "" || f.smtp.Username != "" || f.passwordFile != "" {
			return usagef("--smtp is missing: the other --smtp flags say how to use that server")
		}
		return nil
	}
	if f.smtp.From == "" {
		return usagef("--smtp-from is missing: an e-mail needs a sender")
	}
	smtp := f.smtp
	if f.passwordFile != "" {
		if smtp.Password, err = lineOf(f.passwordFile, "password"); err != nil {
			return fmt.Errorf("--smtp-password-file: %w", err)
		}
	}
	o.SMTP = &smtp
	return nil
}
