package cli

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shiplog/httpd"
)

// newDaemon makes a daemon that nothing was done with.
func (p *Program) newDaemon() *daemon {
	return &daemon{credentials: p.Env("CREDENTIALS_DIRECTORY")}
}

// prepare returns what a service does before all else.
func (d *daemon) prepare(p *Program) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		d.reload = newReloader(p, d, cmd)
		return d.check(cmd.Flags())
	}
}

// flagError is what is wrong with the value of a flag, wherever it is from.
type flagError struct {
	flag string
	err  error
}

// check returns all that is wrong with the values of flags as a [configError], each with the place it is from.
func (d *daemon) check(flags *pflag.FlagSet) error {
	var all configError
	for _, e := range d.mistakes() {
		if f := flags.Lookup(e.flag); f != nil {
			all = append(all, located(f, e.err))
		}
	}
	if len(all) > 0 {
		return all
	}
	return nil
}

// located says of err where the value of f is from.
func located(f *pflag.Flag, err error) error {
	origin := f.Annotations[originNote]
	switch {
	case f.Changed || len(origin) == 0:
		return fmt.Errorf("--%s: %w", f.Name, err)
	case len(origin) == 1:
		return fmt.Errorf("%s: %w", envName(f.Name), err)
	}
	line, _ := strconv.Atoi(origin[1]) // set wrote it
	return problem{origin[0], line, f.Name, err.Error()}
}

// maxAnswerIn is as long as a client may be kept waiting. A processor is busy for it meanwhile.
const maxAnswerIn = time.Hour

// mistakes looks at the values that flags were given. It opens nothing.
func (d *daemon) mistakes() []flagError {
	all := append(d.exports.check(), d.tls.check()...)
	wrong := func(flag string, err error) {
		if err != nil {
			all = append(all, flagError{flag, err})
		}
	}
	wrong("listen", addressError(d.listen, d.listen == ""))
	wrong("journal-listen", addressError(d.journalListen, d.journalListen == ""))
	wrong("host", httpd.Settings{Hosts: d.hosts}.Check())
	if d.names < 0 || d.names > maxContainerMetrics {
		wrong("container-metrics", fmt.Errorf("must be from 0 to %d", maxContainerMetrics))
	}
	if d.answerIn <= 0 || d.answerIn > maxAnswerIn {
		wrong("answer-timeout", fmt.Errorf("must be longer than 0 and at most %v", maxAnswerIn))
	}
	if d.capture.syncEvery <= 0 {
		wrong("sync-interval", errors.New("must be longer than 0"))
	}
	return all
}

// addressError returns what is wrong with an address to listen on.
func addressError(address string, none bool) error {
	if none {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		if _, e := net.LookupPort("tcp", port); e != nil {
			err = errors.New("no such port")
		}
	}
	if err != nil {
		return fmt.Errorf("%s is no address to listen on; write it like %s", strconv.Quote(address), defaultListen)
	}
	return nil
}

// settings returns what the flags say to the server, with the secrets that they lead to.
func (d *daemon) settings() (httpd.Settings, error) {
	set := d.exports.settings()
	set.Hosts, set.Project, set.QNAPRootEventFormat = d.hosts, d.project, d.rootForm
	if set.SMTP != nil && set.SMTP.Username != "" || d.exports.passwordFile != "" {
		password, err := d.secret("smtp-password", d.exports.passwordFile)
		if err != nil {
			return set, err
		}
		if set.SMTP != nil {
			set.SMTP.Password = password
		}
	}
	return set, set.Check()
}
