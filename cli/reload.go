package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shiplog/httpd"
)

// reloader reads the configuration of a daemon again when the process gets SIGHUP. All of it is taken or, when
// something is wrong with it, none.
type reloader struct {
	p       *Program
	d       *daemon
	command string        // name of the daemon's command
	server  *httpd.Server // constant once run runs; nil: none

	inForce map[string]string // owned by run; value by flag

	good atomic.Bool  // the last reload, or the start, took all
	last atomic.Int64 // when that was last so, in nanoseconds since 1970
}

// holdHangups keeps SIGHUP from ending the process, also while it starts and stops. One is kept: it reads what
// all that come until then would.
func (p *Program) holdHangups() {
	p.hangups = make(chan os.Signal, 1)
	signal.Notify(p.hangups, syscall.SIGHUP)
}

// newReloader makes the reloader of a daemon that was configured.
func newReloader(p *Program, d *daemon, cmd *cobra.Command) *reloader {
	r := &reloader{p: p, d: d, command: cmd.Name(), inForce: values(cmd.Flags())}
	r.done()
	return r
}

// values returns the text of each flag.
func values(flags *pflag.FlagSet) map[string]string {
	all := map[string]string{}
	flags.VisitAll(func(f *pflag.Flag) { all[f.Name] = f.Value.String() })
	return all
}

// run reloads at each SIGHUP until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.p.hangups:
			r.reload()
		}
	}
}

// reload reads the configuration and says what came of it.
func (r *reloader) reload() {
	defer r.d.service.reloading()()
	next, flags, err := r.read()
	if err == nil {
		err = r.apply(next)
	}
	if err != nil {
		r.good.Store(false)
		for _, one := range all(err) {
			r.d.log.Error("configuration not read again; all stays as it was", "err", one)
		}
		return
	}
	changed, waiting := r.compare(flags)
	r.done()
	r.d.log.Info("configuration read again", "changed", strings.Join(changed, ","))
	if len(waiting) > 0 {
		r.d.log.Warn("changed settings take effect at the next start", "keys", strings.Join(waiting, ","))
	}
}

func (r *reloader) done() {
	r.last.Store(time.Now().UnixNano())
	r.good.Store(true)
}

// all returns the errors that err is made of.
func all(err error) []error {
	if list, ok := errors.AsType[configError](err); ok {
		return list
	}
	return []error{err}
}

// read makes the daemon that this process would be if it was started now, up to where it would open something.
func (r *reloader) read() (*daemon, *pflag.FlagSet, error) {
	_, args, err := r.p.Command().Find(r.p.Args)
	if err != nil {
		return nil, nil, err
	}
	for _, dc := range r.p.daemonCommands() {
		if dc.Name() != r.command {
			continue
		}
		if err := dc.ParseFlags(args); err != nil {
			return nil, nil, err
		}
		if err := r.p.configure(dc.Command); err != nil {
			return nil, nil, err
		}
		dc.d.log = r.d.log
		return dc.d, dc.Flags(), dc.d.check(dc.Flags())
	}
	return nil, nil, fmt.Errorf("%s reads no configuration", r.command)
}

// apply makes what can be changed as it is in next. It reads the files of secrets, and the certificate.
func (r *reloader) apply(next *daemon) error {
	var fresh *loadedPair
	if p := r.d.pair; p != nil {
		var err error
		if fresh, err = p.read(); err != nil {
			return err
		}
	}
	if r.server != nil {
		set, err := next.settings()
		if err == nil {
			err = r.server.Apply(set)
		}
		if err != nil {
			return err
		}
	}
	if r.d.pruner != nil {
		r.d.pruner.SetPolicy(next.capture.keep.policy())
	}
	if r.d.compressor != nil {
		after, _ := parseAge(next.capture.compressAfter) // checked when it was set
		r.d.compressor.SetAfter(after)
	}
	if fresh != nil {
		r.d.pair.use(fresh)
	}
	r.d.logs.now.Set(next.logs.parsed())
	return nil
}

// compare returns the keys that took new values, and those whose values wait for a start.
func (r *reloader) compare(flags *pflag.FlagSet) (changed, waiting []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		value := f.Value.String()
		switch {
		case r.inForce[f.Name] == value:
		case f.Annotations[reloadNote] == nil:
			waiting = append(waiting, f.Name)
		default:
			changed = append(changed, f.Name)
			r.inForce[f.Name] = value
		}
	})
	return changed, waiting
}
