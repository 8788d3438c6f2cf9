package cli

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// parts makes stages that note what happens to them.
func parts(notes *[]string, names ...string) []stage {
	var mu sync.Mutex
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		*notes = append(*notes, s)
	}
	var all []stage
	for _, name := range names {
		all = append(all, stage{name: name, run: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			note(name)
			return ctx.Err()
		}, then: func() error {
			note(name + " closed")
			return nil
		}})
	}
	return all
}

func TestStagesStopOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var notes []string
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Minute, cancel)
		if err := runStages(ctx, parts(&notes, "agent", "writer", "server"), stopLimit); err != nil {
			t.Errorf("runStages = %v, want nil", err)
		}
		const want = "agent, agent closed, writer, writer closed, server, server closed"
		if got := strings.Join(notes, ", "); got != want {
			t.Errorf("stopped %s, want %s", got, want)
		}
	})
}

func TestStagesStopWhenOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var notes []string
		all := parts(&notes, "agent", "server")
		broken := errors.New("broken")
		all = append(all, stage{name: "index", run: func(context.Context) error {
			time.Sleep(time.Minute)
			return broken
		}})
		err := runStages(context.Background(), all, stopLimit)
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "index: ") {
			t.Errorf("runStages = %v, want index: broken", err)
		}
		if len(notes) != 4 {
			t.Errorf("stopped %q, want agent and server", notes)
		}
	})
}

func TestStagesStopInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		release := make(chan struct{})
		stuck := stage{name: "stuck", run: func(context.Context) error {
			<-release
			return nil
		}}
		cancel()
		begin := time.Now()
		if err := runStages(ctx, []stage{stuck}, stopLimit); err == nil || time.Since(begin) != stopLimit {
			t.Errorf("runStages = %v after %v, want an error after %v", err, time.Since(begin), stopLimit)
		}
		close(release)
	})
}
