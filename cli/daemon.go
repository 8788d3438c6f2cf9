package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"shiplog/agent"
	"shiplog/format"
	"shiplog/format/compress"
	"shiplog/format/prune"
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
	logDir                          string // folder of the segments, of serve; it may not be there yet when there is a remote
	state                           string // directory of what the server itself keeps; empty: dir
	project                         string
	journalListen                   string // address of the journal API alone; empty: none
	hosts                           []string
	tls                             tlsFlags
	exports                         exportFlags
	capture                         captureFlags
	logs                            logFlags
	adminPassword                   string    // file of the first account's password; empty: one is made up
	credentials                     string    // directory in which a service manager puts secrets; empty: none
	reload                          *reloader // nil: the configuration is not read again

	log        *slog.Logger
	writer     *format.Writer       // nil: read-only
	seals      *seal.Keeper         // of what the writer writes; nil: nothing is sealed
	pruner     *prune.Pruner        // of the same; nil: nothing is removed
	compressor *compress.Compressor // of the same; nil: nothing is compressed
	index      *index.Index
	accounts   *httpd.Accounts
	agent      *agent.Agent      // nil: none
	remote     *agent.Remote     // an agent in another process; nil: none
	brief      bool              // accounts that are made last as long as this process
	demo       *demoWorld        // answers for containers when there is no agent; nil: none
	timings    *timings          // nil: nothing is written here
	answerIn   time.Duration     // for finding an answer
	names      int               // containers that metrics are about by name; 0: none
	containers *containerMetrics // nil: none
	pair       *keyPair          // of TLS; nil: plain http
	exporting  exportLock
	began      time.Time   // when the parts were started
	url        string      // of the server; empty: there is none
	service    *notifier   // nil: no service manager wants to know how this process is
	noSocket   atomic.Bool // the agent's socket could not be made
	notes      []string    // lines for the terminal, once the address is known
}

const defaultListen = "127.0.0.1:7446"

func (d *daemon) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&d.listen, "listen", defaultListen, "`address` to serve on; port 0 takes a free one")
	flags.StringVar(&d.journalListen, "journal-listen", "", "second `address`, for the OpenStack journal API alone, as 127.0.0.1:9360; default none")
	d.tls.add(flags)
	flags.StringSliceVar(&d.hosts, "host", nil, "host `names` that clients may use, besides addresses, localhost and the host's own name (comma list)")
	flags.StringVar(&d.project, "default-project", "default", "`id` of the project of records that name none, as all of the engines'")
	choiceFlag(flags, &d.rootForm, "qnap-root-event-format", "", "form of event messages under /api/v1", "v1", "v2")
	flags.IntVar(&d.names, "container-metrics", 0, "metrics about up to this `number` of containers by name, the rest as other; default none")
	flags.DurationVar(&d.answerIn, "answer-timeout", 30*time.Second, "a request whose answer is not found in this `time` gets a 503")
	d.exports.add(cmd)
	flags.StringVar(&d.adminPassword, "admin-password-file", "", "read the password of the first account, admin, from the first line of this `file`; default the credential admin-password, else one is made up and printed once")
	d.logs.add(cmd)
	reloadable(flags, "host", "default-project", "qnap-root-event-format")
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
	x, err := index.Open(d.dir, index.Options{Dir: dir, ReadOnly: readOnly, Await: d.remote != nil, Logger: d.log})
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

// serve listens, says where, and runs all parts until ctx ends.
func (d *daemon) serve(ctx context.Context, p *Program) error {
	if d.names < 0 || d.names > maxContainerMetrics {
		return usagef("--container-metrics must be from 0 to %d", maxContainerMetrics)
	}
	signal.Ignore(syscall.SIGPIPE) // whoever read the messages may go; the work goes on
	all, err := d.open(p)
	if err != nil {
		return err
	}
	if d.names > 0 {
		d.containers = newContainerMetrics(d, d.names)
	}
	server, err := d.server()
	defer d.exporting.release()
	if err == nil {
		err = d.firstAccount()
	}
	if err != nil {
		return errors.Join(err, closeAll(all))
	}
	d.url = d.scheme() + all[0].Addr().String()
	defer d.leaveNote()()
	fmt.Fprintf(p.Stdout, "listening on %s\n", d.url)
	for _, journal := range all[1:] {
		fmt.Fprintf(p.Stdout, "journal on %s%s/v1/journal/\n", d.scheme(), journal.Addr())
	}
	for _, note := range d.notes {
		fmt.Fprintln(p.Stdout, note)
	}
	return d.runStages(ctx, d.stages(server, all))
}

// begin makes what the commands of a service begin with, and returns what they end with.
func (d *daemon) begin(ctx context.Context, p *Program) (end func()) {
	d.log = d.logs.logger(p)
	d.service, end = p.notifier(ctx, d.log)
	return end
}

// runStages runs all until ctx ends and keeps the service manager informed.
func (d *daemon) runStages(ctx context.Context, all []stage) error {
	return runStages(ctx, d.service.guard(all, d.statusText), stopLimit)
}

// stages lists what runs, in the order in which it stops. Of listeners the first is for all dialects, a second
// for the journal.
func (d *daemon) stages(server *httpd.Server, listeners []net.Listener) []stage {
	all := d.captureStages()
	if d.containers != nil {
		all = append(all, stage{name: "container metrics", run: d.containers.run})
	}
	serve := func(ctx context.Context) error { return runServer(ctx, server, listeners) }
	return append(all,
		stage{name: "index", run: d.index.Run, then: d.catchUp, alive: d.index.Alive},
		stage{name: "server", run: serve, then: d.index.Close, alive: server.Alive})
}

// captureStages are those of the process that writes; there are none without a writer.
func (d *daemon) captureStages() []stage {
	d.began = time.Now()
	var all []stage
	if d.reload != nil {
		all = append(all, stage{name: "reload", run: d.reload.run})
	}
	if d.agent != nil {
		all = append(all, stage{name: "agent", run: d.agent.Run, alive: d.agent.Alive})
	}
	if d.writer != nil {
		all = append(all, stage{name: "agent socket", run: d.socket, alive: d.socketAlive})
		if d.pruner != nil {
			all = append(all, stage{name: "retention", run: d.pruner.Run})
		}
		if d.compressor != nil {
			all = append(all, stage{name: "compression", run: d.compressor.Run})
		}
		if d.seals != nil {
			all = append(all, stage{name: "seals", run: d.seals.Run, then: d.closeSeals, alive: d.seals.Alive})
		}
		all = append(all, stage{name: "writer", run: d.writer.Run, then: d.writer.Close, alive: d.writer.Alive})
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
	path := d.socketPath()
	metrics, err := d.ownMetrics()
	if err != nil {
		return err
	}
	o := agent.SocketOptions{Append: d.writer.Append, Inspect: d.inspectFunc(), List: d.listFunc(), Ready: d.notReady,
		Status: d.status, Metrics: metrics, Logger: d.log}
	if d.pruner != nil {
		o.Prune = d.pruneFor
	}
	if err := agent.RunSocket(ctx, path, o); err != nil && ctx.Err() == nil {
		d.noSocket.Store(true)
		d.log.Warn("no socket for records of other programs", "path", path, "err", err)
		<-ctx.Done()
	}
	return nil
}

func (d *daemon) socketPath() string { return filepath.Join(d.dir, agent.SocketName) }

// catchUp lets the index read what was appended last.
func (d *daemon) catchUp() error {
	if ok, why := d.index.Ready(); !ok {
		d.log.Warn("the index is not complete; the next start goes on with it", "reasons", why)
	}
	return nil
}
