package httpd

import (
	"crypto/sha256"
	"strconv"
	"testing"
	"time"
)

func TestGuessesBlockTheEleventh(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := newGuesses(func() time.Time { return now })
	sum := func(i int) [sha256.Size]byte { return sha256.Sum256([]byte(strconv.Itoa(i))) }
	for range 100 { // a program with an old token
		g.failed("a", sum(0))
	}
	for i := 1; i < failuresPerMinute; i++ {
		if d := g.blocked("a", sum(-1)); d != 0 {
			t.Fatalf("blocked for %v after %d different failures, want %d to be free", d, i, failuresPerMinute)
		}
		g.failed("a", sum(i))
	}
	if d := g.blocked("a", sum(-1)); d != time.Minute {
		t.Errorf("blocked for %v, want a minute", d)
	}
	if d := g.blocked("a", sum(3)); d != 0 {
		t.Errorf("what is known to be wrong is blocked for %v, want 0", d)
	}
	if d := g.blocked("b", sum(-1)); d != 0 {
		t.Errorf("another source is blocked for %v, want 0", d)
	}
	now = now.Add(time.Minute)
	if d := g.blocked("a", sum(-1)); d != 0 {
		t.Errorf("blocked for %v a minute later, want 0", d)
	}
}

func TestGuessesAreBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := newGuesses(func() time.Time { return now })
	for i := range limiterKeys + 100 {
		g.failed(strconv.Itoa(i), [sha256.Size]byte{1})
	}
	if len(g.all) > limiterKeys {
		t.Errorf("%d sources kept, want at most %d", len(g.all), limiterKeys)
	}
}
