package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// socketPrune bounds one request to remove segments. What is not done then is told as an error, and what is done
// stays done.
const socketPrune = 2 * time.Minute

// errNotYours is the answer to who may write records but not have them removed: the group of the socket is for
// servers and programs that write.
var errNotYours = errors.New("only root and the user of the agent may have records removed")

// prune has segments removed.
func (s *socketServer) prune(ctx context.Context, body json.RawMessage, uid int) (any, error) {
	if uid != 0 && uid != os.Geteuid() {
		return nil, errNotYours
	}
	if s.opts.Prune == nil {
		return nil, errors.New("this agent removes nothing")
	}
	ctx, cancel := context.WithTimeout(ctx, socketPrune)
	defer cancel()
	answer, err := s.opts.Prune(ctx, body, uid)
	if err != nil {
		return nil, err
	}
	return map[string]any{"pruned": answer}, nil
}

// Prune asks the agent to remove segments, as ask says, and reads what came of it into the value that answer points
// to. ErrNoAgent when nobody serves the socket.
func (r Remote) Prune(ctx context.Context, ask, answer any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	var got struct{ Pruned json.RawMessage }
	if err := r.askWithin(ctx, socketPrune+10*time.Second, askPrune, body, &got); err != nil {
		return err
	}
	if err := json.Unmarshal(got.Pruned, answer); err != nil {
		return fmt.Errorf("prune over %s: answer not understood: %w", r.Path, err)
	}
	return nil
}
