package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"shiplog/agent"
	"shiplog/format"
	"shiplog/format/seal"
	"shiplog/httpd"
	"shiplog/index"
)

// daemon is what run, serve and demo have in common: the parts that work on one data directory.
//
//  3. agent ──> 1. writer ──> files <── 2. index <── 4. server
//     started in this order; stopped: agent, writer, index, server
type daemon struct {
	dir, listen, indexDir, rootForm string
	project                         string
	journalListen                   string // address of the journal API alone; empty: none
	hosts                           []string
	exports                         exportFlags

	log        *slog.Logger
	writer     *format.Writer // nil: read-only
	seals      *seal.Keeper   // of what the writer writes; nil: nothing is sealed
	index      *index.Index
	accounts   *httpd.Accounts
	agent      *agent.Agent      // nil: none
	remote     *agent.Remote     // an agent in another process; nil: none
	brief      bool              // accounts that are made last as long as this process
	demo       *demoWorld        // answers for containers when there is no agent; nil: none
	timings    *timings          // nil: nothing is written here
	names      int               // containers that metrics are about by name; 0: none
	containers *containerMetrics // nil: none
	exporting  io.Closer         // the lock on the directory of exports; nil: it is not held
	notes      []string          // lines for the terminal, once the address is known
}

const defaultListen = "127.0.0.1:7446"

func (d *daemon) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&d.listen, "listen", defaultListen, "`address` to serve on; port 0 takes a free one")
	flags.StringVar(&d.journalListen, "journal-listen", "", "second `address`, for the OpenStack journal API alone, as 127.0.0.1:9360; default none")
	flags.StringSliceVar(&d.hosts, "host", nil, "host `names` that clients may use, besides addresses, localhost and the host's own name (comma list)")
	flags.StringVar(&d.project, "default-project", "default", "`id` of the project of records that name none, as all of the engines'")
	choiceFlag(flags, &d.rootForm, "qnap-root-event-format", "", "form of event messages under /api/v1", "v1", "v2")
	flags.IntVar(&d.names, "container-metrics", 0, "metrics about up to this `number` of containers by name, the rest as other; default none")
	d.exports.add(cmd)
}

// logger writes to stderr; the journal has its own clock.
func (p *Program) logger() *slog.Logger {
	opts := &slog.HandlerOptions{}
	if p.Env("JOURNAL_STREAM") != "" {
		opts.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(p.Stderr, opts))
}

// openIndex opens the index of the data directory. Where it cannot be written, what is there is used and
// the rest is kept in memory.
func (d *daemon) openIndex(readOnly bool) error {
	dir := d.indexDir
	if !readOnly && dir != "" {
		if err := writable(dir); err != nil {
			d.log.Warn("new parts of the index are kept in memory", "err", err)
			readOnly = true
		}
	}
	if _, err := os.Stat(dir); dir != "" && err != nil {
		dir = ""
	}
	x, err := index.Open(d.dir, index.Options{Dir: dir, ReadOnly: readOnly, Logger: d.log})
	d.index = x
	return err
}

// writable makes the folder dir and tells whether files can be made in it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".writable-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// firstAccount makes the first account and tells its password, once. It is called when the server has its
// address: a start that fails must not use up the password.
func (d *daemon) firstAccount() error {
	if len(d.accounts.Users()) > 0 {
		return nil
	}
	password := strings.ToLower(rand.Text()[:20])
	if err := d.accounts.AddUser(httpd.User{Name: "admin", Admin: true}, password); err != nil {
		return fmt.Errorf("make the first account: %w", err)
	}
	note := fmt.Sprintf("user admin, password %s (shown this once; change it with: shiplog user passwd --data %s admin)", password, d.dir)
	if d.brief {
		note = fmt.Sprintf("user admin, password %s (of this run only)", password)
	}
	d.notes = append([]string{note}, d.notes...)
	return nil
}

// serve listens, says where, and runs all parts until ctx ends.
func (d *daemon) serve(ctx context.Context, p *Program) error {
	if d.names < 0 || d.names > maxContainerMetrics {
		return usagef("--container-metrics must be from 0 to %d", maxContainerMetrics)
	}
	signal.Ignore(syscall.SIGPIPE) // whoever read the messages may go; the work goes on
	ln, err := listen(d.listen, "--listen")
	if err != nil {
		return err
	}
	all := []net.Listener{ln}
	if d.journalListen != "" {
		journal, err := listen(d.journalListen, "--journal-listen")
		if err != nil {
			return errors.Join(err, ln.Close())
		}
		all = append(all, journal)
	}
	if d.names > 0 {
		d.containers = newContainerMetrics(d, d.names)
	}
	server, err := d.server()
	defer d.releaseExports()
	if err == nil {
		err = d.firstAccount()
	}
	if err != nil {
		return errors.Join(err, closeAll(all))
	}
	for _, ln := range all {
		if !loopback(ln.Addr()) {
			fmt.Fprintf(p.Stderr, "shiplog: warning: %s is reachable from other machines and speaks plain http: passwords and logs cross the network unencrypted; put a TLS proxy before it or listen on 127.0.0.1\n", ln.Addr())
		}
	}
	fmt.Fprintf(p.Stdout, "listening on http://%s\n", ln.Addr())
	for _, journal := range all[1:] {
		fmt.Fprintf(p.Stdout, "journal on http://%s/v1/journal/\n", journal.Addr())
	}
	for _, note := range d.notes {
		fmt.Fprintln(p.Stdout, note)
	}
	return runStages(ctx, d.stages(server, all), stopLimit)
}

// listen takes the address that flag gave.
func listen(address, flag string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with %s", err, flag)
	}
	return ln, nil
}

func closeAll(all []net.Listener) (err error) {
	for _, ln := range all {
		err = errors.Join(err, ln.Close())
	}
	return err
}

// stages lists what runs, in the order in which it stops. Of listeners the first is for all dialects, a second
// for the journal.
func (d *daemon) stages(server *httpd.Server, listeners []net.Listener) []stage {
	all := d.captureStages()
	if d.containers != nil {
		all = append(all, stage{"container metrics", d.containers.run, nil})
	}
	return append(all,
		stage{"index", d.index.Run, d.catchUp},
		stage{"server", func(ctx context.Context) error { return runServer(ctx, server, listeners) }, d.index.Close})
}

// captureStages are those of the process that writes; there are none without a writer.
func (d *daemon) captureStages() []stage {
	var all []stage
	if d.agent != nil {
		all = append(all, stage{"agent", d.agent.Run, nil})
	}
	if d.writer != nil {
		all = append(all, stage{"agent socket", d.socket, nil})
		if d.seals != nil {
			all = append(all, stage{"seals", d.seals.Run, d.closeSeals})
		}
		all = append(all,
			stage{"writer", d.writer.Run, d.writer.Close})
	}
	return all
}

// runServer serves all listeners until ctx ends or one fails; they stop together.
func runServer(ctx context.Context, server *httpd.Server, listeners []net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(ctx, listeners[0]) })
	for _, journal := range listeners[1:] {
		group.Go(func() error { return server.RunJournal(ctx, journal) })
	}
	return group.Wait()
}

// socket takes records of other programs, and requests of a server in another process. Without it the rest works as well: it may fail for a path that
// is too long, or a file system without sockets.
func (d *daemon) socket(ctx context.Context) error {
	path := filepath.Join(d.dir, agent.SocketName)
	o := agent.SocketOptions{Append: d.writer.Append, Inspect: d.inspectFunc(), List: d.listFunc(), Ready: d.notReady, Logger: d.log}
	if err := agent.RunSocket(ctx, path, o); err != nil && ctx.Err() == nil {
		d.log.Warn("no socket for records of other programs", "path", path, "err", err)
		<-ctx.Done()
	}
	return nil
}

// catchUp lets the index read what was appended last.
func (d *daemon) catchUp() error {
	if ok, why := d.index.Ready(); !ok {
		d.log.Warn("the index is not complete; the next start goes on with it", "reasons", why)
	}
	return nil
}

func loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
