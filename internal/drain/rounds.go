package drain

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Rounds does something with each of some things, again and again until ctx ends, no more than atOnce of them at a time. List says at the beginning of
// each round which there are, and key which of them is the same as one of an earlier round. One that takes long does not keep the others waiting: its
// turn comes again when that is over. As long as some still wait for their turn nothing is listed anew: what came to the list would only wait behind
// them. Rounds returns when nothing is done any more.
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
