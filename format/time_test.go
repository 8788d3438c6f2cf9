package format_test

import (
	"bytes"
	"math/rand"
	"testing"
	"time"

	"shiplog/format"
)

// The writer writes times by its own hand: here it is held to what the standard library writes.
func TestTimesAreWrittenAsTheStandardLibraryWritesThem(t *testing.T) {
	times := []time.Time{
		time.Unix(0, 0), time.Unix(-1, 999999999), time.Unix(951782400, 1), time.Unix(951868800, 10), // around 29 February 2000
		time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 2, 29, 23, 59, 59, 120000000, time.UTC), time.Date(0, 3, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1900, 2, 28, 23, 59, 59, 999999999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(2026, 7, 1, 1, 2, 3, 400, time.FixedZone("", 5400)),
	}
	rng := rand.New(rand.NewSource(1))
	for range 20000 {
		sec := rng.Int63n(253402300799+62167219200) - 62167219200
		nsec := rng.Int63n(1e9)
		for range rng.Intn(10) { // fractions of all lengths
			nsec -= nsec % 10
			nsec /= 10
		}
		times = append(times, time.Unix(sec, nsec), time.Unix(sec, nsec*1000%1e9))
	}
	for _, at := range times {
		want := at.UTC().Format(time.RFC3339Nano)
		line := format.AppendLine(nil, &format.Record{Stream: format.StreamLog, Time: at})
		if !bytes.Contains(line, []byte(`"time":"`+want+`"`)) {
			t.Fatalf("AppendLine(time %s) = %s", want, line)
		}
	}
	for at, want := range map[time.Time]string{
		time.Date(-1, 6, 1, 0, 0, 0, 5, time.UTC):    "0000-01-01T00:00:00Z",
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC): "9999-12-31T23:59:59.999999999Z",
	} {
		line := format.AppendLine(nil, &format.Record{Stream: format.StreamLog, Time: at})
		if !bytes.Contains(line, []byte(`"time":"`+want+`"`)) {
			t.Errorf("AppendLine(time of year %d) = %s, want %s", at.Year(), line, want)
		}
	}
}
