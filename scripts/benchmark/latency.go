package main

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// probe is how one question is put to one of those who are measured.
type probe struct {
	fetch func() (body []byte, took time.Duration, err error)
	rows  func(body []byte) ([]string, error) // what the answer says, to be compared with the truth
}

// ask measures p and puts the figure into the report. A peer who cannot answer is named in it.
func (b *bench) ask(q question, who string, p probe) error {
	own, floor, last, err := b.sample(p)
	if err != nil && who != shiplog { // too much for its memory, or for anybody's patience
		b.report.Notes = append(b.report.Notes, fmt.Sprintf("%s could not answer %s: %.300s", who, q.name, err))
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s, %s: %w", q.name, who, err)
	}
	got, err := p.rows(last)
	if err != nil {
		return fmt.Errorf("%s, %s: read the answer: %w", q.name, who, err)
	}
	c := &cell{Value: at(own, 50), P99: at(own, 99), Floor: at(floor, 50), Runs: len(own), Rows: len(got),
		Hits: b.truth.hits[q.id], Wrong: difference(got, b.truth.answers[q.id])}
	group := cmp.Or(q.group, "answers")
	f := b.report.set(group, q.name, "ms", who, c)
	if who == shiplog {
		b.report.set(group, q.name, "ms", bare, &cell{Value: c.Floor, Runs: len(floor)})
		if q.floorTimes > 0 {
			f.timesFloor(q.floorTimes)
		} else if q.overFloor > 0 {
			f.overFloor(q.overFloor)
		}
	}
	say("%-12s %-34s %8s ms (p99 %s, floor %s, %d runs, %d rows) %s", who, q.name, short(c.Value), short(c.P99), short(c.Floor), c.Runs, c.Rows, c.Wrong)
	return nil
}

// sample asks p in turn with the empty handler, so that what else the machine does hits both, and returns the
// milliseconds of each, and the last answer. The first few are not counted when there is time for more.
func (b *bench) sample(p probe) (own, floor []float64, last []byte, err error) {
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	end := time.Now().Add(b.patient)
	for i := 0; len(own) < b.runs; i++ {
		_, idle, err := get(client, b.floor.url)
		if err != nil {
			return nil, nil, nil, err
		}
		body, took, err := p.fetch()
		if err != nil {
			return nil, nil, nil, err
		}
		last = body
		if warm := b.runs > 10 && i < 5 && took < time.Second; !warm {
			own, floor = append(own, ms(took)), append(floor, ms(idle))
		}
		if time.Now().After(end) && len(own) > 0 {
			break
		}
	}
	return own, floor, last, nil
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

// at is the given percentile of all, which it sorts; 0 of nothing.
func at(all []float64, percent int) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*percent/100]
}

// difference says how an answer is not what it should be; "": it is.
func difference(got, want []string) string {
	if slices.Equal(got, want) {
		return ""
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d rows, the records have %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Sprintf("row %d is %.60q, the records have %.60q", i+1, got[i], want[i])
		}
	}
	return ""
}
