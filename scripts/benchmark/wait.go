package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// waiting is how long it takes from an engine's event until somebody who waits for it over HTTP has the answer: the
// event is read, becomes a record, and the engine is asked how the container is now.
func (b *bench) waiting() error {
	dir, err := os.MkdirTemp("", "bench") // short, because the path of a unix socket is at most 107 bytes
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e, err := startEngine(dir + "/docker.sock")
	if err != nil {
		return err
	}
	s, err := b.start(b.data(), "--docker", "unix://"+dir+"/docker.sock")
	if err != nil {
		return err
	}
	defer s.stop()
	events, err := e.reader()
	if err != nil {
		return err
	}
	if _, err := b.calm(s.pid()); err != nil {
		return err
	}
	var all []float64
	for i := range b.runs + 5 {
		state := []string{"stopped", "running"}[i%2]
		answered := make(chan error, 1)
		go func() {
			_, _, err := get(s.client, fmt.Sprintf("%s%s/event/wait/docker/%s/%s?duration=30", s.url, api, engineName, state))
			answered <- err
		}()
		if err := s.waited(); err != nil {
			return err
		}
		line, sent := e.turn(), time.Now()
		events <- line
		if err := <-answered; err != nil {
			return err
		}
		if i >= 5 {
			all = append(all, ms(time.Since(sent)))
		}
	}
	b.report.set("writing", waitName, "ms", shiplog, &cell{Value: at(all, 50), P99: at(all, 99), Runs: len(all)}).atMost(1)
	return nil
}

const waitName = "event to who waits for it"

// waited returns when somebody waits for a container.
func (s *server) waited() error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		text, _, err := get(s.client, s.url+"/metrics")
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "\nshiplog_longpoll_waiters 1\n") {
			time.Sleep(5 * time.Millisecond) // it has looked at the container, too
			return nil
		}
	}
	return fmt.Errorf("nobody waits for the container, although somebody was sent to")
}
