package index

import (
	"context"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// bell rings when something happened in the log folder. One watcher serves any number of waiters; it exists
// only while somebody waits. What an event says is never used: who hears the bell looks for himself, so a
// lost event costs at most one tick.
type bell struct {
	dir string

	mu      sync.Mutex
	waiting int           // guarded by mu, as all below
	rung    chan struct{} // closed when the bell rings, then replaced
	stop    chan struct{} // closed when the last waiter goes; nil: no watcher
}

const (
	bellTick  = 5 * time.Second        // without any event: look anyway
	blindTick = 500 * time.Millisecond // the same when the kernel gives no watcher
	bellPause = time.Millisecond       // between two rings, so that a burst is one
)

func (b *bell) init(dir string) { b.dir, b.rung = dir, make(chan struct{}) }

// join makes the caller a waiter until it calls leave.
func (b *bell) join() (leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting++
	if b.stop == nil {
		b.stop = make(chan struct{})
		w, err := fsnotify.NewWatcher()
		if err == nil && w.Add(b.dir) != nil {
			_ = w.Close()
			w = nil
		}
		if err != nil {
			w = nil
		}
		go b.watch(w, b.stop)
	}
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.waiting--; b.waiting == 0 {
			close(b.stop)
			b.stop = nil
		}
	})
}

// next is closed at the next ring. Take it before looking.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.rung)
	b.rung = make(chan struct{})
}

// watch rings until stop.
func (b *bell) watch(w *fsnotify.Watcher, stop <-chan struct{}) {
	tick := bellTick
	var events chan fsnotify.Event
	var errs chan error
	if w == nil {
		tick = blindTick
	} else {
		defer w.Close()
		events, errs = w.Events, w.Errors
	}
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
		case _, ok := <-events:
			if !ok {
				events = nil
			}
		case _, ok := <-errs: // an overflow: look
			if !ok {
				errs = nil
			}
		}
		b.ring()
		b.linger(events)
	}
}

// linger takes in what follows shortly and rings once for all of it.
func (b *bell) linger(events <-chan fsnotify.Event) {
	select {
	case _, ok := <-events:
		if !ok {
			return
		}
	default:
		return
	}
	end := time.NewTimer(bellPause)
	defer end.Stop()
	for {
		select {
		case _, ok := <-events:
			if !ok {
				return
			}
		case <-end.C:
			b.ring()
			return
		}
	}
}

// Wait returns when a record with a seq above after can be read, with the highest seq there is then. It
// returns ctx's error when that ends first. Any number of callers may wait; they share one watcher.
func (x *Index) Wait(ctx context.Context, after uint64) (last uint64, err error) {
	leave := x.bell.join()
	defer leave()
	for {
		rung := x.bell.next()
		snap, err := x.look()
		if err != nil {
			return 0, err
		}
		last, err := x.lastSeq(snap)
		if err != nil || last > after {
			return last, err
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-rung:
		}
	}
}
