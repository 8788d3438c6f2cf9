package main

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// probe is how one question is put to one of those who are measured.
type probe struct {
	fetch func() (body []byte, took time.Duration, err error)
	rows  func(body []byte) ([]string, error) // what the answer says, to be compared with the truth; nil: not looked at
	runs  int                                 // instead of -runs; it is asked for once at least
}

// ask measures p in turn with the empty handler, so that what else the machine does hits both, and puts the
// figure into the report.
func (b *bench) ask(q question, who string, p probe) error {
	runs := b.runs
	if p.runs > 0 {
		runs = p.runs
	}
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	var own, floor []float64
	var last []byte
	end := time.Now().Add(b.patient)
	for i := 0; len(own) < runs; i++ {
		_, idle, err := get(client, b.floor.url)
		if err != nil {
			return err
		}
		body, took, err := p.fetch()
		if err != nil {
			return fmt.Errorf("%s, %s: %w", q.name, who, err)
		}
		last = body
		if warm := runs > 10 && i < 5 && took < time.Second; !warm {
			own, floor = append(own, ms(took)), append(floor, ms(idle))
		}
		if time.Now().After(end) && len(own) > 0 {
			break
		}
	}
	c := &cell{Value: at(own, 50), P99: at(own, 99), Floor: at(floor, 50), Runs: len(own)}
	if p.rows != nil {
		got, err := p.rows(last)
		if err != nil {
			return fmt.Errorf("%s, %s: read the answer: %w", q.name, who, err)
		}
		c.Rows, c.Wrong = len(got), difference(got, b.truth.answers[q.id])
	}
	f := b.report.set("answers", q.name, "ms", who, c)
	if who == shiplog {
		b.report.set("answers", q.name, "ms", bare, &cell{Value: c.Floor, Runs: len(floor)})
		if q.floorTimes > 0 {
			f.timesFloor(q.floorTimes)
		} else if q.overFloor > 0 {
			f.overFloor(q.overFloor)
		}
	}
	say("%-12s %-34s %8s ms (p99 %s, floor %s, %d runs, %d rows) %s", who, q.name, short(c.Value), short(c.P99), short(c.Floor), c.Runs, c.Rows, c.Wrong)
	return nil
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
