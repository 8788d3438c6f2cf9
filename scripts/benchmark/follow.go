package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// following is how long it takes from an append until somebody who waits has the record: shiplog query -f, a process
// of its own that reads the files.
func (b *bench) following() error {
	s, err := b.ready()
	if err != nil {
		return err
	}
	defer s.stop()
	cmd := exec.Command(b.binary(), "query", "--data", b.data(), "-f", "-n", "1", "-o", "jsonl")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	seen := make(chan followed, 1024) // one record is on its way at a time; a logbook's own records come in between
	go func() {
		defer close(seen)
		for in := bufio.NewScanner(out); in.Scan(); {
			seen <- followed{in.Text(), time.Now()}
		}
	}()
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if _, err := next(seen, ""); err != nil { // the newest record there was: from here on it follows
		return err
	}
	var all []float64
	for i := range b.runs + 5 {
		text := fmt.Sprintf("followed-%d-%d", os.Getpid(), i)
		body := fmt.Appendf(nil, `{"journal": {"object_type": "container", "object_id": "x", "action": "container.stop", "status": "Success", "message": %q}}`, text)
		sent := time.Now()
		if _, _, err := post(s.client, s.url+"/v1/journal/", "application/json", body); err != nil {
			return err
		}
		at, err := next(seen, text)
		if err != nil {
			return err
		}
		if i >= 5 {
			all = append(all, ms(at.Sub(sent)))
		}
	}
	b.report.set("writing", followName, "ms", shiplog, &cell{Value: at(all, 50), P99: at(all, 99), Runs: len(all)}).atMost(1)
	return nil
}

const followName = "append over HTTP to who follows"

// followed is a line, and when it came.
type followed struct {
	text string
	at   time.Time
}

// next waits for the line that has text in it.
func next(seen <-chan followed, text string) (time.Time, error) {
	patience := time.After(30 * time.Second)
	for {
		select {
		case f, ok := <-seen:
			if !ok {
				return time.Time{}, fmt.Errorf("query -f ended before it showed %q", text)
			}
			if strings.Contains(f.text, text) {
				return f.at, nil
			}
		case <-patience:
			return time.Time{}, fmt.Errorf("query -f did not show %q within 30 seconds", text)
		}
	}
}
