package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"shiplog/format"
)

// truth is what each question's answer has to be, found by looking at every record.
type truth struct {
	needles
	day     time.Time // the day of userDay
	answers map[string][]string
	hits    map[string]int // how many records a question's page is the newest of, by question
	msgs    int64          // bytes of all messages
}

func (b *bench) makeRecords() error {
	if info, err := os.Stat(b.records); err == nil {
		b.report.Bytes = info.Size()
		return nil
	}
	say("makes %d records", b.n)
	args := []string{"run", "./scripts/workload", "-n", fmt.Sprint(b.n), "-o", b.records}
	if b.kind != plainKind {
		args = append(args, "-kind", b.kind)
	}
	if err := run(exec.Command("go", args...)); err != nil {
		return err
	}
	info, err := os.Stat(b.records)
	if err == nil {
		b.report.Bytes = info.Size()
	}
	return err
}

// lines calls each for every record of the file; line and f are valid until it returns.
func lines(name string, each func(line []byte, f *format.Fields) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewScanner(file)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	var f format.Fields
	for in.Scan() {
		if err := format.ScanLine(in.Bytes(), &f); err != nil {
			return err
		}
		if err := each(in.Bytes(), &f); err != nil {
			return err
		}
	}
	return in.Err()
}

// lastDay ends the month that perDay is about: the records of scripts/workload begin 30 days before it.
var lastDay = time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC)

// readTruth finds the needles, and then the answers.
func (b *bench) readTruth() error {
	say("reads %d MB of records, for what the answers have to be", b.report.Bytes/1e6)
	t := &truth{answers: map[string][]string{}, hits: map[string]int{}, day: time.Date(2026, 10, 15, 0, 0, 0, 0, time.UTC)}
	if err := t.findNeedles(b.records, b.report.Bytes); err != nil {
		return err
	}
	b.truth = t
	pages := []*page{
		{id: latest, holds: func(*seen) bool { return true }},
		{id: errorsOf, holds: func(s *seen) bool { return s.level == "ERROR" && (s.category == "image" || s.category == "export") }},
		{id: userDay, holds: func(s *seen) bool {
			return s.user == askedUser && !s.at.Before(t.day) && s.at.Before(t.day.AddDate(0, 0, 1))
		}},
	}
	for _, q := range b.questions() {
		if needle, ok := t.needle(q.id); ok {
			pages = append(pages, &page{id: q.id, holds: func(s *seen) bool { return bytes.Contains(s.folded, []byte(needle)) }})
		}
	}
	counted, n := 0, 0
	days := map[string]int{}
	var s seen
	err := lines(b.records, func(_ []byte, f *format.Fields) error {
		s.read(f)
		for _, p := range pages {
			if p.holds(&s) {
				p.add(s.msg)
				t.hits[p.id]++
			}
		}
		if s.category == "container" && s.user == countedUser {
			counted++
		}
		if s.user == countedUser && s.at.Before(lastDay) {
			days[s.at.Format(time.DateOnly)+" "+f.Action.String()]++
		}
		if n++; n <= b.n-b.n/2 && n > b.n-b.n/2-pageRows {
			t.answers[deep] = append(t.answers[deep], s.msg)
		}
		t.msgs += int64(len(s.msg))
		return nil
	})
	for _, p := range pages {
		slices.Reverse(p.last)
		t.answers[p.id] = p.last
	}
	slices.Reverse(t.answers[deep])
	t.answers[count] = []string{fmt.Sprint(counted)}
	for k, v := range days {
		t.answers[perDay] = append(t.answers[perDay], fmt.Sprintf("%s %d", k, v))
	}
	slices.Sort(t.answers[perDay])
	return err
}

// seen is what questions want to know of a record.
type seen struct {
	level, category, user, msg string
	at                         time.Time
	folded                     []byte // msg as foldInto has it
}

func (s *seen) read(f *format.Fields) {
	s.level, s.category, s.user, s.msg = string(f.Level), f.Category.String(), f.ActorName.String(), kept(f)
	s.at = time.Unix(0, f.Time).UTC()
	s.folded = foldInto(s.folded[:0], s.msg)
}

// page keeps the newest messages of those that hold.
type page struct {
	id    string
	holds func(*seen) bool
	last  []string
}

func (p *page) add(msg string) {
	if len(p.last) == pageRows {
		p.last = append(p.last[:0], p.last[1:]...)
	}
	p.last = append(p.last, msg)
}
