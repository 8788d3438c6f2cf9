package httpd

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// work stands for a search of so long that pauses every millisecond.
func (t *turn) work(d time.Duration) error {
	for ; d > 0; d -= time.Millisecond {
		time.Sleep(time.Millisecond)
		if err := t.pause(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

// busyFor takes a turn of all, works and tells how long both took.
func busyFor(t *testing.T, all *turns, d time.Duration) time.Duration {
	began := time.Now()
	one, err := all.take(context.Background())
	if err != nil {
		t.Error(err)
		return 0
	}
	defer one.end()
	if err := one.work(d); err != nil {
		t.Error(err)
	}
	return time.Since(began)
}

// A short search waits for a slice of a long one, not for its end, however many long ones there are; of these the
// first that came is ready first, not all of them at the end.
func TestAShortSearchWaitsForASliceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(1, 64, time.Minute, "busy")
		ended := make(chan int, 8)
		for i := range cap(ended) {
			time.Sleep(time.Millisecond)
			go func() {
				busyFor(t, all, 2*time.Second)
				ended <- i
			}()
		}
		time.Sleep(time.Second)
		for range 20 {
			if took := busyFor(t, all, 5*time.Millisecond); took > 5*time.Millisecond+2*turnSlice {
				t.Errorf("5ms of work beside %d of 2s took %v, want at most %v", cap(ended), took, 5*time.Millisecond+2*turnSlice)
			}
			time.Sleep(7 * time.Millisecond)
		}
		began := time.Now()
		if first := <-ended; first != 0 {
			t.Errorf("long search %d was ready first, want the one that came first", first)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the first of the long searches, of 2s, needed %v more, want less than 5s", took)
		}
		for range cap(ended) - 1 {
			<-ended
		}
	})
}

// However many come, few have begun and wait with a block in memory.
func TestFewSearchesAreBegunAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(1, 200, time.Hour, "busy")
		for range 100 {
			go busyFor(t, all, 50*time.Millisecond)
		}
		most := 0
		for range 6000 {
			time.Sleep(time.Millisecond)
			all.mu.Lock()
			most = max(most, len(all.line)-all.fresh)
			all.mu.Unlock()
		}
		if most > turnsBegun || most < turnsBegun-1 || all.taken() > 0 {
			t.Errorf("at most %d had begun and waited, %d were not ready after 6s, want about %d and 0", most, len(all.line), turnsBegun)
		}
	})
}

// Short searches without an end do not keep a long one from its own.
func TestALongSearchEndsBesideShortOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(1, 64, time.Minute, "busy")
		stop, cancel := context.WithCancel(context.Background())
		for range 4 {
			go func() {
				for stop.Err() == nil {
					busyFor(t, all, 10*time.Millisecond)
				}
			}()
		}
		time.Sleep(time.Second)
		took := busyFor(t, all, time.Second)
		if took > 6*time.Second {
			t.Errorf("1s of work beside short searches without an end took %v, want at most 6s", took)
		}
		cancel()
		synctest.Wait()
		time.Sleep(time.Second)
	})
}

// With fifo set all get the turn in the order of waiting, whatever they had.
func TestExportsTakeTheirTurnsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(1, 64, time.Minute, "busy")
		all.fifo = true
		shares := make([]int, 3)
		stop, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for i := range shares {
			go func() {
				one, err := all.take(stop)
				if err != nil {
					t.Error(err)
					return
				}
				defer one.end()
				for ; stop.Err() == nil; shares[i]++ {
					time.Sleep(3 * time.Millisecond)
					one.end()
					if one.again(stop) != nil {
						return
					}
				}
			}()
		}
		<-stop.Done()
		time.Sleep(time.Second)
		synctest.Wait()
		if low, high := min(shares[0], shares[1], shares[2]), max(shares[0], shares[1], shares[2]); low < high*9/10 {
			t.Errorf("pieces of three exports = %v, want about as many of each", shares)
		}
	})
}

// Who gives up leaves the line, and a turn that came at that moment goes to the next.
func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(1, 2, 50*time.Millisecond, "busy")
		held, err := all.take(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			go func() {
				if one, err := all.take(context.Background()); err == nil {
					t.Errorf("take beside a held turn = %v, want a refusal", one)
				}
			}()
		}
		time.Sleep(50 * time.Millisecond) // patience and the turn come at one moment
		held.end()
		synctest.Wait()
		if all.running != 0 || len(all.line) != 0 || all.fresh != 0 {
			t.Errorf("at the end %d have a turn, %d are in line, %d of them fresh; want none", all.running, len(all.line), all.fresh)
		}
		ctx, cancel := context.WithCancel(context.Background())
		one, _ := all.take(context.Background())
		go busyFor(t, all, time.Millisecond)
		time.Sleep(2 * turnSlice)
		cancel()
		if err := one.pause(ctx); err != context.Canceled && err != nil {
			t.Errorf("pause of a client that is gone = %v, want %v or its turn", err, context.Canceled)
		}
		one.end()
		time.Sleep(time.Second)
		synctest.Wait()
		if all.running != 0 || len(all.line) != 0 {
			t.Errorf("at the end %d have a turn, %d are in line; want none", all.running, len(all.line))
		}
	})
}
