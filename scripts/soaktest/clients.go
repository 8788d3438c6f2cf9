package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// slack is how far apart the engine and the waiter may see the same moment on a machine that has too much to do.
const slack = 5 * time.Second

// ranOut is a wait whose time was over.
type ranOut struct {
	i          int
	running    bool
	begin, end time.Time
}

// judgeRanOut looks whether waits ran out although their containers were in the state that they waited for. What
// the machine was late by with those that did not, it may be late by twice.
func (s *soak) judgeRanOut(late time.Duration) {
	late = max(slack, 2*late)
	judged := 0
	for _, w := range s.ranOut {
		from, to := w.begin.Add(late), w.end.Add(-late)
		if !from.Before(to) {
			continue
		}
		if judged++; s.engine.was(w.i, w.running, from, to) {
			s.faults.add("wait for %s to be %s ran out after %v although it was", containerName(w.i), state(w.running), w.end.Sub(w.begin))
		}
	}
	row("waits that ran out", "%d, of which %d were long enough to be judged with %v of slack", len(s.ranOut), judged, late.Round(time.Millisecond))
}

func state(running bool) string {
	if running {
		return "running"
	}
	return "stopped"
}

// wait waits for one container after the other until ctx ends, and judges each answer by what the engine did.
func (s *soak) wait(ctx context.Context, seed int, all *latencies) {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	for ctx.Err() == nil {
		i, running, seconds := r.IntN(containers), r.IntN(2) == 0, 1+r.IntN(30)
		begin := time.Now()
		status, header, body, err := s.box.get(ctx, fmt.Sprintf("%s/event/wait/docker/%s/%s?duration=%d", api, containerName(i), state(running), seconds))
		end := time.Now()
		if ctx.Err() != nil {
			return
		}
		result := header.Get("X-Wait-Result")
		switch {
		case err != nil:
			s.faults.add("wait: %v", err)
		case status != http.StatusOK:
			s.faults.add("wait for %s to be %s = %d %.200s", containerName(i), state(running), status, body)
		case result == "reached" && !s.engine.was(i, running, begin.Add(-slack), end):
			s.faults.add("wait for %s to be %s was told it is, which it never was", containerName(i), state(running))
		case result == "timeout" && end.Sub(begin) < time.Duration(seconds)*time.Second:
			s.faults.add("wait for %ds ran out after %v", seconds, end.Sub(begin))
		case result == "timeout":
			all.add("wait: over its time by", end.Sub(begin)-time.Duration(seconds)*time.Second)
			s.mu.Lock()
			s.ranOut = append(s.ranOut, ranOut{i, running, begin, end})
			s.mu.Unlock()
		case s.engine.first(i, running, begin).After(begin):
			all.add("wait: after the change", end.Sub(s.engine.first(i, running, begin)))
		default:
			all.add("wait: already so", end.Sub(begin))
		}
	}
}

// questions are what the searchers ask, in all dialects.
var questions = []struct{ name, path string }{
	{"latest 20", api + "/log"},
	{"latest 20 events", api + "/event"},
	{"level and category", api + "/log?level=ERROR&category=image,container"},
	{"text", api + "/log?text=box07"},
	{"text without a hit", api + "/log?text=no-such-words-anywhere"},
	{"Quay: latest 20", "/api/v1/user/logs"},
	{"Quay: by day", "/api/v1/user/aggregatelogs"},
	{"HSS: latest 10 and total", "/v5/default/container/image/events"},
	{"HSS: one resource", "/v5/default/container/image/events?resource_name=box07"},
	{"AOS: latest 20", "/v1/journal/?limit=20"},
	{"AOS: count of all lines", "/v1/journal/count?message__notcontains=nowhere"},
	{"AOS: 1000 entries", "/v1/journal/?limit=1000&object_type=container"},
	{"CSV of an hour", api + "/log/export?text=box1"},
}

// search asks one question after the other until ctx ends, with a short rest between, as a page that refreshes.
func (s *soak) search(ctx context.Context, seed int, all *latencies) {
	r := rand.New(rand.NewPCG(uint64(seed), 2))
	for ctx.Err() == nil {
		q := questions[r.IntN(len(questions))]
		begin := time.Now()
		status, header, body, err := s.box.get(ctx, q.path)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.faults.add("%s: %v", q.name, err)
		case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
			all.add(q.name+": refused", time.Since(begin))
		case status != http.StatusOK:
			s.faults.add("%s = %d %.200s", q.name, status, body)
		default:
			all.add(q.name, time.Since(begin))
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(100+r.IntN(200)) * time.Millisecond):
		}
	}
}

// get sends one request with all credentials.
func (b *box) get(ctx context.Context, path string) (status int, header http.Header, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+path, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer soak-token")
	req.Header.Set("X-Auth-Token", "soak-token")
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	head, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	_, rest := io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header, head, errors.Join(err, rest)
}

// latencies collects times by name.
type latencies struct {
	mu  sync.Mutex
	all map[string][]time.Duration // guarded by mu
}

func newLatencies() *latencies { return &latencies{all: map[string][]time.Duration{}} }

func (l *latencies) add(name string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[name] = append(l.all[name], d)
}

// most is the longest of some names.
func (l *latencies) most(names ...string) (d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		for _, one := range l.all[name] {
			d = max(d, one)
		}
	}
	return d
}

func (l *latencies) print() {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.all))
	for name := range l.all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		d := l.all[name]
		slices.Sort(d)
		at := func(of100 int) time.Duration { return d[min(len(d)-1, len(d)*of100/100)].Round(100 * time.Microsecond) }
		row(name, "%6d times  median %-9v 99%% %-9v most %v", len(d), at(50), at(99), at(100))
	}
}
