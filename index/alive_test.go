package index

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBuildingIsNoHangForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &Index{asked: make(chan struct{})}
		asked := func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			return x.Alive(ctx)
		}
		release, failed := make(chan struct{}), errors.New("failed")
		ended := make(chan error, 1)
		go func() {
			ended <- x.attend(func() error {
				<-release
				return failed
			})
		}()
		time.Sleep(buildLimit - time.Minute)
		if err := asked(); err != nil {
			t.Errorf("Alive while a segment is built = %v, want nil", err)
		}
		time.Sleep(2 * time.Minute)
		if err := asked(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Alive when a segment is built for longer than %v = %v, want an error", buildLimit, err)
		}
		close(release)
		if err := <-ended; err != failed {
			t.Errorf("attend = %v, want %v", err, failed)
		}
	})
}
