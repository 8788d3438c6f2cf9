package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"time"

	"shiplog/format"
)

// What a line can ask for besides storing a record. Such a line is an object with one member:
//
//	{"append":RECORD}                         {"record":RECORD}, as it was stored
//	{"inspect":{"type":"docker","id":"web"}}  {"container":{...}}
//	{"list":{}}                               {"containers":[...]}
//	{"ready":{}}                              {"reasons":["..."]}
//	{"status":{}}                             {"status":{...}}, a Status
//	{"metrics":{}}                            {"metrics":"...", in base64}
//	{"prune":{...}}                           {"pruned":{...}}, for root and the agent's own user
//
// or for each {"error":"...","code":"..."}. A record can never be taken for one: with only such a member it
// would say nothing, and be refused.
const (
	askAppend  = "append"
	askInspect = "inspect"
	askList    = "list"
	askReady   = "ready"
	askStatus  = "status"
	askMetrics = "metrics"
	askPrune   = "prune"
)

const (
	socketInspect = 25 * time.Second // for an engine's answer; a server's own patience is longer
	maxAnswer     = 4 << 20          // bytes of an answer: the list of some thousand containers
)

// inspectRequest asks for one container.
type inspectRequest struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// parseRequest tells what a line asks for. ok is false for a record, and for what is neither.
func parseRequest(line []byte) (name string, body json.RawMessage, ok bool) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", nil, false
	}
	t, err := d.Token()
	if err != nil {
		return "", nil, false
	}
	switch name, _ = t.(string); name {
	case askAppend, askInspect, askList, askReady, askStatus, askMetrics, askPrune:
	default:
		return "", nil, false
	}
	if d.Decode(&body) != nil {
		return "", nil, false
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return "", nil, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", nil, false
	}
	return name, body, true
}

// wrap makes an object of one member. The value keeps its bytes: package json would escape what it holds.
func wrap(name string, value []byte) []byte {
	out := append(append([]byte(`{"`), name...), `":`...)
	return append(append(out, bytes.TrimSpace(value)...), '}')
}

// request answers a line that asks for something. A panic behind it is answered as an error, as the HTTP server
// of one process does: a bug in telling of a container must not end capture.
func (s *socketServer) request(ctx context.Context, name string, body json.RawMessage, uid int) (reply []byte) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic", "request", name, "err", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply = errorReply(errInternal)
		}
	}()
	var answer any
	var err error
	switch name {
	case askAppend:
		r, err := s.appendAsIs(ctx, body)
		if err != nil {
			return errorReply(err)
		}
		return append(wrap("record", format.AppendLine(nil, r)), '\n')
	case askInspect:
		answer, err = s.inspect(ctx, body)
	case askList:
		answer, err = s.list(ctx)
	case askReady:
		reasons := []string{}
		if s.opts.Ready != nil {
			reasons = append(reasons, s.opts.Ready()...)
		}
		answer = map[string]any{"reasons": reasons}
	case askStatus:
		answer, err = s.status()
	case askMetrics:
		answer, err = s.metrics()
	case askPrune:
		answer, err = s.prune(ctx, body, uid)
	}
	if err != nil {
		return errorReply(err)
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return errorReply(fmt.Errorf("answer %s: %w", name, err))
	}
	if len(b) >= maxAnswer {
		return errorReply(fmt.Errorf("%w: the answer to %s has more than %d bytes", errInternal, name, maxAnswer))
	}
	return append(b, '\n')
}

// appendAsIs stores a record of a server, which has checked it and knows who acted; the answer is the record
// with what the writer gave it.
func (s *socketServer) appendAsIs(ctx context.Context, body json.RawMessage) (*format.Record, error) {
	r := new(format.Record)
	if err := format.ParseLine(body, r); err != nil {
		return nil, fmt.Errorf("not a record: %w", err)
	}
	if err := mayClaim(r); err != nil {
		return nil, err
	}
	Redact(r) // the server has done so; a program that speaks as it does may not have
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r, s.store(ctx, r)
}

func (s *socketServer) inspect(ctx context.Context, body json.RawMessage) (any, error) {
	var ask inspectRequest
	if err := json.Unmarshal(body, &ask); err != nil {
		return nil, fmt.Errorf("inspect: want type and id: %w", err)
	}
	if s.opts.Inspect == nil {
		return nil, format.ErrEngineDown
	}
	ctx, cancel := context.WithTimeout(ctx, socketInspect)
	defer cancel()
	c, err := s.opts.Inspect(ctx, ask.Type, ask.ID)
	if err != nil {
		return nil, asked(ctx, err)
	}
	return map[string]format.Container{"container": finite(c)}, nil
}

func (s *socketServer) list(ctx context.Context) (any, error) {
	if s.opts.List == nil {
		return nil, format.ErrEngineDown
	}
	ctx, cancel := context.WithTimeout(ctx, socketInspect)
	defer cancel()
	all, err := s.opts.List(ctx)
	if err != nil {
		return nil, asked(ctx, err)
	}
	for i := range all {
		all[i] = finite(all[i])
	}
	return map[string][]format.Container{"containers": all}, nil
}

// asked is what an inquiry failed with: an agent that stops says nothing about an engine.
func asked(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%w: it stops", format.ErrAgentDown)
	}
	return err
}

// finite makes the measured share of a processor a number that JSON has; what is not known is 0.
func finite(c format.Container) format.Container {
	if math.IsNaN(c.CPU) || math.IsInf(c.CPU, 0) {
		c.CPU = 0
	}
	return c
}
