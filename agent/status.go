package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shiplog/format"
)

// Status is how an agent is, for people and scripts.
type Status struct {
	Version string         `json:"version"`
	PID     int            `json:"pid"`
	Started time.Time      `json:"started"`
	URL     string         `json:"url,omitempty"` // of the server in the same process; "": there is none
	Engines []EngineStatus `json:"engines"`
	Writer  WriterStatus   `json:"writer"`
	Free    *uint64        `json:"disk_free_bytes,omitempty"` // on the disk of the log; nil: not known
	Failing []string       `json:"failing,omitempty"`         // what else cannot be done now, each with its reason, for people
}

// EngineStatus is how one source is. Counts are since the start of the agent.
type EngineStatus struct {
	Engine    format.Engine `json:"engine"`
	Version   string        `json:"version,omitempty"`
	Connected bool          `json:"connected"`
	Since     time.Time     `json:"since,omitzero"`      // when it was connected, or lost; zero: it was never seen
	LastEvent time.Time     `json:"last_event,omitzero"` // by the engine's clock
	Events    uint64        `json:"events"`
	Gaps      uint64        `json:"gaps"`    // times in which events could not be seen
	Queue     int           `json:"queue"`   // events that wait to be written
	Dropped   uint64        `json:"dropped"` // events that did not fit into the queue
	Lag       float64       `json:"lag_seconds"`
}

// WriterStatus is how the writer and its log are.
type WriterStatus struct {
	State      string `json:"state"` // format.StateOK, StateFull or StateReadOnly
	Reason     string `json:"reason,omitempty"`
	LastSeq    uint64 `json:"last_seq"`
	DurableSeq uint64 `json:"durable_seq"` // newest record that is safe on disk
	Segments   int    `json:"segments"`
	Bytes      int64  `json:"bytes"`
}

// ErrOldAgent says that an agent does not know a request: it is of an older program.
var ErrOldAgent = errors.New("the agent is older and cannot tell")

// Status asks the agent how it is. ErrOldAgent when it cannot tell.
func (r Remote) Status(ctx context.Context) (Status, error) {
	var answer struct {
		Status *Status `json:"status"`
	}
	err := r.askNew(ctx, askStatus, &answer)
	if err == nil && answer.Status == nil {
		err = fmt.Errorf("status over %s: answer not understood", r.Path)
	}
	if err != nil {
		return Status{}, err
	}
	return *answer.Status, nil
}

// Metrics asks the agent for what it measures. ErrOldAgent when it cannot tell.
func (r Remote) Metrics(ctx context.Context) ([]byte, error) {
	var answer struct {
		Metrics []byte `json:"metrics"`
	}
	err := r.askNew(ctx, askMetrics, &answer)
	return answer.Metrics, err
}

// askNew asks what agents did not know from the beginning: they take it for a record, and refuse it.
func (r Remote) askNew(ctx context.Context, name string, answer any) error {
	err := r.ask(ctx, name, []byte("{}"), answer)
	if e, ok := errors.AsType[*socketError](err); ok && e.kind == nil {
		return fmt.Errorf("%w: %w", ErrOldAgent, err)
	}
	return err
}

func (s *socketServer) status() (any, error) {
	if s.opts.Status == nil {
		return nil, fmt.Errorf("%w: the status is not known", errInternal)
	}
	return map[string]Status{"status": s.opts.Status()}, nil
}

func (s *socketServer) metrics() (any, error) {
	var b []byte
	if s.opts.Metrics != nil {
		var err error
		if b, err = s.opts.Metrics(); err != nil {
			return nil, fmt.Errorf("%w: metrics: %w", errInternal, err)
		}
	}
	return map[string][]byte{"metrics": b}, nil
}
