package httpd

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"shiplog/format"
	"shiplog/index"
)

// The states of a container that matter here.
const (
	stateRunning = "running"
	stateStopped = "stopped"
)

var errTooManyWaiters = errors.New("too many requests wait for containers")

// hub follows the events of the log while somebody waits, and wakes those whose container an event names.
// While nobody waits it does nothing at all.
type hub struct {
	ctx    context.Context // constant; ends with the server
	index  *index.Index
	max    int
	logger *slog.Logger
	wg     sync.WaitGroup

	mu      sync.Mutex
	waiters map[*waiter]struct{} // guarded by mu
	cancel  context.CancelFunc   // guarded by mu; ends the follower; nil while there is none
}

// waiter is one waiting request.
type waiter struct {
	typ   string // docker or lxc
	given string // the container as the request names it
	state string // the state waited for
	after uint64 // records up to this seq are from before
	since int64  // Unix nanoseconds; so are events of an earlier time, which an agent may write late
	ring  chan struct{}

	id      string           // guarded by hub.mu; the container's id once it is known
	project string           // guarded by hub.mu; and where it lives
	heard   map[string]heard // guarded by hub.mu; by project: which one it is may be known only later
}

// heard is what events told a waiter.
type heard struct {
	reached bool   // the container was in the state waited for, if only for a moment
	now     string // its state by the newest event; "": not known
}

// defaultProject is where an Incus instance lives that names no project.
const defaultProject = "default"

// livesIn is the project of a container; all Docker's are in none.
func livesIn(typ, project string) string {
	if typ == "docker" {
		return ""
	}
	return orDefault(project, defaultProject)
}

func newHub(ctx context.Context, x *index.Index, max int, logger *slog.Logger) *hub {
	return &hub{ctx: ctx, index: x, max: max, logger: logger, waiters: map[*waiter]struct{}{}}
}

// subscribe begins to watch: no event that is appended from now on is missed. leave must be called.
func (h *hub) subscribe(ctx context.Context, typ, given, state string) (*waiter, error) {
	since := time.Now().UnixNano()
	last, err := h.index.LastSeq(ctx)
	if err != nil {
		return nil, err
	}
	w := &waiter{typ: typ, given: given, state: state, after: last, since: since, ring: make(chan struct{}, 1), heard: map[string]heard{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiters) >= h.max {
		return nil, errTooManyWaiters
	}
	h.waiters[w] = struct{}{}
	if h.cancel == nil {
		follow, cancel := context.WithCancel(h.ctx)
		h.cancel = cancel
		h.wg.Go(func() { h.follow(follow, last) })
	}
	return w, nil
}

// leave ends the watch; with the last waiter the follower ends too.
func (h *hub) leave(w *waiter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiters, w)
	if len(h.waiters) == 0 && h.cancel != nil {
		h.cancel()
		h.cancel = nil
	}
}

// pin tells which container w found.
func (h *hub) pin(w *waiter, c format.Container) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.id, w.project = c.ID, livesIn(w.typ, c.Project)
}

// told returns what the events said since w began: whether the container came into the state w waits for, if
// only for a moment, and the state it is in now ("": not known).
func (h *hub) told(w *waiter) (reached bool, now string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	about := w.heard[w.project]
	return about.reached, about.now
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.waiters)
}

// stop waits for the follower. The server's context must have ended.
func (h *hub) stop() { h.wg.Wait() }

// follow hands every event above after to the waiters until ctx ends.
func (h *hub) follow(ctx context.Context, after uint64) {
	for {
		last, err := h.index.Wait(ctx, after)
		if err == nil {
			err = h.deliver(ctx, after, last)
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			after = last
			continue
		}
		h.logger.Error("waiters cannot follow the log", "err", err) // they look at their containers by themselves
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (h *hub) deliver(ctx context.Context, after, last uint64) error {
	query := index.Query{After: after, Before: last + 1, Stream: format.StreamEvent, Ascending: true}
	for f, err := range h.index.Each(ctx, query) {
		if err != nil {
			return err
		}
		h.event(f)
	}
	return nil
}

// event wakes those whose container f names.
func (h *hub) event(f *format.Fields) {
	action := f.Action.String()
	verb, ok := strings.CutPrefix(action, "container.")
	if !ok {
		return
	}
	states, news := passedStates(verb)
	if !news {
		return
	}
	typ, id, name := "lxc", f.ObjID.String(), f.ObjName.String()
	if f.Engine == format.EngineDocker {
		typ = "docker"
	}
	project := livesIn(typ, f.Project.String())
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.waiters {
		if f.Seq <= w.after || w.typ != typ || !w.is(id, name) {
			continue
		}
		if w.id != "" && w.project != project {
			continue
		}
		about := w.heard[project]
		if about.now = ""; f.Time >= w.since {
			about.see(states, w.state)
		}
		w.heard[project] = about
		select {
		case w.ring <- struct{}{}:
		default: // it rings already
		}
	}
}

// see notes the states an event told of; wanted is the one waited for.
func (a *heard) see(states []string, wanted string) {
	a.reached = a.reached || slices.Contains(states, wanted)
	if len(states) > 0 {
		a.now = states[len(states)-1]
	}
}

// passedStates names the states a container went through by the action, the one it is in last. news is false
// for actions that change no state.
func passedStates(verb string) (states []string, news bool) {
	switch verb {
	case "start", "unpause":
		return []string{stateRunning}, true
	case "stop", "die", "shutdown":
		return []string{stateStopped}, true
	case "restart":
		return []string{stateStopped, stateRunning}, true
	case "destroy", "rename", "create", "pause":
		return nil, true
	}
	return nil, false
}

// is tells whether an event with this id and name is about the container w waits for. Docker's events are
// compared by id as soon as it is known: a name can pass to another container.
func (w *waiter) is(id, name string) bool {
	if w.typ == "docker" && w.id != "" && id != "" {
		return id == w.id
	}
	if name != "" && (name == w.given || name == w.id) {
		return true
	}
	return id != "" && (id == w.given || (w.typ == "docker" && len(w.given) >= 12 && strings.HasPrefix(id, w.given)))
}
