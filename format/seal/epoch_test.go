package seal

import (
	"testing"
	"time"
)

// TestAnEpochOfAWrongClock begins an epoch while the clock is 50 years ahead. When that is put right it lasts no longer
// than others, also after a restart: else who comes 50 years later had the key of all that time.
func TestAnEpochOfAWrongClock(t *testing.T) {
	now := time.Date(2076, 1, 1, 0, 0, 0, 0, time.UTC)
	o := Options{Now: func() time.Time { return now }}
	b := openBox(t, t.TempDir(), o)
	first := b.k.NewKey()
	b.write(3)
	b.seal()
	now = now.Add(25 * time.Hour)
	b.write(3)
	b.seal() // an epoch begins in 2076
	if n := b.k.key.epoch; n != 1 {
		t.Fatalf("epoch %d a day later, want 1", n)
	}
	now = now.AddDate(-50, 0, 0)
	b.close()
	b = openBox(t, b.dir, o)
	for day := range 3 {
		b.write(1)
		must(t, b.k.CatchUp(t.Context()))
		if n := b.k.key.epoch; n != day+2 {
			t.Errorf("epoch %d on day %d after the clock was put right, want %d", n, day+1, day+2)
		}
		now = now.Add(25 * time.Hour)
	}
	b.close()
	wantOK(t, "after the clock was put right", b.verify(VerifyOptions{Key: first}))
}
