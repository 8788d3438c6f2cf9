package agent

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestWhoMayHaveRecordsRemoved holds that the group of the socket, which may write records, cannot remove them.
func TestWhoMayHaveRecordsRemoved(t *testing.T) {
	asked := 0
	s := &socketServer{opts: SocketOptions{Prune: func(_ context.Context, body json.RawMessage, uid int) (any, error) {
		asked++
		return map[string]int{"by": uid}, nil
	}}}
	line := []byte(`{"prune":{"keep_bytes":"1MiB"}}` + "\n")
	for _, uid := range []int{0, os.Geteuid()} {
		if got := string(s.answer(t.Context(), line, uid)); !strings.HasPrefix(got, `{"pruned":{"by":`) {
			t.Errorf("answer to user %d = %s, want pruned", uid, got)
		}
	}
	before := asked
	for _, uid := range []int{-1, os.Geteuid() + 1} {
		if got := string(s.answer(t.Context(), line, uid)); !strings.Contains(got, "only root and the user of the agent") {
			t.Errorf("answer to user %d = %s, want a refusal", uid, got)
		}
	}
	if asked != before {
		t.Error("a user who may not was not refused")
	}
	s = &socketServer{}
	if got := string(s.answer(t.Context(), line, 0)); !strings.Contains(got, "removes nothing") {
		t.Errorf("answer without a pruner = %s, want an error", got)
	}
}
