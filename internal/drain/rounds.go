package drain

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Rounds calls do for each item again and again until ctx ends, for at most atOnce items at a time. At the beginning of each round, list returns the
// items, and key tells which of them are the same as before. A slow item does not keep the others waiting: its turn comes again when it has finished.
// As long as items still wait for their turn, list is not called again, because new items would only wait behind them. Rounds returns when nothing is
// being done any more.
func Rounds[T any](ctx context.Context, every time.Duration, atOnce int, list func(context.Context) []T, key func(T) uint, do func(context.Context, T)) {
	var all sync.WaitGroup
	defer all.Wait()
	turns := make(chan struct{}, atOnce)
	var busy sync.Map
	var waiting atomic.Int64
	for {
		for _, one := range list(ctx) {
			if _, already := busy.LoadOrStore(key(one), true); already {
				continue
			}
			waiting.Add(1)
			all.Go(func() {
				defer busy.Delete(key(one))
				turns <- struct{}{}
				waiting.Add(-1)
				defer func() { <-turns }()
				do(ctx, one)
			})
		}
		for again := true; again; again = waiting.Load() > 0 {
			if !Pause(ctx, every) {
				return
			}
		}
	}
}
