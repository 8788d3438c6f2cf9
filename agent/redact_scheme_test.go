package agent

import (
	"math/rand"
	"testing"
)

// Looking for the beginnings of words first must not hide any that the expressions would find.
func TestNoSchemeIsMissedByTheLookBeforeTheExpressions(t *testing.T) {
	pieces := []string{"b", "B", "e", "E", "a", "A", "r", "R", "s", "S", "\u017f", "i", "c", "C", " ", "\t", ":", "x", "é", "bearer", "basic", "BaSic", "ba\u017fic ",
		"Bearer abc", "YTpi", "=", "\"", "'", "bas", "bea", "\xc5", "database", "bash"}
	rng := rand.New(rand.NewSource(1))
	found := 0
	for range 200_000 {
		s := ""
		for range 1 + rng.Intn(8) {
			s += pieces[rng.Intn(len(pieces))]
		}
		is := reBearer.MatchString(s) || reBasic.MatchString(s)
		if is && !mayHoldScheme(s) {
			t.Fatalf("mayHoldScheme(%q) = false, but an expression finds one", s)
		}
		if is {
			found++
		}
	}
	if found < 1000 {
		t.Errorf("only %d of the texts held a scheme", found)
	}
}

func BenchmarkRedactText(b *testing.B) {
	for b.Loop() {
		redactText("Start container web-17 of the node (docker, 12ab34cd56ef)")
	}
}
