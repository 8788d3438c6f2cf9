package cli

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

const (
	extendEvery  = 10 * time.Second // between two requests for more time to start
	extendBy     = 30 * time.Second // what each asks for
	startLimit   = 10 * time.Minute // after that a start gets no more time
	statusPause  = 5 * time.Second  // between two changes of the status
	statusEvery  = 30 * time.Second // how old a status may be when no watchdog asks more often
	patienceElse = 15 * time.Second // for an answer of a part when there is no watchdog
)

// notifier tells the service manager that started this process how it is. A nil notifier tells nobody anything:
// that is what there is when no manager listens.
type notifier struct {
	send  func(state string) error // one message, as sd_notify(3) has them; constant, as the next two
	watch time.Duration            // within which the manager wants a sign of life; 0: it does not
	log   *slog.Logger

	changed chan struct{} // size 1: there may be something new to say
	up      atomic.Bool   // READY=1 was sent, and STOPPING=1 not yet
	stuck   atomic.Bool   // the status says that a part is stuck
	deaf    sync.Once     // a message that could not be sent is logged once
	started func()        // ends the requests for more time to start; safe to call again
}

// notifier makes one for the service manager of this process, nil when there is none. The process is about to
// start: until it is up, or ended is called, the manager is asked for more time again and again.
func (p *Program) notifier(ctx context.Context, log *slog.Logger) (n *notifier, ended func()) {
	if p.Env("NOTIFY_SOCKET") == "" {
		return nil, func() {}
	}
	watch, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("no watchdog: its time cannot be read", "err", err)
	}
	n = newNotifier(log, watch, func(state string) error {
		_, err := sd.SdNotify(false, state)
		return err
	})
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	var wg sync.WaitGroup
	wg.Go(func() { n.extend(ctx) })
	n.started = func() {
		cancel()
		wg.Wait()
	}
	return n, n.started
}

func newNotifier(log *slog.Logger, watch time.Duration, send func(string) error) *notifier {
	return &notifier{send: send, watch: watch, log: log, changed: make(chan struct{}, 1), started: func() {}}
}

// extend asks for more time to start until ctx ends.
func (n *notifier) extend(ctx context.Context) {
	t := time.NewTicker(extendEvery)
	defer t.Stop()
	more := "EXTEND_TIMEOUT_USEC=" + microseconds(extendBy)
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			n.tell(more, "STATUS=starting")
		}
	}
}

// tell sends one message. That it cannot is logged once: the work goes on.
func (n *notifier) tell(assignments ...string) {
	if err := n.send(strings.Join(assignments, "\n")); err != nil {
		n.deaf.Do(func() { n.log.Warn("the service manager cannot be told how shiplog is", "err", err) })
	}
}

// change says that there may be something new to say. It never blocks.
func (n *notifier) change() {
	if n == nil {
		return
	}
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// reloading tells the manager that the configuration is being read again, and returns what tells it that this is
// over, so that systemctl reload ends with it. ready is called whatever came of it: the process goes on, if need
// be with what was in force before. For whoever handles SIGHUP; one reload at a time.
func (n *notifier) reloading() (ready func()) {
	if n == nil || !n.up.Load() { // what is still starting is not reloading
		return func() {}
	}
	n.tell(sd.SdNotifyReloading, strings.TrimSpace(sd.SdNotifyMonotonicUsec()))
	return func() {
		if n.up.Load() {
			n.tell(sd.SdNotifyReady)
		}
	}
}
