package drain

import (
	"context"
	"errors"
	"time"
)

// ErrStopping is why work under way is cut off when the console stops.
var ErrStopping = errors.New("the console is being stopped")

// Loops are background loops that are all stopped together. They are safe for concurrent use.
type Loops struct {
	Group
	ctx context.Context
	cut context.CancelCauseFunc
}

// NewLoops returns loops, none of which has begun.
func NewLoops() *Loops {
	l := &Loops{}
	l.ctx, l.cut = context.WithCancelCause(context.Background())
	return l
}

// Context ends with ErrStopping when the loops are stopped.
func (l *Loops) Context() context.Context { return l.ctx }

// Go begins a loop, unless the loops are being stopped.
func (l *Loops) Go(loop func(ctx context.Context)) {
	if !l.Enter() {
		return
	}
	go func() {
		defer l.Leave()
		loop(l.ctx)
	}()
}

// Stop cuts off what is under way, lets nothing more in, and waits until everything has ended or ctx has.
func (l *Loops) Stop(ctx context.Context) error {
	l.refuse() // first, so that nothing is let in only to be cut off
	l.cut(ErrStopping)
	return l.Close(ctx)
}

// Pause waits for real time to pass: it paces I/O and decides nothing. It tells whether ctx is still alive.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
