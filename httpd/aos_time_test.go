package httpd

import (
	"fmt"
	"testing"
	"time"
	"unicode"
)

func TestParseJournalTime(t *testing.T) {
	for text, want := range map[string]string{
		"2018-03-22":                    "2018-03-22T00:00:00Z",
		"2018-03-22T07:25":              "2018-03-22T07:25:00Z",
		"2018-03-22 07:25:31":           "2018-03-22T07:25:31Z",
		"2018-03-22T07:25:31.999999999": "2018-03-22T07:25:31Z",
		"2018-03-22T07:25:31.5+03:00":   "2018-03-22T04:25:31Z",
		"2018-03-22T07:25:31 03:00":     "2018-03-22T04:25:31Z", // as a plus arrives that was not escaped
		"2018-03-22 07:25 03:00":        "2018-03-22T04:25:00Z",
		"2018-03-22T07:25-00:30":        "2018-03-22T07:55:00Z",
		"2018-03-22T07:25Z":             "2018-03-22T07:25:00Z",
	} {
		if got, err := parseJournalTime(text); err != nil || time.Unix(got, 0).UTC().Format(time.RFC3339) != want {
			t.Errorf("parseJournalTime(%q) = %s, %v, want %s", text, time.Unix(got, 0).UTC(), err, want)
		}
	}
	for _, text := range []string{"", "2018", "2018-3-22", "2018-02-29", "22.03.2018", "2018-03-22Z", "2018-03-22T", "2018-03-22T7:25", "2018-03-22T07", "2018-03-22T24:00",
		"2018-03-22T07:60", "2018-03-22T07:25:31.", "2018-03-22T07:25.5", "2018-03-22T07:25:31,5", "2018-03-22T07:25:31+0300", "2018-03-22T07:25:31+3", "2018-03-22t07:25:31z",
		"2018-03-22T07:25:31+99:00", "1521703531", "now", "2018-03-22T07:25:31ZZ", "+2018-03-22"} {
		if got, err := parseJournalTime(text); err == nil {
			t.Errorf("parseJournalTime(%q) = %s, want an error", text, time.Unix(got, 0).UTC())
		}
	}
}

// TestJournalBounds asks for both sides of each bound, of an entry at half a second before the next.
func TestJournalBounds(t *testing.T) {
	b := journalBox(t, "fixture-aos.jsonl", nil) // 47 entries; the last is of 2018-03-22T07:25:31.9
	for query, want := range map[string]int{
		"id__gt=46": 1, "id__gte=46": 2, "id__lt=2": 1, "id__lte=2": 2, "id=47": 1, "id=48": 0, "id__gt=-1": 47, "id__lt=0": 0, "id__lte=0": 0, "id=0": 0, "id__noteq=47": 46,
		"id__gt=9223372036854775807": 0, "id__lte=9223372036854775807": 47, "id__in=1&id__in=2&id__in=2": 2, "id__contains=7": 5, "id__startswith=4&id__endswith=4": 2,
		"id__gt=10&id__lte=20&id__gte=12&id__lt=14": 2,
		"event_time__gt=2018-03-22T07:25:31&id=47":  0, "event_time__gte=2018-03-22T07:25:31&id=47": 1, "event_time__gte=2018-03-22T07:25:31.95&id=47": 1, "event_time__gt=2018-03-22T07:25:30&id=47": 1,
		"event_time__lt=2018-03-22T07:25:31&id=47": 0, "event_time__lte=2018-03-22T07:25:31&id=47": 1, "event_time__lt=2018-03-22T07:25:32&id=47": 1, "event_time__in=2018-03-22T07:25:31Z": 1,
		"event_time__gte=9999-01-01": 0, "event_time__lt=9999-01-01": 47, "event_time__gt=0001-01-01": 47, "event_time__lt=0001-01-01": 0, "event_time__year=2018": 47, "event_time__year=2017": 0,
		"event_time__year=-1": 0, "event_time__contains=T07%3a25": 1, "response_code__gt=404&response_code__lt=2000": 11, "response_code__gt=5": 30,
	} {
		got := b.do("GET", "/v1/journal/count?"+query, "", "X-Auth-Token", "tok-admin")
		if got.body != fmt.Sprintf("{\"count\":%d}\n", want) {
			t.Errorf("count of %s = %s, want %d", query, got.body, want)
		}
	}
}

// TestFoldText compares each character with what simple folding takes for the same.
func TestFoldText(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if o := unicode.SimpleFold(r); foldText(string(r)) != foldText(string(o)) {
			t.Errorf("foldText(%q) = %q, want that of %q: %q", r, foldText(string(r)), o, foldText(string(o)))
		}
	}
}
