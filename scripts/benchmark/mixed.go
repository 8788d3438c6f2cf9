package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	mixedClients = 16
	mixedRate    = 1000 // records a second
)

// mixed is how long questions take while 16 clients ask all of them and records come in: nobody's heavy question
// may make the others wait. Who is told to come again later (503) is counted apart.
func (b *bench) mixed() error {
	s, err := b.ready()
	if err != nil {
		return err
	}
	defer s.stop()
	peak := watch(s.pid())
	var (
		mu      sync.Mutex
		took    = map[string][]float64{}
		refused = map[string]int{}
		failed  error
		wg      sync.WaitGroup
	)
	end := time.Now().Add(3 * b.spell())
	note := func(id string, d time.Duration, status int, err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case status == http.StatusServiceUnavailable:
			refused[id]++
		case err != nil:
			failed = errors.Join(failed, err)
		default:
			took[id] = append(took[id], ms(d))
		}
	}
	for c := range mixedClients {
		wg.Go(func() { b.mixedClient(s, c, end, note) })
	}
	written, err := b.trickle(s, end)
	wg.Wait()
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	for _, q := range b.questions() {
		c := &cell{Value: at(took[q.id], 50), P99: at(took[q.id], 99), Runs: len(took[q.id])}
		if n := refused[q.id]; n > 0 {
			c.Note = fmt.Sprintf("%d of %d were told to come again later", n, n+len(took[q.id]))
		}
		b.report.set(crowded, q.name+", mixed", "ms", shiplog, c)
	}
	b.report.set(crowded, "records written, mixed", "records/s", shiplog, &cell{Value: written})
	b.report.set(crowded, "peak, mixed", "MB anon", shiplog, &cell{Value: mb(peak())})
	return nil
}

func (b *bench) mixedClient(s *server, seed int, end time.Time, note func(string, time.Duration, int, error)) {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	all := b.questions()
	for time.Now().Before(end) {
		q := all[r.IntN(len(all))]
		path, _ := b.shiplogProbe(q.id)
		began := time.Now()
		resp, err := s.client.Get(s.url + path)
		if err != nil {
			note(q.id, 0, 0, err)
			return
		}
		_, _, err = answer(began, resp, nil)
		note(q.id, time.Since(began), resp.StatusCode, err)
	}
}

// trickle appends mixedRate records a second over the socket, as many as are due at a time, and tells how many
// a second it were.
func (b *bench) trickle(s *server, end time.Time) (float64, error) {
	const writers = 48 // each waits for its record to be on the disk
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	total, began := 0, time.Now()
	for w := range writers {
		wg.Go(func() {
			one, done, err := dialSocket(s.data + "/agent.sock")
			n := 0
			if err == nil {
				defer done()
				for now := began; err == nil && now.Before(end); now = time.Now() {
					if due := int(now.Sub(began).Seconds() * mixedRate / writers); n >= due {
						time.Sleep(time.Millisecond)
						continue
					}
					err = one(w<<32 | n)
					n++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total, failed = total+n, errors.Join(failed, err)
		})
	}
	wg.Wait()
	return float64(total) / time.Since(began).Seconds(), failed
}
