package index

import (
	"context"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"shiplog/format"
)

// bell rings when something happened in the log folder. One watcher serves any number of waiters; it exists
// only while somebody waits, and a moment longer for those who come back. What an event says is never used:
// who hears the bell looks for himself, so a lost event costs at most one tick.
type bell struct {
	dir string

	mu      sync.Mutex
	waiting int           // guarded by mu, as all below
	rung    chan struct{} // closed when the bell rings, then replaced
	stop    chan struct{} // closed to end the watcher; nil: there is none
	ending  *time.Timer   // ends the watcher; nil: it was never left alone
}

const (
	bellTick  = 5 * time.Second        // without any event: look anyway, others may write where no event comes from
	localTick = 30 * time.Second       // the same where all events come, so that an idle box sleeps
	blindTick = 500 * time.Millisecond // the same when the kernel gives no watch
	bellPause = time.Millisecond       // between two rings, so that a burst is one
	bellStays = 10 * time.Second       // after the last waiter left
)

func (b *bell) init(dir string) { b.dir, b.rung = dir, make(chan struct{}) }

// join makes the caller a waiter until it calls leave.
func (b *bell) join() (leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting++
	if b.stop == nil {
		b.stop = make(chan struct{})
		go b.watch(b.stop)
	}
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.waiting--; b.waiting > 0 {
			return
		}
		if b.ending == nil {
			b.ending = time.AfterFunc(bellStays, b.end)
		} else {
			b.ending.Reset(bellStays)
		}
	})
}

// end ends the watcher when nobody waits.
func (b *bell) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == 0 && b.stop != nil {
		close(b.stop)
		b.stop = nil
	}
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

// watch rings until stop. The folder may come later, and another may come in its place: then that one is watched.
func (b *bell) watch(stop <-chan struct{}) {
	var w *folderWatch
	defer func() { w.close() }()
	for {
		fresh := !w.holds(b.dir)
		if fresh {
			w.close()
			if w = watchFolder(b.dir); w != nil {
				b.ring() // what was appended before the watcher was there
			}
		}
		again, events, errs := blindTick, make(chan fsnotify.Event), make(chan error)
		if w != nil {
			again, events, errs = bellTick, w.Events, w.Errors
			switch {
			case fresh:
			case w.folder != nil && local(b.dir):
				again = format.UntilBeat(time.Now(), localTick)
			default:
				again = format.UntilBeat(time.Now(), bellTick)
			}
		}
		if !b.follow(stop, again, events, errs) {
			return
		}
	}
}

// follow rings for every event, and once after the time again when nothing happened, or bellTick after the last event.
// Then it returns, as it does when something happened to the folder itself. False: stop.
func (b *bell) follow(stop <-chan struct{}, again time.Duration, events <-chan fsnotify.Event, errs <-chan error) bool {
	t := time.NewTimer(again)
	defer t.Stop()
	for {
		moved := false
		select {
		case <-stop:
			return false
		case <-t.C:
			b.ring()
			return true
		case e := <-events:
			moved = e.Name == b.dir
		case <-errs: // an overflow: look
		}
		b.ring()
		if b.linger(events) || moved {
			return true
		}
		t.Reset(min(again, bellTick)) // for those who find a folder too fresh to be sure of its time
	}
}

// linger takes in what follows shortly and rings once for all of it. It tells whether something happened to the
// folder itself.
func (b *bell) linger(events <-chan fsnotify.Event) (moved bool) {
	select {
	case e := <-events:
		moved = e.Name == b.dir
	default:
		return false
	}
	end := time.NewTimer(bellPause)
	defer end.Stop()
	for {
		select {
		case e := <-events:
			moved = moved || e.Name == b.dir
		case <-end.C:
			b.ring()
			return moved
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
		last, err := x.lastSeq(ctx, snap)
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
