package drain_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"rekindle/internal/drain"
)

func TestLoopsAreCutOffTogetherAndWaitedFor(t *testing.T) {
	t.Parallel()
	loops := drain.NewLoops()
	cut, goOn := make(chan error), make(chan struct{})
	for range 2 {
		loops.Go(func(ctx context.Context) {
			<-ctx.Done()
			cut <- context.Cause(ctx)
			<-goOn
		})
	}
	stopped := make(chan error, 1)
	go func() { stopped <- loops.Stop(t.Context()) }()
	for range 2 {
		if err := <-cut; !errors.Is(err, drain.ErrStopping) {
			t.Errorf("a loop is cut off because of %v", err)
		}
	}
	if loops.Enter() {
		t.Error("something is let in while the loops are being stopped")
	}
	loops.Go(func(context.Context) { t.Error("a loop begins while they are being stopped") })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := loops.Stop(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop that may not wait = %v", err)
	}
	select {
	case err := <-stopped:
		t.Errorf("Stop = %v before the loops have ended", err)
	default:
	}
	close(goOn)
	if err := <-stopped; err != nil {
		t.Errorf("Stop = %v", err)
	}
}

func TestPauseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	if !drain.Pause(ctx, time.Millisecond) {
		t.Error("a pause that nobody ends says that it was ended")
	}
	cancel()
	if drain.Pause(ctx, time.Hour) {
		t.Error("a pause that is ended says that all goes on")
	}
}
