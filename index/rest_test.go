package index

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestRestIsDueOnceAfterSearches(t *testing.T) {
	at := time.Unix(0, 0)
	var r rest
	for i, step := range []struct {
		searches int64
		after    time.Duration
		want     bool
	}{
		{0, time.Hour, false}, {3, time.Second, false}, {3, restAfter - 1, false}, {4, time.Second, false},
		{4, restAfter, true}, {4, time.Hour, false}, {5, time.Second, false}, {5, restAfter, true},
	} {
		at = at.Add(step.after)
		if got := r.due(step.searches, at); got != step.want {
			t.Errorf("step %d: due(%d) = %v, want %v", i, step.searches, got, step.want)
		}
	}
}

// Memory is given back under searches, too; they must not notice.
func TestRestDoesNotDisturbSearches(t *testing.T) {
	r := rand.New(rand.NewPCG(91, 92))
	dir, _ := newLog(t, r, 3000, 120<<10)
	lines := readAll(t, dir)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			snap, err := x.look()
			if err != nil {
				t.Error(err)
				return
			}
			x.rest(snap)
		}
	}()
	for range 200 {
		compare(t, x, randomQuery(r, lines), lines)
	}
	close(stop)
	<-stopped
}
