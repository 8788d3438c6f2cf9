package cli

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"shiplog/format"
)

// guard puts what talks to the service manager before the stages, so that it is the first to stop: then the
// manager knows that the others do. status is one line for a person; it may block, but not for ever.
func (n *notifier) guard(all []stage, status func() string) []stage {
	if n == nil {
		return all
	}
	run := func(ctx context.Context) error {
		n.run(ctx, all, status)
		return nil
	}
	return append([]stage{{name: "service manager", run: run}}, all...)
}

// run says READY when all parts have answered once, and from then on that the process is alive, twice in the
// time in which the manager wants to hear it, each time after all parts have answered again. It wakes for
// nothing else but to say what has changed.
func (n *notifier) run(ctx context.Context, parts []stage, status func() string) {
	s := &statusLine{n: n, text: status, texts: make(chan string, 1)}
	if n.ask(ctx, parts) {
		n.started()
		n.up.Store(true)
		n.tell(sd.SdNotifyReady)
		s.ask()
		n.follow(ctx, parts, s)
	}
	n.up.Store(false) // nothing is said after this, not that a reload is over either
	n.tell(sd.SdNotifyStopping, "STATUS=stopping")
	s.wait()
}

// follow asks the parts again and again until ctx ends, and sends the status when there may be a new one.
func (n *notifier) follow(ctx context.Context, parts []stage, s *statusLine) {
	every := statusEvery
	if n.watch > 0 {
		every = n.watch / 2
	}
	tick := time.NewTimer(format.UntilBeat(time.Now(), every))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case text := <-s.texts:
			s.show(text)
		case <-n.changed:
			s.askSoon()
		case <-s.due:
			s.ask()
		case <-tick.C:
			tick.Reset(format.UntilBeat(time.Now(), every))
			if n.watch > 0 {
				if !n.ask(ctx, parts) {
					return
				}
				n.tell(sd.SdNotifyWatchdog)
			}
			if n.stuck.Swap(false) {
				s.shown = "" // another one was shown meanwhile
			}
			s.askSoon()
		}
	}
}

// ask returns true when all parts have answered, however long that takes, and false when ctx ends before. So
// a part that does not answer is asked by nobody else, and nothing is said to the manager meanwhile.
func (n *notifier) ask(ctx context.Context, parts []stage) bool {
	var wg sync.WaitGroup
	for _, p := range parts {
		if p.alive != nil {
			wg.Go(func() { n.askOne(ctx, p) })
		}
	}
	wg.Wait()
	return ctx.Err() == nil
}

// askOne returns when the part has answered or ctx has ended. A part that takes too long is named once. It may
// still answer: a disk that was asleep, or is busy, is no reason to end.
func (n *notifier) askOne(ctx context.Context, part stage) {
	patience := patienceElse
	if n.watch > 0 {
		patience = n.watch / 4
	}
	stuck := false
	for ctx.Err() == nil {
		own, cancel := context.WithTimeout(ctx, patience)
		err := part.alive(own)
		if err != nil {
			<-own.Done()
		}
		cancel()
		switch {
		case err == nil && stuck:
			n.log.Info("part answers again", "part", part.name)
			return
		case err == nil:
			return
		case !stuck && ctx.Err() == nil:
			stuck = true
			n.stuck.Store(true)
			n.log.Error("part is stuck", "part", part.name, "after", patience, "err", err)
			n.tell("STATUS=" + part.name + " is stuck")
		}
	}
}

// statusLine is what the manager shows to a person. All of it is owned by follow, but for the goroutine that
// makes a text: that may wait for what is stuck, and nobody waits for it.
type statusLine struct {
	n      *notifier
	text   func() string
	texts  chan string // size 1: one text is made at a time
	making bool
	shown  string
	made   time.Time        // when the last text was asked for
	due    <-chan time.Time // nil: none is asked for later
}

// askSoon asks for a text, but not sooner than statusPause after the last one.
func (s *statusLine) askSoon() {
	left := statusPause - time.Since(s.made)
	switch {
	case left <= 0:
		s.ask()
	case s.due == nil:
		s.due = time.After(left)
	}
}

func (s *statusLine) ask() {
	s.due = nil
	if s.making {
		return
	}
	s.making, s.made = true, time.Now()
	go func() { s.texts <- s.text() }()
}

// wait lets a text that is being made be finished, for a second at most: what it is made of is closed next.
func (s *statusLine) wait() {
	if !s.making {
		return
	}
	select {
	case <-s.texts:
	case <-time.After(time.Second):
	}
}

// show sends text when it is another than the last.
func (s *statusLine) show(text string) {
	s.making = false
	if text = oneLine(text); text != s.shown {
		s.shown = text
		s.n.tell("STATUS=" + text)
	}
}

// maxStatus bounds a status in bytes: it is shown in one line.
const maxStatus = 300

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxStatus {
		text = text[:maxStatus]
	}
	return strings.ToValidUTF8(text, "")
}

func microseconds(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }
