package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"
)

// clientCounts are how many append at once.
var clientCounts = []int{1, 8, 64}

// spell is how long a figure of throughput is measured.
func (b *bench) spell() time.Duration { return min(3*time.Second, b.patient/3) }

// appender sends one record and returns when it is acknowledged.
type appender func(i int) error

// rush has clients append one record after the other for a spell. each is called once per client; what it returns
// is used by that client alone.
func (b *bench) rush(clients int, each func() (appender, func(), error)) (took []float64, wall time.Duration, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	end := began.Add(b.spell())
	for c := range clients {
		wg.Go(func() {
			one, done, failed := each()
			var own []float64
			if failed == nil {
				defer done()
				for i := 0; failed == nil && time.Now().Before(end); i++ {
					sent := time.Now()
					failed = one(c<<32 | i)
					own = append(own, ms(time.Since(sent)))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			took, err = append(took, own...), errors.Join(err, failed)
		})
	}
	wg.Wait()
	return took, time.Since(began), err
}

// appendRows runs rush for each number of clients and puts latency, throughput and CPU into the report. used is the
// CPU time of who appends, so far; nil: not known.
func (b *bench) appendRows(what, who string, used func() time.Duration, each func() (appender, func(), error)) error {
	for _, clients := range clientCounts {
		time.Sleep(300 * time.Millisecond) // those before have been seen to leave: there is room for 64
		var before time.Duration
		if used != nil {
			before = used()
		}
		took, wall, err := b.rush(clients, each)
		if err != nil {
			return fmt.Errorf("%s, %s, %d clients: %w", what, who, clients, err)
		}
		n := float64(len(took))
		name := fmt.Sprintf("%s, %d clients", what, clients)
		if clients == 1 {
			name = what + ", 1 client"
		}
		b.report.set("writing", name, "records/s", who, &cell{Value: n / wall.Seconds(), Runs: len(took)})
		b.report.set("writing", name+", latency", "ms", who, &cell{Value: at(took, 50), P99: at(took, 99), Runs: len(took)})
		if used != nil {
			cpu := (used() - before).Seconds() * 1e6 / n
			b.report.set("writing", name+", CPU", "us/record", who, &cell{Value: cpu})
		}
		say("%-12s %-34s %8s records/s, p50 %s ms", who, name, short(n/wall.Seconds()), short(at(took, 50)))
	}
	return nil
}

// appending is what durable appends cost: over HTTP, and over the socket of other programs. Records that arrive
// together share a sync.
func (b *bench) appending() error {
	s, err := b.ready()
	if err != nil {
		return err
	}
	defer s.stop()
	used := func() time.Duration { return cpu(s.pid()) }
	err = b.appendRows(overHTTP, shiplog, used, func() (appender, func(), error) {
		return func(i int) error {
			_, _, err := post(s.client, s.url+"/v1/journal/", "application/json", journalEntry(i))
			return err
		}, func() {}, nil
	})
	if err != nil {
		return err
	}
	return b.appendRows("append over a socket", shiplog, used, func() (appender, func(), error) {
		return dialSocket(filepath.Join(b.data(), "agent.sock"))
	})
}

const overHTTP = "append over HTTP"

func journalEntry(i int) []byte {
	return fmt.Appendf(nil, `{"journal": {"object_type": "container", "object_id": "web-%d", "action": "container.stop", "status": "Success", `+
		`"message": "Stop container (docker, %012x, web-%d)", "response_code": "0"}}`, i%1000, i, i%1000)
}

// dialSocket is one program that writes records.
func dialSocket(path string) (appender, func(), error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, nil, err
	}
	in := bufio.NewReader(conn)
	return func(i int) error {
		if _, err := conn.Write(nativeLine(i)); err != nil {
			return err
		}
		answer, err := in.ReadString('\n')
		if err == nil && len(answer) > 2 && answer[:7] != `{"seq":` {
			err = errors.New(answer)
		}
		return err
	}, func() { conn.Close() }, nil
}

// nativeLine is a record as a program sends it.
func nativeLine(i int) []byte {
	return fmt.Appendf(nil, `{"category":"container","action":"container.stop","level":"INFO","msg":"Stop container (docker, %012x, web-%d)",`+
		`"actor":{"name":"admin","type":"user"},"obj":{"type":"container","id":"web-%d"}}`+"\n", i, i%1000, i%1000)
}
