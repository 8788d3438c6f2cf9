package main

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

var (
	eventNumber = regexp.MustCompile(`"soak":"event-(\d+)-"`)
	gapRecord   = []byte(`"action":"engine.gap"`)
)

// count reads the segments as they are on the disk: each event that the engine reported must be there once, and
// in the order in which it was reported.
func (s *soak) count() {
	files, err := filepath.Glob(filepath.Join(s.box.data, "log", "0*.jsonl"))
	if err != nil || len(files) == 0 {
		s.faults.add("no segments: %v", err)
		return
	}
	found := make([]int, s.engine.sent()+1)
	last, lines, derived := 0, 0, 0
	for _, file := range files { // Glob sorts; the names are numbers of one width
		f, err := os.Open(file)
		if err != nil {
			s.faults.add("%v", err)
			return
		}
		in := bufio.NewScanner(f)
		in.Buffer(nil, 8<<20)
		for in.Scan() {
			lines++
			if bytes.Contains(in.Bytes(), gapRecord) {
				s.faults.add("a gap: %.300s", in.Bytes())
			}
			m := eventNumber.FindSubmatch(in.Bytes())
			if m == nil {
				continue
			}
			if !bytes.Contains(in.Bytes(), []byte(`"stream":"event"`)) {
				derived++
				continue
			}
			n, _ := strconv.Atoi(string(m[1]))
			if n < 1 || n >= len(found) {
				s.faults.add("event %d was never reported", n)
				continue
			}
			if found[n]++; n < last {
				s.faults.add("event %d stands after event %d", n, last)
			}
			last = n
		}
		if err := in.Err(); err != nil {
			s.faults.add("%s: %v", file, err)
		}
		f.Close()
	}
	missing, twice := 0, 0
	for _, n := range found[1:] {
		switch {
		case n == 0:
			missing++
		case n > 1:
			twice++
		}
	}
	if missing+twice > 0 {
		s.faults.add("of %d events %d are missing and %d are there more than once", len(found)-1, missing, twice)
	}
	s.engine.mu.Lock()
	if s.engine.lost > 0 {
		s.faults.add("the engine dropped %d events because they were not read in time", s.engine.lost)
	}
	s.engine.mu.Unlock()
	row("log", "%d lines in %d segments; %d events, %d missing, %d twice", lines, len(files), len(found)-1, missing, twice)
}
