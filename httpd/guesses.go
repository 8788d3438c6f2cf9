package httpd

import (
	"crypto/sha256"
	"sync"
	"time"
)

// guesses slows the guessing of tokens and signatures. Unlike a password a token is sent with each request,
// so a program that goes on with an old one fails often without guessing anything: what counts is how many
// different ones an address has tried, and what it tried before it was refused never locks out what is right.
type guesses struct {
	now func() time.Time

	mu  sync.Mutex
	all map[string][]guess // guarded by mu; by source, oldest first, at most failuresPerMinute of each
}

type guess struct {
	sum [sha256.Size]byte
	at  time.Time
}

func newGuesses(now func() time.Time) *guesses {
	return &guesses{now: now, all: make(map[string][]guess)}
}

// blocked tells for how long source may not try the secret with this sum; 0: it may.
func (g *guesses) blocked(source string, sum [sha256.Size]byte) time.Duration {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.recent(source, now)
	if len(list) < failuresPerMinute {
		return 0
	}
	for _, o := range list {
		if o.sum == sum {
			return 0 // it is known to be wrong: saying so again tells nothing
		}
	}
	return list[0].at.Add(time.Minute).Sub(now)
}

// failed counts a wrong secret, once.
func (g *guesses) failed(source string, sum [sha256.Size]byte) {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.recent(source, now)
	for _, o := range list {
		if o.sum == sum {
			return
		}
	}
	if len(list) >= failuresPerMinute {
		list = list[1:]
	}
	if _, known := g.all[source]; !known && len(g.all) >= limiterKeys {
		g.makeRoom(now)
	}
	g.all[source] = append(list[:len(list):len(list)], guess{sum, now})
}

// recent returns the wrong secrets of source within the last minute. g.mu is held.
func (g *guesses) recent(source string, now time.Time) []guess {
	list := g.all[source]
	for len(list) > 0 && now.Sub(list[0].at) >= time.Minute {
		list = list[1:]
	}
	if len(list) == 0 {
		delete(g.all, source)
	} else {
		g.all[source] = list
	}
	return list
}

// makeRoom forgets sources without a recent failure, and when all have one any of them. g.mu is held.
func (g *guesses) makeRoom(now time.Time) {
	for source := range g.all {
		g.recent(source, now)
	}
	for source := range g.all {
		if len(g.all) < limiterKeys {
			return
		}
		delete(g.all, source)
	}
}
