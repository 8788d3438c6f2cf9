package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"shiplog/agent"
)

// statusText is how the process is, in one line for a person: "2 engines, 1 gap, 12345 records, ready". What it asks
// may take until the next status is due: the runtime keeps a time limit, also one that was not needed, and would
// wake for a shorter one.
func (d *daemon) statusText() string {
	var parts []string
	if d.agent != nil {
		parts = captureText(d.agent.Stats())
	}
	parts = append(parts, counted(d.lastRecord(), "record"))
	reasons := d.notReadyWithin(statusEvery)
	if d.index != nil {
		if ok, why := d.index.Ready(); !ok {
			reasons = append(reasons, why...)
		}
	}
	if d.accounts != nil && d.accounts.Err() != nil {
		reasons = append(reasons, d.accounts.Err().Error())
	}
	if len(reasons) > 0 {
		return strings.Join(append(parts, "not ready: "+strings.Join(reasons, "; ")), ", ")
	}
	return strings.Join(append(parts, "ready"), ", ")
}

// captureText tells how many engines are in sight, and how often one was not.
func captureText(s agent.Stats) []string {
	var engines, gaps uint64
	for _, src := range s.Sources {
		if src.Connected {
			engines++
		}
		for _, n := range src.Gaps {
			gaps += n
		}
	}
	parts := []string{"no engine"}
	if engines > 0 {
		parts[0] = counted(engines, "engine")
	}
	if gaps > 0 {
		parts = append(parts, counted(gaps, "gap"))
	}
	return parts
}

// lastRecord is the number of the newest record; 0 when there is none, or the log cannot be read.
func (d *daemon) lastRecord() uint64 {
	if d.writer != nil {
		return d.writer.LastSeq()
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusEvery)
	defer cancel()
	last, err := d.index.LastSeq(ctx)
	if err != nil {
		return 0
	}
	return last
}

func counted(n uint64, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// socketSoon is after how long a socket that is not there yet is looked for again.
const socketSoon = 100 * time.Millisecond

// socketAlive asks over the socket, as a client does, and returns nil when there was an answer, of whatever kind.
// A socket whose file was taken away answers nobody: a new start makes it again. One that could not be made at
// all is not missed.
func (d *daemon) socketAlive(ctx context.Context) error {
	remote := agent.Remote{Path: d.socketPath()}
	for {
		_, err := remote.Ready(ctx)
		switch {
		case d.noSocket.Load(), err == nil, ctx.Err() == nil && !errors.Is(err, agent.ErrNoAgent):
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s does not answer: %w", remote.Path, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(socketSoon):
		}
	}
}
