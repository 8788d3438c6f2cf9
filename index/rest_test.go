package index

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

func TestRestIsDueOnceAfterTheStartAndAfterSearches(t *testing.T) {
	at := time.Unix(0, 0)
	r := rest{since: at}
	for i, step := range []struct {
		steps int64
		after time.Duration
		want  bool
	}{
		{0, restAfter - 1, false}, {0, 1, true}, {0, time.Hour, false}, {3, time.Second, false}, {3, restAfter - 1, false}, {4, time.Second, false},
		{4, restAfter, true}, {4, time.Hour, false}, {5, time.Second, false}, {5, restAfter, true},
		{6, time.Hour, false}, {6, restAfter, true}, // the end of a long one
	} {
		at = at.Add(step.after)
		if got := r.due(step.steps, at); got != step.want {
			t.Errorf("step %d: due(%d) = %v, want %v", i, step.steps, got, step.want)
		}
	}
}

// A search counts when it begins and when it ends, whichever it is: a list may take longer to give out than rest waits.
func TestSearchesAreCountedTwice(t *testing.T) {
	r := rand.New(rand.NewPCG(95, 96))
	dir, _ := newLog(t, r, 200, 0)
	x := openIndex(t, dir, Options{})
	for _, byTime := range []bool{false, true} {
		q := Query{ByTime: byTime, Limit: 5}
		for _, err := range x.Each(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			if begun, ended := x.count.searches.Load(), x.count.ended.Load(); begun != ended+1 {
				t.Fatalf("while a list is given out %d searches began and %d ended, want one to be running", begun, ended)
			}
		}
		if _, err := x.Search(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Count(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Group(t.Context(), q, ByAction); err != nil {
			t.Fatal(err)
		}
		if begun, ended := x.count.searches.Load(), x.count.ended.Load(); begun != ended {
			t.Errorf("%d searches began and %d ended, want all to have ended", begun, ended)
		}
	}
}

func TestGiveBackLetsTheSystemHaveFreeMemory(t *testing.T) {
	const size = 64 << 20
	held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	resident := func() int {
		metrics.Read(held)
		return int(held[0].Value.Uint64() - held[1].Value.Uint64())
	}
	var pool sync.Pool
	func() { // so that nothing but the pool holds it
		b := bytes.Repeat([]byte{1}, size)
		pool.Put(&b)
	}()
	before := resident()
	giveBack()
	after := resident()
	runtime.KeepAlive(&pool)
	if after > before-size*3/4 {
		t.Errorf("after giveBack the runtime holds %d MiB of %d, want %d less", after>>20, before>>20, size>>20)
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
