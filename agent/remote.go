package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"shiplog/format"
)

// remoteLimit bounds an inquiry of a Remote whose context has no deadline: longer than the agent's own.
const remoteLimit = 30 * time.Second

// Remote is an agent in another process, reached over the socket of its data directory. Each call connects
// anew, so that an agent may go and come back at any time. A call during which there is none fails with
// format.ErrAgentDown; other errors keep their meaning: format.ErrFull, format.ErrReadOnly,
// format.ErrNoContainer, format.ErrAmbiguous, format.ErrEngineDown. Safe for concurrent use.
type Remote struct {
	Path string // of the socket
}

// Append stores the records one after the other and returns when all are on the disk. Each gets what the
// writer gave it: number, id, times. On an error the records before the failed one are stored, and whether that
// one is may be unknown when the agent went away meanwhile.
func (r Remote) Append(ctx context.Context, recs ...*format.Record) error {
	for _, rec := range recs {
		whole := *rec
		whole.Trim() // the line must not be longer than a line may be
		var answer struct {
			Record json.RawMessage `json:"record"`
		}
		if err := r.ask(ctx, askAppend, format.AppendLine(nil, &whole), &answer); err != nil {
			return fmt.Errorf("append: %w", err)
		}
		var stored format.Record
		if err := format.ParseLine(answer.Record, &stored); err != nil || stored.Seq == 0 {
			return fmt.Errorf("append over %s: answer not understood: %w", r.Path, errors.Join(err, errNoRecord))
		}
		*rec = stored
	}
	return nil
}

var errNoRecord = errors.New("it holds no numbered record")

// Inspect is Agent.Inspect of the agent.
func (r Remote) Inspect(ctx context.Context, typ, id string) (format.Container, error) {
	var answer struct {
		Container *format.Container `json:"container"`
	}
	body, err := json.Marshal(inspectRequest{typ, id})
	if err != nil {
		return format.Container{}, err
	}
	if err := r.ask(ctx, askInspect, body, &answer); err != nil {
		return format.Container{}, err
	}
	if answer.Container == nil {
		return format.Container{}, fmt.Errorf("inspect over %s: answer not understood", r.Path)
	}
	return *answer.Container, nil
}

// List is Agent.List of the agent.
func (r Remote) List(ctx context.Context) ([]format.Container, error) {
	var answer struct {
		Containers []format.Container `json:"containers"`
	}
	err := r.ask(ctx, askList, []byte("{}"), &answer)
	return answer.Containers, err
}

// Ready returns the agent's reasons why what happens now is not in the log; none when all is well.
func (r Remote) Ready(ctx context.Context) (reasons []string, err error) {
	var answer struct {
		Reasons []string `json:"reasons"`
	}
	err = r.ask(ctx, askReady, []byte("{}"), &answer)
	return answer.Reasons, err
}

// ask sends one request and reads its answer into the value that answer points to.
func (r Remote) ask(ctx context.Context, name string, body []byte, answer any) error {
	return r.askWithin(ctx, remoteLimit, name, body, answer)
}

func (r Remote) askWithin(ctx context.Context, limit time.Duration, name string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	reply, err := talk(ctx, r.Path, append(wrap(name, body), '\n'), maxAnswer)
	if err != nil {
		return err
	}
	var failed struct{ Error, Code string }
	if err := json.Unmarshal(reply, &failed); err != nil {
		return fmt.Errorf("%s over %s: answer not understood: %w", name, r.Path, err)
	}
	if err := answeredError(failed.Error, failed.Code); err != nil {
		return err
	}
	if err := json.Unmarshal(reply, answer); err != nil {
		return fmt.Errorf("%s over %s: answer not understood: %w", name, r.Path, err)
	}
	return nil
}

// talk connects to path, sends a line and returns the line that comes back, of at most limit bytes. The error
// is format.ErrAgentDown when nobody can be reached (and ErrNoAgent when nobody listens), or when the other end
// goes away before it has answered; that of ctx when ctx ends first.
func talk(ctx context.Context, path string, line []byte, limit int) ([]byte, error) {
	conn, err := dialSocket(ctx, path)
	if ctx.Err() != nil {
		err = ctx.Err()
	} else if err != nil {
		err = fmt.Errorf("%w: %w", format.ErrAgentDown, err)
	}
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	// The agent may refuse and hang up before it has read a long line: its answer counts, not the error.
	_, sendErr := conn.Write(line)
	reply, err := bufio.NewReader(io.LimitReader(conn, int64(limit))).ReadBytes('\n')
	switch {
	case err == nil:
		return reply, nil
	case len(reply) == limit:
		return nil, fmt.Errorf("answer over %s is longer than %d bytes", path, limit)
	case ctx.Err() != nil:
		err = ctx.Err()
	case hungUp(err) || hungUp(sendErr):
		err = fmt.Errorf("%w: it went away before it answered: %w", format.ErrAgentDown, errors.Join(sendErr, err))
	default:
		err = errors.Join(sendErr, err)
	}
	return nil, fmt.Errorf("talk to %s: %w", path, err)
}

// hungUp tells whether err says that the other end is gone. Every other failure of a local socket is of this
// process.
func hungUp(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &op) && !errors.Is(err, os.ErrDeadlineExceeded)
}
