package prune

import (
	"slices"
	"testing"
	"time"
)

const day = 24 * time.Hour

// aged makes files of 10 bytes, of which both ages are these numbers of days; the last one is the active segment.
func aged(days ...int) []file {
	files := make([]file, len(days))
	for i, d := range days {
		files[i] = file{first: uint64(i + 1), bytes: 10, clock: time.Duration(d) * day, lived: time.Duration(d) * day}
	}
	return files
}

func TestDecide(t *testing.T) {
	ten := aged(100, 90, 80, 70, 60, 50, 40, 30, 20, 10)
	wrong := slices.Clone(ten) // a clock that is 50 years ahead
	for i := range wrong {
		wrong[i].clock += 50 * 365 * day
	}
	behind := slices.Clone(ten)
	for i := range behind {
		behind[i].clock -= 50 * 365 * day
	}
	for _, c := range []struct {
		name   string
		policy Policy
		scene  scene
		n      int
		rules  []string
	}{
		{"without a rule all is kept", Policy{}, scene{files: ten, budget: -1}, 0, nil},
		{"what is older than 75 days goes", Policy{Age: 75 * day}, scene{files: ten, budget: -1}, 3, []string{"age"}},
		{"what is just as old goes", Policy{Age: 80 * day}, scene{files: ten, budget: -1}, 3, []string{"age"}},
		{"nothing is old enough", Policy{Age: 101 * day}, scene{files: ten, budget: -1}, 0, nil},
		{"all is old: the active one and one sealed stay", Policy{Age: time.Hour}, scene{files: ten, budget: -1}, 8, []string{"age"}},
		{"a clock 50 years ahead makes nothing older", Policy{Age: 101 * day}, scene{files: wrong, budget: -1}, 0, nil},
		{"a clock 50 years behind makes nothing old", Policy{Age: day}, scene{files: behind, budget: -1}, 0, nil},
		{"a clock that is doubted removes nothing", Policy{Age: day}, scene{files: ten, budget: -1, doubt: "it was set"}, 0, nil},
		{"unless a person has looked at it", Policy{Age: 75 * day, TrustClock: true}, scene{files: ten, budget: -1, doubt: "it was set"}, 3, []string{"age"}},
		{"age keeps to the bound of an hour", Policy{Age: day}, scene{files: ten, budget: 2}, 2, []string{"age"}},
		{"age with the bound used up", Policy{Age: day}, scene{files: ten, budget: 0}, 0, nil},
		{"above the bytes", Policy{Bytes: 75}, scene{files: ten, budget: 0}, 3, []string{"bytes"}},
		{"just at the bytes", Policy{Bytes: 100}, scene{files: ten, budget: 0}, 0, nil},
		{"room for the active one to grow", Policy{Bytes: 100}, scene{files: ten, budget: 0, reserve: 15}, 2, []string{"bytes"}},
		{"fewer bytes than the active one has", Policy{Bytes: 5}, scene{files: ten, budget: 0}, 8, []string{"bytes"}},
		{"both rules, the stricter one counts", Policy{Age: 85 * day, Bytes: 75}, scene{files: ten, budget: -1}, 3, []string{"age", "bytes"}},
		{"bytes free", Policy{Free: Space{Bytes: 125}}, scene{files: ten, budget: -1, free: 100, total: 1000}, 3, []string{"free"}},
		{"a part free", Policy{Free: Space{Percent: 12}}, scene{files: ten, budget: -1, free: 100, total: 1000}, 2, []string{"free"}},
		{"enough is free", Policy{Free: Space{Percent: 10}}, scene{files: ten, budget: -1, free: 100, total: 1000}, 0, nil},
		{"others fill the disk: the bound of an hour", Policy{Free: Space{Percent: 90}}, scene{files: ten, budget: 2, free: 100, total: 1000}, 2, []string{"free"}},
		{"five sealed ones are kept", Policy{Bytes: 5, AtLeast: Least{Segments: 5}}, scene{files: ten, budget: -1}, 4, []string{"bytes"}},
		{"45 days are kept, whatever the bytes", Policy{Bytes: 5, AtLeast: Least{Age: 45 * day}}, scene{files: ten, budget: -1}, 6, []string{"bytes"}},
		{"45 days are kept also when the clock is 50 years ahead", Policy{Bytes: 5, AtLeast: Least{Age: 45 * day}}, scene{files: wrong, budget: -1}, 6, []string{"bytes"}},
		{"an empty log", Policy{Age: day, Bytes: 1, Free: Space{Percent: 90}}, scene{budget: -1, total: 10}, 0, nil},
		{"the active one alone", Policy{Age: day, Bytes: 1}, scene{files: aged(100), budget: -1}, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.policy.decide(c.scene)
			if got.n != c.n || !slices.Equal(got.rules, c.rules) {
				t.Errorf("decide() = %d by %q, want %d by %q", got.n, got.rules, c.n, c.rules)
			}
		})
	}
}

// TestBytesDoNotPayForOtherRules holds that what goes beyond the rule of bytes counts for the bound, also when that
// rule demands something in each round.
func TestBytesDoNotPayForOtherRules(t *testing.T) {
	ten := aged(100, 90, 80, 70, 60, 50, 40, 30, 20, 10)
	for _, c := range []struct {
		name   string
		policy Policy
		want   int
	}{
		{"bytes alone", Policy{Bytes: 75}, 0},
		{"age alone", Policy{Age: day}, 5},
		{"both, and age demands more", Policy{Age: day, Bytes: 75}, 2},
		{"both, and bytes demand more", Policy{Age: 95 * day, Bytes: 75}, 0},
		{"free space demands more", Policy{Free: Space{Percent: 90}, Bytes: 85}, 3},
	} {
		if got := c.policy.decide(scene{files: ten, budget: 5, total: 1000}); got.bound != c.want {
			t.Errorf("%s: decide() = %+v, want %d for the bound", c.name, got, c.want)
		}
	}
	for reason, want := range map[string]bool{
		Policy{Bytes: 5}.describe([]string{ruleBytes}):                                                     false,
		Policy{Age: day}.describe([]string{ruleAge}):                                                       true,
		Policy{Bytes: 5, Free: Space{Percent: 5}}.describe([]string{ruleBytes, ruleFree}):                  true,
		Policy{Age: day, Bytes: 5, Free: Space{Bytes: 1}}.describe([]string{ruleAge, ruleBytes, ruleFree}): true,
	} {
		if isBounded(reason) != want {
			t.Errorf("isBounded(%q) = %v, want %v", reason, !want, want)
		}
	}
}

func TestNoMoreThanSoManyAtOnce(t *testing.T) {
	many := make([]file, 1000)
	for i := range many {
		many[i].bytes = 10
	}
	got := Policy{Bytes: 1}.decide(scene{files: many, budget: 0})
	if got.n != most || !got.more {
		t.Errorf("decide() = %d, more %v, want %d, true", got.n, got.more, most)
	}
}

func TestAQuarterInAnHour(t *testing.T) {
	var a allowance
	n, removed := 100, 0
	for minute := range 60 {
		up := time.Duration(minute) * time.Minute
		left := a.left(n, up)
		a.spend(left, up)
		n, removed = n-left, removed+left
	}
	if removed != 25 {
		t.Errorf("%d of 100 segments were removed within an hour, want 25", removed)
	}
	if left := a.left(n, time.Hour); left != 18 {
		t.Errorf("left() after an hour = %d of %d, want 18", left, n)
	}
	if left := new(allowance).left(1, 0); left != 1 {
		t.Errorf("left() of one segment = %d, want 1", left)
	}
}
